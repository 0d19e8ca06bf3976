import type { CertificateUse, FileLayout } from '../spc/key-vault-field.ts';

/** What a `keyVault` object is for, by the place where it stands, and the files its reader expects. */
export type Role =
  /** One file of a secret's value. `alsoExpected`: a key of the Kubernetes Secret it replaces that no vault holds, but the field itself. */
  | { readonly kind: 'value'; readonly name: string; readonly fileName: string; readonly alsoExpected?: string }
  /** A certificate with its key and chain. */
  | { readonly kind: 'certificate'; readonly name: string; readonly layout: FileLayout; readonly use: CertificateUse }
  /** A place that is not known: the field alone decides. */
  | { readonly kind: 'unknown'; readonly name: string };

/** Ends of paths, list positions left out, the longer before the shorter. What stands above differs between previews. */
const ROLES: readonly { readonly tail: readonly string[]; readonly role: Role }[] = [
  { tail: ['usernamePassword'], role: { kind: 'value', name: 'username-password', fileName: 'passwords.toml' } },
  { tail: ['x509', 'attributes'], role: { kind: 'value', name: 'x509-attributes', fileName: 'x509Attributes.toml' } },
  {
    tail: ['sasl', 'token'],
    role: { kind: 'value', name: 'sasl-token', fileName: 'password', alsoExpected: 'username' },
  },
  {
    tail: ['custom', 'auth', 'x509'],
    role: { kind: 'certificate', name: 'custom-x509', layout: 'tls', use: 'client' },
  },
  { tail: ['authType', 'x509'], role: { kind: 'certificate', name: 'x509', layout: 'tls', use: 'client' } },
  { tail: ['authentication', 'x509'], role: { kind: 'certificate', name: 'x509', layout: 'client', use: 'client' } },
  { tail: ['tls', 'manual'], role: { kind: 'certificate', name: 'tls', layout: 'tls', use: 'server' } },
  { tail: ['tls'], role: { kind: 'certificate', name: 'tls', layout: 'tls', use: 'server' } },
];

/** The role of a field, and the names above it that are no part of the role's own. */
export interface Place {
  readonly role: Role;
  /** Such as `remoteBrokerConnection`. */
  readonly above: readonly string[];
}

/** The role of the field at a path. Matched by the end of the path; an unknown place is named by all of it. */
export function placeAt(path: readonly (string | number)[]): Place {
  const all = path.filter((element) => typeof element === 'string');
  const names = all[0] === 'spec' || all[0] === 'properties' ? all.slice(1) : all;
  const known = ROLES.find(({ tail }) => tail.every((name, i) => name === names[names.length - tail.length + i]));
  if (known !== undefined) return { role: known.role, above: names.slice(0, -known.tail.length) };
  return { role: { kind: 'unknown', name: names.join('-') }, above: [] };
}
