/**
 * Keeps the values that a vault delivered, by principal, for the time in which the vault does not answer. The vault
 * reader keeps and erases values here, and finds them if a read fails. Refuses values that are older than the operator
 * allows.
 */

import { Cache } from '../../base/cache.ts';
import { type Clock, later, msSince, type SteadyTime } from '../../base/clock.ts';
import type { Sweeper } from '../../base/sweeper.ts';
import type { KnownRequest, KnownValues, Operation } from './known-request.ts';
import { KnownTraces } from './known-traces.ts';
import { bytesOfListing, bytesOfObject } from './vault-json.ts';

/** Bytes of values kept at most; one value may have an eighth of it. */
const MAX_BYTES = 8 * 1024 * 1024;
/** Estimated memory of an entry besides its value: key, request and times. */
const ENTRY_BYTES = 500;

/** A value that is kept, with its age. Ages are relative, since the clock that measures them ends with the process. */
export interface KnownEntry<O extends Operation = Operation> extends KnownRequest<O> {
  readonly value: KnownValues[O];
  /** Milliseconds since the vault last gave the value. */
  readonly ageMs: number;
  /** Milliseconds since the vault first gave the value, with no other one in between; at least `ageMs`. */
  readonly heldMs: number;
}

/** Receives what is kept and erased. An example is a store on disk. Returns at once, and never throws. */
export interface KnownWitness {
  kept(entry: KnownEntry): void;
  /** Records that the vault refused the request: the value must not be served again, not even after a restart. */
  erased(request: KnownRequest): void;
}

/** A value with its times. */
export interface Known<T> {
  readonly value: T;
  /** The last time when the vault gave or confirmed it. */
  readonly readAt: SteadyTime;
  /** The last time when the vault gave it, which proves that the principal may read it. */
  readonly givenAt: SteadyTime;
  /** The first time when the vault gave it, with no other value in between. */
  readonly since: SteadyTime;
}

/** Settings of {@link LastKnownGood}. */
export interface LastKnownGoodOptions {
  readonly sweeper: Sweeper;
  /** How old a value may be, in milliseconds; 0: nothing is kept. */
  readonly maxStaleMs: number;
  readonly witness?: KnownWitness;
  /** Default: 8 MiB. */
  readonly maxBytes?: number | undefined;
}

/**
 * The last value that each request got from its vault. Ages follow the steady clock alone: a wall clock that is set
 * changes nothing. When the memory is full, the principal with the most bytes loses its least recently used value.
 */
export class LastKnownGood {
  /** See {@link LastKnownGoodOptions}. */
  readonly maxStaleMs: number;
  readonly #clock: Clock;
  readonly #witness: KnownWitness | undefined;
  readonly #cache: Cache<Known<KnownValues[Operation]>>;
  readonly #traces: KnownTraces;

  constructor({ sweeper, maxStaleMs, witness, maxBytes = MAX_BYTES }: LastKnownGoodOptions) {
    this.#clock = sweeper.clock;
    this.maxStaleMs = maxStaleMs;
    this.#witness = witness;
    const isOver = ({ readAt }: Known<KnownValues[Operation]>) => msSince(sweeper.clock, readAt) >= maxStaleMs;
    this.#cache = new Cache({ bytes: maxBytes, entryBytes: maxBytes / 8, isOver, sweeper });
    this.#traces = new KnownTraces(sweeper.clock);
  }

  /** Keeps what the vault answered now, in place of an earlier value. */
  keep<O extends Operation>(request: KnownRequest<O>, value: KnownValues[O]): void {
    if (this.maxStaleMs <= 0) return;
    const now = this.#clock.steady();
    const key = keyOf(request);
    const before = this.#cache.get(key);
    const since = before !== undefined && sameValue(before.value, value) ? before.since : now;
    this.#set(request, key, { value, readAt: now, givenAt: now, since });
    const heldMs = msSince(this.#clock, since);
    this.#witness?.kept({ ...requestOf(request), value, ageMs: 0, heldMs });
  }

  /** Records that the vault confirmed a value that is kept, without sending it: at `at`, unless it was given later. */
  confirm<O extends Operation>(request: KnownRequest<O>, at: SteadyTime): void {
    const key = keyOf(request);
    const known = this.#cache.get(key);
    if (known === undefined || msSince(this.#clock, known.readAt) <= msSince(this.#clock, at)) return;
    this.#set(request, key, { ...known, readAt: at });
    const [ageMs, heldMs] = [msSince(this.#clock, at), msSince(this.#clock, known.since)];
    this.#witness?.kept({ ...requestOf(request), value: known.value, ageMs, heldMs });
  }

  /** Loads an entry of an earlier process. It is ignored if a newer value was kept since, or if it is too old. */
  load<O extends Operation>(entry: KnownEntry<O>): void {
    const key = keyOf(entry);
    if (entry.ageMs >= this.maxStaleMs || this.#cache.get(key) !== undefined) return;
    const now = this.#clock.steady();
    const heldMs = Math.max(entry.heldMs, entry.ageMs);
    const since = later(now, -heldMs);
    // The store does not say when the vault gave the value itself.
    this.#set(entry, key, { value: entry.value, readAt: later(now, -entry.ageMs), givenAt: since, since });
  }

  /** Returns the last value, if it is not too old. */
  find<O extends Operation>(request: KnownRequest<O>): Known<KnownValues[O]> | undefined {
    // The key holds the operation, which decides on the type.
    return this.#cache.get(keyOf(request)) as Known<KnownValues[O]> | undefined;
  }

  /**
   * Returns why no value is served for a request of a Mount that takes none older than `maxAgeMs` milliseconds, in words
   * that follow an error; undefined where last known values are off.
   */
  whyNot(request: KnownRequest, maxAgeMs: number): string | undefined {
    const { maxStaleMs } = this;
    return maxStaleMs <= 0 ? undefined : this.#traces.whyNot(request, { maxStaleMs, maxAgeMs });
  }

  /** Forgets the value of a request that the vault refused. */
  erase(request: KnownRequest): void {
    this.#cache.delete(keyOf(request));
    this.#traces.erase(request);
    if (this.maxStaleMs > 0) this.#witness?.erased(requestOf(request));
  }

  #set(request: KnownRequest, key: string, known: Known<KnownValues[Operation]>): void {
    const bytes = ENTRY_BYTES + bytesOf(known.value);
    this.#cache.set(key, known, { owner: request.principal, bytes });
    this.#traces.add(request, known.readAt);
  }
}

function requestOf<O extends Operation>(request: KnownRequest<O>): KnownRequest<O> {
  const { principal, vaultUrl, operation, type, name, version } = request;
  return { principal, vaultUrl, operation, type, name, version };
}

function keyOf({ principal, vaultUrl, operation, type, name, version }: KnownRequest): string {
  return JSON.stringify([principal, vaultUrl, operation, type, name, version]);
}

function bytesOf(value: KnownValues[Operation]): number {
  return 'type' in value ? bytesOfObject(value) : bytesOfListing(value);
}

/** Returns true if two answers are the same version of an object, or the same listing. */
function sameValue(one: KnownValues[Operation], other: KnownValues[Operation]): boolean {
  if ('type' in one && 'type' in other) return one.version === other.version;
  return JSON.stringify(one) === JSON.stringify(other);
}
