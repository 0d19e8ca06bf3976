import { abortable } from './abort.ts';

interface Flight<T> {
  readonly promise: Promise<T>;
  readonly controller: AbortController;
  waiting: number;
}

/** Runs the same work once for all who ask for it at the same time. */
export class SingleFlight<T> {
  readonly #flights = new Map<string, Flight<T>>();

  /** True while work under this key is under way. */
  has(key: string): boolean {
    return this.#flights.has(key);
  }

  /**
   * Joins the work under `key`, or starts it. Rejects when `signal` aborts; the work itself is aborted when nobody waits
   * for it any more.
   */
  async run(key: string, signal: AbortSignal, start: (signal: AbortSignal) => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    let flight = this.#flights.get(key);
    if (flight === undefined || flight.controller.signal.aborted) {
      const controller = new AbortController();
      const own: Flight<T> = {
        controller,
        waiting: 0,
        promise: start(controller.signal).finally(() => this.#land(key, own)),
      };
      own.promise.catch(() => {});
      flight = own;
      this.#flights.set(key, flight);
    }
    flight.waiting++;
    try {
      return await abortable(flight.promise, signal);
    } finally {
      // Of work that is done nothing is left to abort, and an abort is not cheap.
      if (--flight.waiting === 0 && this.#flights.get(key) === flight) flight.controller.abort();
    }
  }

  #land(key: string, flight: Flight<T>): void {
    if (this.#flights.get(key) === flight) this.#flights.delete(key);
  }
}
