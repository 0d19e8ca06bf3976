import { type Clock, Lifetime } from '../../base/clock.ts';
import { ProviderError } from '../../base/errors.ts';
import { RecentlyUsed } from '../../base/recently-used.ts';
import { Secret } from '../../base/secret.ts';
import { SingleFlight } from '../../base/single-flight.ts';

/** How much a {@link Memo} keeps, and for how long. */
export interface MemoLimits<T> {
  readonly clock: Clock;
  /** Of all results together; one alone may have an eighth of it. */
  readonly maxBytes: number;
  /** A result is dropped when nobody asked for it for this long. */
  readonly idleMs: number;
  /** Estimated bytes of a result in memory. */
  readonly sizeOf: (result: T) => number;
}

const MAX_RESULTS = 2000;
/** What a result costs besides its own bytes: key, entry, wrappers. */
const OVERHEAD_BYTES = 512;
/**
 * Bad content stays bad, and a pod that fails is tried most often of all. Still a failure is kept for a short time only,
 * which use does not prolong: OpenSSL can fail for reasons that pass, such as memory.
 */
const FAILURE_MS = 60_000;

interface Kept<T> {
  readonly outcome: Secret<T> | ProviderError;
  /** Of a result until nobody has asked for it for too long, of a failure until the work is tried again. */
  life: Lifetime;
}

/**
 * Does the same work once: who asks at the same time shares it, and its result stays for those to come. Bounded by bytes
 * and number; the result unused for longest goes first.
 */
export class Memo<T> {
  readonly #limits: MemoLimits<T>;
  readonly #flights = new SingleFlight<T>();
  readonly #kept: RecentlyUsed<Kept<T>>;

  constructor(limits: MemoLimits<T>) {
    this.#limits = limits;
    this.#kept = new RecentlyUsed({ entries: MAX_RESULTS, bytes: limits.maxBytes });
  }

  /**
   * The result under `key`, made by `work` where there is none. Errors: those of `work`, of which ERR_BAD_CONTENT is
   * kept for a minute and no other; the signal's reason when it aborts, while `work` goes on for others who wait.
   */
  async once(key: string, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    this.dropIdle();
    const outcome = this.#take(key);
    if (outcome instanceof ProviderError) throw outcome;
    return outcome === undefined
      ? this.#flights.run(key, signal, (own) => this.#work(key, own, work))
      : outcome.reveal();
  }

  /** Drops what nobody asked for in its time; asking for anything does so too. */
  dropIdle(): void {
    for (const [key, { life }] of this.#kept) {
      if (!life.over) break;
      this.#kept.delete(key);
    }
  }

  async #work(key: string, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    try {
      const result = await work(signal);
      this.#keep(key, new Secret(result), this.#limits.sizeOf(result));
      return result;
    } catch (error) {
      const lasts = error instanceof ProviderError && error.code === 'ERR_BAD_CONTENT';
      if (lasts && !signal.aborted) this.#keep(key, error, error.message.length);
      throw error;
    }
  }

  #take(key: string): Kept<T>['outcome'] | undefined {
    const kept = this.#kept.peek(key);
    if (kept === undefined) return undefined;
    if (kept.life.over) {
      this.#kept.delete(key);
      return undefined;
    }
    if (kept.outcome instanceof ProviderError) return kept.outcome;
    kept.life = this.#lifeOf(kept.outcome);
    this.#kept.get(key);
    return kept.outcome;
  }

  #keep(key: string, outcome: Kept<T>['outcome'], ownBytes: number): void {
    const { maxBytes } = this.#limits;
    const bytes = ownBytes + OVERHEAD_BYTES;
    this.#kept.delete(key);
    if (bytes <= maxBytes / 8) this.#kept.set(key, { outcome, life: this.#lifeOf(outcome) }, bytes);
  }

  #lifeOf(outcome: Kept<T>['outcome']): Lifetime {
    const { clock, idleMs } = this.#limits;
    return new Lifetime(clock, outcome instanceof ProviderError ? FAILURE_MS : idleMs);
  }
}
