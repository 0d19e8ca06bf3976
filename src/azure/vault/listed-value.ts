/**
 * Finds the value of an object whose listing has just been read, so that an object that has not changed is not read
 * again. The vault reader calls it before it asks the vault. Values are refused that may have changed again in the second in
 * which they were read, and those that were last read longer ago than last known values may be: a principal that may list
 * an object need not be one that may read it.
 */

import { type Clock, msSince } from '../../base/clock.ts';
import type { FetchedObject, Stamp } from '../../mount/ports.ts';
import type { KnownRequest } from './known-request.ts';
import type { LastKnownGood } from './last-known-good.ts';

/**
 * Time between a change and a read after which the value is that of the date. Key Vault's dates have whole seconds; a
 * second more is for the clock of the node.
 */
const SETTLED_MS = 2000;

/** Parts of {@link listedValue}. */
export interface ListedValueParts {
  readonly known: LastKnownGood;
  readonly clock: Clock;
}

/**
 * Returns the value that a listing confirms; else `kept`, a value that was read a moment ago,
 * unless the object has changed since; undefined: the object has to be read.
 */
export function listedValue(
  { known, clock }: ListedValueParts,
  { request, stamp }: { readonly request: KnownRequest<'read'>; readonly stamp: Stamp },
  kept: FetchedObject | undefined,
): FetchedObject | undefined {
  const { updatedAt, listedAt } = stamp;
  const last = known.find(request);
  if (last?.value.facts?.updatedAt === updatedAt) {
    const readAt = clock.wall() - msSince(clock, last.givenAt);
    if (readAt - updatedAt >= SETTLED_MS && msSince(clock, last.givenAt) < known.maxStaleMs) {
      known.confirm(request, listedAt);
      return last.value;
    }
  }
  const keptDate = kept?.facts?.updatedAt ?? updatedAt;
  return keptDate < updatedAt ? undefined : kept;
}
