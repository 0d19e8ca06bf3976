/**
 * The bounded cache that all parts of the provider use: by entries, bytes, time to live, idle time and shares of
 * owners. If its entries expire, the cache registers with a sweeper, so that secrets also leave the memory of an idle
 * node. Values that are too large for the cache are not kept.
 */

import { Lifetime } from './clock.ts';
import type { Sweepable, Sweeper } from './sweeper.ts';

/** Bounds of a {@link Cache}; a bound that is absent does not apply. */
export interface CacheLimits<V> {
  readonly entries?: number;
  /** Bytes of all entries together. */
  readonly bytes?: number;
  /** Bytes of one entry; a larger one is not kept. Default: `bytes`. */
  readonly entryBytes?: number;
  /** An entry expires when it was not used for this long. */
  readonly idleMs?: number;
  /** True for a value whose time is over, where that does not follow from the time when it was kept. */
  isOver?(value: V): boolean;
  /** Required for entries that expire. */
  readonly sweeper?: Sweeper;
}

/** Settings of one entry. */
export interface EntryOptions {
  /** Estimated size in memory. Default: 0. */
  readonly bytes?: number;
  /** The number of entries that the value counts as. Default: 1. */
  readonly count?: number;
  /** The value expires after this time, whether it is used or not; 0 or less: it is not kept. */
  readonly ttlMs?: number;
  /** The principal that is charged for the entry: when the cache is full, the owner that holds most loses an entry. */
  readonly owner?: string;
}

interface Entry<V> {
  /** The text that the map and the holding keep; an equal one of a caller would be a second copy. */
  readonly key: string;
  readonly value: V;
  readonly holding: Holding;
  readonly bytes: number;
  readonly count: number;
  readonly life: Lifetime | undefined;
  idle: Lifetime | undefined;
}

/** The entries of one owner. */
interface Holding {
  readonly owner: string;
  /** In the order of use, the least recently used first. */
  readonly keys: Set<string>;
  bytes: number;
  count: number;
}

/**
 * A bounded map. When it is full, the owner that holds most loses its least recently used entry; of owners that hold
 * equally much, the one that used the cache least recently. Without owners, that is the least recently used entry of all.
 * An expired entry is never returned.
 */
export class Cache<V> implements Sweepable {
  readonly #limits: CacheLimits<V>;
  readonly #entries = new Map<string, Entry<V>>();
  readonly #holdings = new Map<string, Holding>();
  /** The owner that used the cache last. */
  #newest: Holding | undefined;
  #bytes = 0;
  #count = 0;

  constructor(limits: CacheLimits<V>) {
    this.#limits = limits;
    limits.sweeper?.add(this);
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Returns the value. The entry counts as used now. */
  get(key: string): V | undefined {
    const entry = this.#live(key);
    if (entry === undefined) return undefined;
    const { holding } = entry;
    if (holding.keys.size > 1) {
      holding.keys.delete(entry.key);
      holding.keys.add(entry.key);
    }
    this.#touch(holding);
    entry.idle = this.#lifetime(this.#limits.idleMs);
    return entry.value;
  }

  /** Returns the value. The entry keeps its place in the order of use, and its idle time. */
  peek(key: string): V | undefined {
    return this.#live(key)?.value;
  }

  /**
   * Returns the milliseconds until an unused entry expires: `Infinity` if it does not expire, 0 if there is no entry.
   */
  leftMs(key: string): number {
    const entry = this.#live(key);
    return entry === undefined ? 0 : Math.min(entry.life?.leftMs ?? Infinity, entry.idle?.leftMs ?? Infinity);
  }

  /** Keeps a value, as used now, and replaces an earlier one. A value that is too large is not kept. */
  set(key: string, value: V, { bytes = 0, count = 1, ttlMs, owner = '' }: EntryOptions = {}): void {
    this.delete(key);
    const { entries: maxCount = Infinity, bytes: maxBytes = Infinity, entryBytes = maxBytes, idleMs } = this.#limits;
    if (bytes > entryBytes || count > maxCount || (ttlMs !== undefined && ttlMs <= 0)) return;
    const holding = this.#holdings.get(owner) ?? { owner, keys: new Set(), bytes: 0, count: 0 };
    this.#touch(holding);
    const [life, idle] = [this.#lifetime(ttlMs), this.#lifetime(idleMs)];
    this.#entries.set(key, { key, value, holding, bytes, count, life, idle });
    holding.keys.add(key);
    this.#charge(holding, bytes, count);
    while (this.#bytes > maxBytes) this.#makeRoom('bytes');
    while (this.#count > maxCount) this.#makeRoom('count');
  }

  delete(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    const { holding, bytes, count } = entry;
    this.#entries.delete(key);
    holding.keys.delete(key);
    this.#charge(holding, -bytes, -count);
    if (holding.keys.size === 0) this.#holdings.delete(holding.owner);
  }

  sweep(): void {
    for (const key of this.#entries.keys()) this.#live(key);
  }

  /** The entries that have not expired, owner by owner, the least recently used first. */
  *[Symbol.iterator](): IterableIterator<readonly [string, V]> {
    for (const { keys } of this.#holdings.values()) {
      for (const key of keys) {
        const entry = this.#live(key);
        if (entry !== undefined) yield [key, entry.value];
      }
    }
  }

  /** The entry under `key`; an expired one is dropped. */
  #live(key: string): Entry<V> | undefined {
    const entry = this.#entries.get(key);
    const { isOver } = this.#limits;
    if (entry === undefined) return undefined;
    if (entry.life?.over !== true && entry.idle?.over !== true && isOver?.(entry.value) !== true) return entry;
    this.delete(key);
    return undefined;
  }

  #lifetime(ms: number | undefined): Lifetime | undefined {
    if (ms === undefined) return undefined;
    if (this.#limits.sweeper === undefined) throw new Error('a cache without sweeper keeps nothing for a limited time');
    return new Lifetime(this.#limits.sweeper.clock, ms);
  }

  #charge(holding: Holding, bytes: number, count: number): void {
    holding.bytes += bytes;
    holding.count += count;
    this.#bytes += bytes;
    this.#count += count;
  }

  /** Puts the owner last among those that hold equally much. */
  #touch(holding: Holding): void {
    if (this.#newest === holding) return;
    this.#newest = holding;
    this.#holdings.delete(holding.owner);
    this.#holdings.set(holding.owner, holding);
  }

  #makeRoom(by: 'bytes' | 'count'): void {
    let [largest, most]: [Holding | undefined, number] = [undefined, 0];
    for (const holding of this.#holdings.values()) {
      const held = holding[by];
      if (held > most) [largest, most] = [holding, held];
    }
    const oldest = largest?.keys.values().next().value;
    if (oldest !== undefined) this.delete(oldest);
  }
}
