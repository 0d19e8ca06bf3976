/**
 * Drops what has expired from all caches of the process, so that it leaves memory on an idle node too. The code that
 * puts the provider together makes one sweeper and calls it at an interval; caches register themselves.
 */

import type { Clock } from './clock.ts';

/** A cache that a {@link Sweeper} sweeps. */
export interface Sweepable {
  /** Drops expired entries. */
  sweep(): void;
  /** The number of entries, including expired ones that no sweep has dropped yet. */
  readonly size: number;
}

/** Drops expired entries from the caches that are registered with it. It has no timer: its owner calls `sweep`. */
export class Sweeper {
  /** The clock by which entries expire. */
  readonly clock: Clock;
  readonly #caches: Sweepable[] = [];

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Registers a cache, for the life of the process. */
  add(cache: Sweepable): void {
    this.#caches.push(cache);
  }

  /** Drops expired entries. Returns their number. */
  sweep(): number {
    const before = this.size;
    for (const cache of this.#caches) cache.sweep();
    return before - this.size;
  }

  /** The number of entries in all caches. It includes expired entries that no sweep has dropped yet. */
  get size(): number {
    return this.#caches.reduce((sum, { size }) => sum + size, 0);
  }
}
