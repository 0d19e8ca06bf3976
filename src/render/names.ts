import { createHash } from 'node:crypto';

/** Longest DNS label: the name serves as the pod volume's name too. */
const MAX_LENGTH = 63;
const HASH_LENGTH = 8;
const LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;

/** What a name is made of. */
export interface NameParts {
  /** Kind of the resource, such as `BrokerListener`. */
  readonly kind: string;
  /** Name of the resource. */
  readonly name: string;
  /** What the field is for, such as `tls`. */
  readonly role: string;
  /** Positions in lists on the way to the field. */
  readonly positions: readonly number[];
}

/**
 * A DNS label (RFC 1123) such as `broker-listener-front-tls`; the same parts give the same name. List positions other than
 * the first are part of it. Where characters are lost or the end is cut off, a hash of the whole keeps names apart.
 */
export function labelOf({ kind, name, role, positions }: NameParts): string {
  const place = positions.some((position) => position > 0) ? positions.join('-') : '';
  const parts = [kebab(kind), name.toLowerCase(), kebab(role), place].filter((part) => part !== '');
  const label = clean(parts.join('-'));
  if (parts.every((part) => LABEL.test(part)) && label.length <= MAX_LENGTH) return label;
  const hash = createHash('sha256')
    .update(JSON.stringify([kind, name, role, positions]))
    .digest('hex');
  return withSuffix(label, hash.slice(0, HASH_LENGTH));
}

/** The label itself, or with the first number behind it that makes a name not yet taken. */
export function untaken(label: string, taken: ReadonlySet<string>): string {
  let name = label;
  for (let count = 2; taken.has(name); count++) name = withSuffix(label, String(count));
  return name;
}

function withSuffix(label: string, suffix: string): string {
  return clean(`${label.slice(0, MAX_LENGTH - suffix.length - 1)}-${suffix}`);
}

function kebab(words: string): string {
  return words
    .replace(/([a-z0-9])([A-Z])/g, '$1-$2')
    .replace(/([A-Z])([A-Z][a-z])/g, '$1-$2')
    .toLowerCase();
}

function clean(text: string): string {
  return text.replace(/[^a-z0-9]+/g, '-').replace(/^-+|-+$/g, '');
}
