/**
 * Names the place that a SecretProviderClass was made from, as `Kind/name/role`, and reads such names. Called by `render`
 * for all fields at once, and where pods ask for a class by this text. It does not depend on the order of the fields.
 */

import { kebab, type NameParts } from './names.ts';

/** The parts of a text that {@link assignFrom} made; each is empty where the text has no such part. */
export interface FromParts {
  readonly kind: string;
  readonly name: string;
  readonly role: string;
}

/** Returns the parts of the text. Absent: that of a class made by hand. */
export function partsOfFrom(from = ''): FromParts {
  const [kind = '', name = '', role = ''] = from.split('/');
  return { kind, name, role };
}

/**
 * Returns the text of each field. Where two fields of a resource have the same role, list positions and the names above
 * the role are part of the text, as in the name of the class.
 */
export function assignFrom(all: readonly NameParts[]): readonly string[] {
  const places = new Map<string, Set<string>>();
  for (const parts of all) {
    const place = `${parts.above.join('/')}/${parts.positions.join('/')}`;
    const key = keyOf(parts);
    places.set(key, (places.get(key) ?? new Set()).add(place));
  }
  return all.map((parts) => {
    const isShared = (places.get(keyOf(parts))?.size ?? 0) > 1;
    return fromOf(parts, isShared ? parts.above : []);
  });
}

function keyOf(parts: NameParts): string {
  return JSON.stringify([parts.namespace, fromOf(parts, [])]);
}

function fromOf({ kind, name, role, positions }: NameParts, above: readonly string[]): string {
  const numbers = positions.some((position) => position > 0) ? positions : [];
  return `${kind}/${name}/${[...above.map(kebab), kebab(role), ...numbers].join('-')}`;
}
