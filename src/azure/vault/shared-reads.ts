/**
 * Shares the reads of one kind: equal reads share one in progress, and values in memory answer repeated reads for a
 * short time. The vault reader looks here before it asks the vault. Only successes are kept.
 */

import { Cache } from '../../base/cache.ts';
import { type Clock, msSince, type SteadyTime } from '../../base/clock.ts';
import { SingleFlight } from '../../base/single-flight.ts';
import type { Sweeper } from '../../base/sweeper.ts';

/** Bytes of values kept at most; one value may have an eighth of it. */
const MAX_BYTES = 3 * 1024 * 1024;
/**
 * The largest part of its time by which a value expires early, so that values that were read together are not read
 * again together.
 */
const JITTER = 0.1;

/** How the answer to a read is kept. */
export interface ReadKeeping {
  /** The principal that is charged for the memory. */
  readonly owner: string;
  /** How long the value answers repeated reads, in milliseconds; 0: never. */
  readonly ttlMs: number;
}

/** A value, and when the vault gave it. */
interface Kept<T> {
  readonly value: T;
  readonly readAt: SteadyTime;
}

/** Options of {@link SharedReads}. */
export interface SharedReadsOptions {
  /** Default: 3 MiB. */
  readonly maxBytes?: number | undefined;
  /** Chooses by how much a time to live is shortened. */
  readonly random?: () => number;
}

/** The reads of one kind, in progress and in memory. */
export class SharedReads<T> {
  /** The reads in progress, by key. */
  readonly flights = new SingleFlight<T>();
  readonly #cache: Cache<Kept<T>>;
  readonly #clock: Clock;
  /** Estimates the memory of a value, in bytes. */
  readonly bytesOf: (value: T) => number;
  readonly #random: () => number;

  constructor(
    sweeper: Sweeper,
    bytesOf: (value: T) => number,
    { maxBytes = MAX_BYTES, random = Math.random }: SharedReadsOptions = {},
  ) {
    this.#clock = sweeper.clock;
    this.#cache = new Cache({ bytes: maxBytes, entryBytes: maxBytes / 8, sweeper });
    this.bytesOf = bytesOf;
    this.#random = random;
  }

  /** Returns the value that was read a moment ago, if it is younger than `maxAgeMs`. */
  find(key: string, maxAgeMs = Number.POSITIVE_INFINITY): T | undefined {
    const kept = this.#cache.get(key);
    return kept !== undefined && msSince(this.#clock, kept.readAt) < maxAgeMs ? kept.value : undefined;
  }

  /** Keeps a value that was read now, in place of an earlier one. */
  keep(key: string, value: T, { owner, ttlMs }: ReadKeeping): void {
    const lifeMs = ttlMs * (1 - JITTER * this.#random());
    this.#cache.set(key, { value, readAt: this.#clock.steady() }, { owner, ttlMs: lifeMs, bytes: this.bytesOf(value) });
  }
}
