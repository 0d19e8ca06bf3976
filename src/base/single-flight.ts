/**
 * Shares work: callers that need the same result at the same time wait for one piece of work. The token pool, the vault
 * reader and the result cache use it. It keeps no results.
 */

import { abortable } from './abort.ts';
import type { Span } from './trace.ts';

interface Work<T> {
  readonly promise: Promise<T>;
  readonly controller: AbortController;
  /** That of the caller who started it. */
  readonly span: Span | undefined;
  waiting: number;
}

/** One caller's share of the work under a key. */
export interface Flight<T> {
  /** The outcome of the work. Throws: the errors of the work. */
  readonly outcome: Promise<T>;
  /** The caller waits no longer; to be called once. The work is aborted when no caller waits for it any more. */
  readonly leave: () => void;
}

/** Runs the same work once for all callers that need it at the same time. */
export class SingleFlight<T> {
  readonly #running = new Map<string, Work<T>>();

  /** True while work under this key is running. */
  has(key: string): boolean {
    return this.#running.has(key);
  }

  /** Joins the work under `key`, or starts it at once. `span`: that of the caller, if it is traced. */
  join(key: string, start: (signal: AbortSignal) => Promise<T>, span?: Span): Flight<T> {
    let work = this.#running.get(key);
    if (work === undefined || work.controller.signal.aborted) {
      const controller = new AbortController();
      span?.lead(controller.signal);
      work = { controller, span, waiting: 0, promise: start(controller.signal) };
      this.#running.set(key, work);
      this.#forgetAfter(key, work);
    } else if (work.span !== undefined) span?.follow(work.span);
    const joined = work;
    joined.waiting++;
    return {
      outcome: joined.promise,
      leave: () => {
        // An abort costs time, and completed work needs none.
        if (--joined.waiting === 0 && this.#running.get(key) === joined) joined.controller.abort();
      },
    };
  }

  /**
   * Joins the work under `key`, or starts it, and waits for it.
   * Throws: the errors of the work; the reason of `signal` as soon as it aborts.
   */
  async run(key: string, signal: AbortSignal, start: (signal: AbortSignal) => Promise<T>, span?: Span): Promise<T> {
    signal.throwIfAborted();
    const { outcome, leave } = this.join(key, start, span);
    try {
      return await abortable(outcome, signal);
    } finally {
      leave();
    }
  }

  #forgetAfter(key: string, work: Work<T>): void {
    const land = () => {
      if (this.#running.get(key) === work) this.#running.delete(key);
    };
    work.promise.then(land, land);
  }
}
