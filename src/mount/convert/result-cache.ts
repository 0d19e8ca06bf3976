/**
 * Runs the same work once: Mounts that ask for a result at the same time share the work, and its result is kept for
 * later ones. `certificate-cache.ts` keeps in it what it makes of certificates. Failures are kept for a minute if the
 * content is bad. Other failures are not kept.
 */

import { Cache } from '../../base/cache.ts';
import { ProviderError } from '../../base/errors.ts';
import { SingleFlight } from '../../base/single-flight.ts';
import type { Sweeper } from '../../base/sweeper.ts';

/** How much a {@link ResultCache} keeps, and for how long. */
export interface ResultLimits<T> {
  /** Bytes of all results together; one result may have an eighth of it. */
  readonly maxBytes: number;
  /** A result is dropped if it was not used for this long. */
  readonly idleMs: number;
  /** Returns estimated bytes of a result in memory. */
  readonly sizeOf: (result: T) => number;
}

const MAX_RESULTS = 2000;
/** Estimated bytes of a result besides its own: key, entry, wrappers. */
const OVERHEAD_BYTES = 512;
/**
 * Bad content does not change, and a pod that fails is tried most often. A failure is nevertheless kept for a short
 * time only, which use does not prolong: OpenSSL can fail for temporary reasons, such as memory.
 */
const FAILURE_MS = 60_000;

type Outcome<T> = { readonly result: T } | { readonly error: ProviderError };

/** Work that is shared while it runs, and whose results are kept. Bounded by bytes and number. */
export class ResultCache<T> {
  readonly #sizeOf: (result: T) => number;
  readonly #flights = new SingleFlight<T>();
  readonly #kept: Cache<Outcome<T>>;

  constructor(sweeper: Sweeper, { maxBytes, idleMs, sizeOf }: ResultLimits<T>) {
    this.#sizeOf = sizeOf;
    this.#kept = new Cache({ entries: MAX_RESULTS, bytes: maxBytes, entryBytes: maxBytes / 8, idleMs, sweeper });
  }

  /**
   * Returns the result under `key`, made by `work` if there is none.
   * Throws: the errors of `work`, of which ERR_BAD_CONTENT is kept for a minute and no other; the signal's reason when
   * it aborts, while `work` continues for others who wait.
   */
  async once(key: string, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    const kept = this.#kept.get(key);
    if (kept === undefined) return this.#flights.run(key, signal, (own) => this.#run(key, own, work));
    if ('error' in kept) throw kept.error;
    return kept.result;
  }

  async #run(key: string, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    try {
      const result = await work(signal);
      this.#kept.set(key, { result }, { bytes: OVERHEAD_BYTES + this.#sizeOf(result) });
      return result;
    } catch (error) {
      const lasts = error instanceof ProviderError && error.code === 'ERR_BAD_CONTENT';
      if (lasts && !signal.aborted) {
        this.#kept.set(key, { error }, { bytes: OVERHEAD_BYTES + error.message.length, ttlMs: FAILURE_MS });
      }
      throw error;
    }
  }
}
