import { Cache } from '../../base/cache.ts';
import { SingleFlight } from '../../base/single-flight.ts';
import type { Sweeper } from '../../base/sweeper.ts';
import { Party } from './gate.ts';

/** Bytes of values kept at most; one value may have an eighth of it. */
const MAX_BYTES = 3 * 1024 * 1024;
/** Part of its time by which a value may expire early, so that values read together are not read again together. */
const JITTER = 0.1;

/** How to read what is not there. */
export interface SharedRead<T> {
  readonly mountId: number;
  readonly signal: AbortSignal;
  /** Who is charged for the memory that the value takes. */
  readonly owner: string;
  /** How long the value answers repeats, in milliseconds; 0: never. */
  readonly ttlMs: number;
  /** Called when a read that is under way gets one more Mount that waits for it. */
  readonly join: (party: Party) => void;
  readonly read: (party: Party, signal: AbortSignal) => Promise<T>;
}

/** Equal reads are one while they are under way, and are answered from memory for a short time after that. */
export class SharedReads<T> {
  readonly #flights = new SingleFlight<T>();
  readonly #parties = new Map<string, Party>();
  readonly #cache: Cache<T>;
  readonly #bytesOf: (value: T) => number;

  readonly #random: () => number;

  constructor(sweeper: Sweeper, bytesOf: (value: T) => number, random: () => number = Math.random) {
    this.#cache = new Cache({ bytes: MAX_BYTES, entryBytes: MAX_BYTES / 8, sweeper });
    this.#bytesOf = bytesOf;
    this.#random = random;
  }

  /** What was read a moment ago. */
  kept(key: string): T | undefined {
    return this.#cache.get(key);
  }

  /** Whether a read is under way. */
  has(key: string): boolean {
    return this.#flights.has(key);
  }

  /** The Mounts that wait for a read under way. */
  party(key: string): Party | undefined {
    return this.#parties.get(key);
  }

  /** Joins the read under way, or starts it. Only successes are kept. */
  run(key: string, { mountId, signal, owner, ttlMs, join, read }: SharedRead<T>): Promise<T> {
    const party = this.#parties.get(key);
    if (party !== undefined) join(party);
    return this.#flights.run(key, signal, async (inner) => {
      const own = new Party(mountId);
      this.#parties.set(key, own);
      try {
        const value = await read(own, inner);
        const lifeMs = ttlMs * (1 - JITTER * this.#random());
        this.#cache.set(key, value, { owner, ttlMs: lifeMs, bytes: this.#bytesOf(value) });
        return value;
      } finally {
        if (this.#parties.get(key) === own) this.#parties.delete(key);
      }
    });
  }
}
