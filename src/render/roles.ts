/**
 * Finds the purpose of a `keyVault` field from its path in the resource: one file, a certificate, or unknown. Called by
 * prepare.ts. Only the end of a path is compared, because the names above it differ between versions of the broker's
 * API.
 */

import type { CertificateUse, FileLayout } from '../spc/layouts.ts';

/** The purpose of a `keyVault` object at its place, and the files that its reader expects. */
export type Role =
  /**
   * One file of a secret's value. `alsoExpected` is a key of the replaced Kubernetes Secret that the field itself
   * holds.
   */
  | { readonly kind: 'value'; readonly name: string; readonly fileName: string; readonly alsoExpected?: string }
  /** A certificate with its key and chain. */
  | { readonly kind: 'certificate'; readonly name: string; readonly layout: FileLayout; readonly use: CertificateUse }
  /** An unknown place: the field alone decides. */
  | { readonly kind: 'unknown'; readonly name: string };

/** File of the password database of IoT MQ, which has a format of its own. */
export const PASSWORD_DATABASE = 'passwords.toml';

/** Ends of paths without list positions, longer ones first. The names above them differ between previews. */
const ROLES: readonly { readonly tail: readonly string[]; readonly role: Role }[] = [
  { tail: ['usernamePassword'], role: { kind: 'value', name: 'username-password', fileName: PASSWORD_DATABASE } },
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

/** The role of a field, and the names above it that are not part of the role. */
export interface FieldPlace {
  readonly role: Role;
  /** Such as `remoteBrokerConnection`. */
  readonly above: readonly string[];
}

/** Returns the role of the field at a path, by the end of the path. An unknown place is named by the whole path. */
export function placeAt(path: readonly (string | number)[]): FieldPlace {
  const all = path.filter((element) => typeof element === 'string');
  const names = all[0] === 'spec' || all[0] === 'properties' ? all.slice(1) : all;
  const known = ROLES.find(({ tail }) => tail.every((name, i) => name === names[names.length - tail.length + i]));
  if (known !== undefined) return { role: known.role, above: names.slice(0, -known.tail.length) };
  return { role: { kind: 'unknown', name: names.join('-') }, above: [] };
}
