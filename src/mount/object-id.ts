/**
 * Makes the id under which an object is reported to the driver. The makers of files and replacements call it. Users of
 * the cluster can read it.
 */

import type { ObjectSpec } from '../spc/model.ts';

/** Returns `<type>/<name>`, the official provider's form, with the vault before it if that is not the volume's own. */
export function objectIdOf({ type, name, vault }: Pick<ObjectSpec, 'type' | 'name' | 'vault'>): string {
  return vault === undefined ? `${type}/${name}` : `${vault.name}/${type}/${name}`;
}
