import { type Clock, Lifetime } from '../base/clock.ts';
import { RecentlyUsed } from '../base/recently-used.ts';
import { Secret } from '../base/secret.ts';

/** Bytes of values kept at most. */
const MAX_BYTES = 3 * 1024 * 1024;
/** Part of its life by which an entry may die early, so that what was read together is not read again together. */
const JITTER = 0.1;

interface Entry<T> {
  readonly value: Secret<T>;
  readonly life: Lifetime;
}

/** Keeps what was read for a short time, bounded by bytes; the entry unused for longest goes first. */
export class ValueCache<T> {
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #entries = new RecentlyUsed<Entry<T>>({ bytes: MAX_BYTES });

  constructor(clock: Clock, random: () => number = Math.random) {
    this.#clock = clock;
    this.#random = random;
  }

  get(key: string): T | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    if (!entry.life.over) return entry.value.reveal();
    this.#entries.delete(key);
    return undefined;
  }

  /** Keeps a value of `bytes` size for `ttlMs` at most; 0 keeps nothing. */
  set(key: string, value: T, { ttlMs, bytes }: { readonly ttlMs: number; readonly bytes: number }): void {
    this.#entries.delete(key);
    if (ttlMs <= 0 || bytes > MAX_BYTES / 8) return;
    const life = new Lifetime(this.#clock, ttlMs * (1 - JITTER * this.#random()));
    this.#entries.set(key, { value: new Secret(value), life }, bytes);
  }

  /** Drops what is past its time; called now and then so that secrets do not outlive it in memory. */
  sweep(): void {
    for (const [key, { life }] of this.#entries) if (life.over) this.#entries.delete(key);
  }
}
