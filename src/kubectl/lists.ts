/**
 * Lists objects of a cluster up to a number, and notes if there are more. `status`, `check` and `connect` use it.
 */

import type { KubeApi, KubeListOptions } from './api.ts';
import type { KubeObject } from './objects.ts';

const MAX_OBJECTS = 10_000;

/** Which objects are wanted, and what is said if not all are read. */
export interface NotedList extends Omit<KubeListOptions, 'max'> {
  /** Name of the objects in the note, such as `pods`. */
  readonly what: string;
  /** Gets a note if there are more objects than are read. */
  readonly notes: string[];
}

/** Returns the first objects at a path. Throws: the errors of `KubeApi`. */
export async function listNoted(
  api: KubeApi,
  path: string,
  { what, notes, ...wanted }: NotedList,
): Promise<readonly KubeObject[]> {
  const { items, cut } = await api.list(path, { max: MAX_OBJECTS, ...wanted });
  if (cut) notes.push(`only the first ${MAX_OBJECTS} ${what} were read; choose a namespace with -n`);
  return items;
}
