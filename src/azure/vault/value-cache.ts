import { type Clock, Lifetime } from '../../base/clock.ts';
import { Secret } from '../../base/secret.ts';

/** Bytes of values kept at most. */
const MAX_BYTES = 3 * 1024 * 1024;
/** Part of its life by which an entry may die early, so that what was read together is not read again together. */
const JITTER = 0.1;

/** How a value is kept. */
export interface Keeping {
  /** Whose value it is: when there is no room left, who holds most gives way. */
  readonly owner: string;
  /** How long at most, in milliseconds; 0: not at all. */
  readonly ttlMs: number;
  readonly bytes: number;
}

interface Entry<T> {
  readonly value: Secret<T>;
  readonly life: Lifetime;
  readonly bytes: number;
  readonly owner: string;
}

/** What one owner holds; the key unused for longest comes first. */
interface Holding {
  readonly keys: Set<string>;
  bytes: number;
}

/**
 * Keeps what was read for a short time, bounded by bytes. Where it is full, the owner that holds most loses what it has
 * not used for longest: nobody pushes out what others hold of their share.
 */
export class ValueCache<T> {
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #entries = new Map<string, Entry<T>>();
  readonly #holdings = new Map<string, Holding>();
  #bytes = 0;

  constructor(clock: Clock, random: () => number = Math.random) {
    this.#clock = clock;
    this.#random = random;
  }

  get(key: string): T | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    if (entry.life.over) {
      this.#drop(key);
      return undefined;
    }
    const keys = this.#holdings.get(entry.owner)?.keys;
    keys?.delete(key);
    keys?.add(key);
    return entry.value.reveal();
  }

  /** Keeps a value in place of an earlier one. */
  set(key: string, value: T, { owner, ttlMs, bytes }: Keeping): void {
    this.#drop(key);
    if (ttlMs <= 0 || bytes > MAX_BYTES / 8) return;
    const life = new Lifetime(this.#clock, ttlMs * (1 - JITTER * this.#random()));
    this.#entries.set(key, { value: new Secret(value), life, bytes, owner });
    const holding = this.#holdings.get(owner) ?? { keys: new Set(), bytes: 0 };
    this.#holdings.set(owner, holding);
    holding.keys.add(key);
    holding.bytes += bytes;
    this.#bytes += bytes;
    while (this.#bytes > MAX_BYTES) this.#makeRoom();
  }

  /** Drops what is past its time; called now and then so that secrets do not outlive it in memory. */
  sweep(): void {
    for (const [key, { life }] of this.#entries) if (life.over) this.#drop(key);
  }

  #makeRoom(): void {
    let largest: Holding | undefined;
    for (const holding of this.#holdings.values()) if (holding.bytes > (largest?.bytes ?? 0)) largest = holding;
    for (const oldest of largest?.keys ?? []) {
      this.#drop(oldest);
      return;
    }
  }

  #drop(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#bytes -= entry.bytes;
    const holding = this.#holdings.get(entry.owner);
    if (holding === undefined) return;
    holding.keys.delete(key);
    holding.bytes -= entry.bytes;
    if (holding.keys.size === 0) this.#holdings.delete(entry.owner);
  }
}
