/**
 * Defines the types of requests that have a last known value, and of these values. The memory of last known values, its
 * traces, the sealed store and the vault reader use them.
 */

import type { ObjectType } from '../../base/objects.ts';
import type { FetchedObject, ListedObject, ListedVersion } from '../../mount/ports.ts';

/** The value of each kind of request. */
export interface KnownValues {
  readonly read: FetchedObject;
  readonly 'list the versions of': readonly ListedVersion[];
  readonly list: readonly ListedObject[];
}

/** A kind of request. */
export type Operation = keyof KnownValues;

/** A request of one principal. A kept value answers exactly this request and no other. */
export interface KnownRequest<O extends Operation = Operation> {
  /** See `principalKey`: a digest, the same in each process. */
  readonly principal: string;
  /** The origin of the vault, such as `https://kv-demo.vault.azure.net`. */
  readonly vaultUrl: string;
  readonly operation: O;
  readonly type: ObjectType;
  /** `ALL_OBJECTS` for the listing of all objects of the type. */
  readonly name: string;
  /** The version that was asked for; empty: the current one. */
  readonly version: string;
}
