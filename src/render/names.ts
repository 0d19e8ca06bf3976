/**
 * Chooses the names of SecretProviderClasses, volumes and synced Secrets. Called by `render` for all fields at once.
 * Any text becomes a DNS label, and no two fields that can be in one namespace get the same name.
 */

import { createHash } from 'node:crypto';

/** The longest DNS label. The name is also the name of the pod's volume. */
const MAX_LENGTH = 63;
const HASH_LENGTH = 8;
const LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;

/** The parts of a name. */
export interface NameParts {
  /** Kind of the resource, such as `BrokerListener`. */
  readonly kind: string;
  /** Name of the resource. */
  readonly name: string;
  /** The purpose of the field, such as `tls`. */
  readonly role: string;
  /** The positions in the lists of the field's path. */
  readonly positions: readonly number[];
  /** Names above the role in the resource, such as `remoteBrokerConnection`. */
  readonly above: readonly string[];
  /** Namespace of the resource; empty: any, since the manifest is then applied to the current namespace. */
  readonly namespace: string;
  /** A text that is equal for fields with the same place and the same data. */
  readonly identity: string;
}

/** The forms of a name, each with more of its parts; a name that is not unique gets the next form. */
const STEPS: readonly ((parts: NameParts) => string)[] = [
  (parts) => labelOf(parts),
  (parts) => labelOf({ ...parts, role: placeOf(parts) }),
  (parts) => labelOf({ ...parts, role: [placeOf(parts), parts.namespace].filter((part) => part !== '').join('-') }),
  (parts) => withSuffix(labelOf({ ...parts, role: placeOf(parts) }), hashOf(parts.identity)),
];

/**
 * Returns names for all fields of a rendering, each unique in its namespace. They do not depend on the order of the
 * fields: if several fields have the same name, each of them gets a name with more parts. Equal fields are numbered.
 */
export function assignNames(all: readonly NameParts[]): readonly string[] {
  const steps = all.map(() => 0);
  const labels = all.map((parts) => labelAt(parts, 0));
  for (let clashing = clashes(all, labels); clashing.length > 0; clashing = clashes(all, labels)) {
    const open = clashing.filter((index) => (steps[index] ?? 0) < STEPS.length - 1);
    if (open.length === 0) break;
    for (const index of open) {
      const step = (steps[index] ?? 0) + 1;
      steps[index] = step;
      labels[index] = labelAt(all[index], step);
    }
  }
  const taken = new Set(labels);
  const seen = new Set<string>();
  return all.map(({ identity }, index) => {
    const label = labels[index] ?? '';
    const key = `${label} ${identity}`;
    const name = seen.has(key) ? untaken(label, taken) : label;
    seen.add(key);
    taken.add(name);
    return name;
  });
}

/** Returns the indexes of fields that have the same name as another field and can be in one namespace with it. */
function clashes(all: readonly NameParts[], labels: readonly string[]): readonly number[] {
  const distinct = (some: readonly number[]) => new Set(some.map((index) => all[index]?.identity)).size > 1;
  const sharing = groups([...all.keys()], (index) => labels[index] ?? '').filter(distinct);
  return sharing.flatMap((some) => {
    const namespaceOf = (index: number) => all[index]?.namespace ?? '';
    if (some.some((index) => namespaceOf(index) === '')) return some;
    return groups(some, namespaceOf).filter(distinct).flat();
  });
}

function groups(indexes: readonly number[], keyOf: (index: number) => string): readonly (readonly number[])[] {
  const byKey = new Map<string, number[]>();
  for (const index of indexes) {
    const key = keyOf(index);
    const group = byKey.get(key);
    if (group === undefined) byKey.set(key, [index]);
    else group.push(index);
  }
  return [...byKey.values()];
}

function labelAt(parts: NameParts | undefined, step: number): string {
  return parts === undefined ? '' : (STEPS[step]?.(parts) ?? '');
}

function placeOf({ above, role }: NameParts): string {
  return [...above, role].join('-');
}

/**
 * Returns a DNS label (RFC 1123) such as `broker-listener-front-tls`. The same parts give the same name. List positions
 * other than the first are part of it. If characters are lost or the end is cut off, a hash of all parts is appended.
 */
function labelOf({ kind, name, role, positions }: NameParts): string {
  const place = positions.some((position) => position > 0) ? positions.join('-') : '';
  const parts = [kebab(kind), name.toLowerCase(), kebab(role), place].filter((part) => part !== '');
  const label = clean(parts.join('-'));
  if (parts.every((part) => LABEL.test(part)) && label.length <= MAX_LENGTH) return label;
  return withSuffix(label, hashOf(JSON.stringify([kind, name, role, positions])));
}

/** Returns a DNS label for any name. A name that is none gets a hash, so that two names never have one label. */
export function labelFor(name: string): string {
  return LABEL.test(name) && name.length <= MAX_LENGTH ? name : withSuffix(clean(name.toLowerCase()), hashOf(name));
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, HASH_LENGTH);
}

/** Returns the label with the first number from 2 that makes it unique. */
function untaken(label: string, taken: ReadonlySet<string>): string {
  let name = label;
  for (let count = 2; taken.has(name); count++) name = withSuffix(label, String(count));
  return name;
}

function withSuffix(label: string, suffix: string): string {
  return clean(`${label.slice(0, MAX_LENGTH - suffix.length - 1)}-${suffix}`);
}

/** Returns words of a name such as `BrokerListener` in lower case, separated by dashes. */
export function kebab(words: string): string {
  return words
    .replace(/([a-z0-9])([A-Z])/g, '$1-$2')
    .replace(/([A-Z])([A-Z][a-z])/g, '$1-$2')
    .toLowerCase();
}

function clean(text: string): string {
  return text.replace(/[^a-z0-9]+/g, '-').replace(/^-+|-+$/g, '');
}
