import type { Clock } from '../base/clock.ts';

/** Requests to one vault at the same time. */
const MAX_CONCURRENT = 32;
/** First pause after a 429 without `Retry-After`; doubles with each further one. */
const BASE_PAUSE_MS = 500;
const MAX_PAUSE_MS = 20_000;

interface Waiter {
  readonly start: () => void;
}

/**
 * The way into one vault, shared by all Mounts of the node: a bounded number of requests at a time, fair turns between
 * Mounts, and one common pause when the vault says that it is too much. After a pause requests start slowly again.
 */
export class VaultGate {
  readonly #clock: Clock;
  readonly #random: () => number;
  /** Waiting requests by Mount; Mounts take turns in the order of this map. */
  readonly #queues = new Map<number, Waiter[]>();
  #running = 0;
  #limit = MAX_CONCURRENT;
  #pausedUntil = 0;
  #strikes = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(clock: Clock, random: () => number = Math.random) {
    this.#clock = clock;
    this.#random = random;
  }

  /** Milliseconds until requests may start again; 0 where there is no pause. */
  get pauseMs(): number {
    return Math.max(0, this.#pausedUntil - this.#clock.now());
  }

  /** Nothing runs, waits or pauses. */
  get idle(): boolean {
    return this.#running === 0 && this.#queues.size === 0 && this.pauseMs === 0;
  }

  /** Runs `work` when it is this Mount's turn. Rejects with the signal's reason if that aborts before. */
  async pass<T>(mountId: number, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    await this.#turn(mountId, signal);
    try {
      return await work();
    } finally {
      this.#running--;
      this.#next();
    }
  }

  /** A request went well: after a pause the way widens with each. */
  succeeded(): void {
    this.#strikes = 0;
    if (this.#limit < MAX_CONCURRENT) this.#limit = Math.min(MAX_CONCURRENT, this.#limit * 2);
  }

  /**
   * The vault asked to wait: nobody starts before `retryAfterMs` (or, without it, a growing pause) is over.
   * Answers that were under way when the pause began do not lengthen it.
   */
  throttled(retryAfterMs: number | undefined): void {
    const now = this.#clock.now();
    if (this.#pausedUntil > now && retryAfterMs === undefined) return;
    const exponential = Math.min(MAX_PAUSE_MS, BASE_PAUSE_MS * 2 ** this.#strikes);
    const pauseMs = retryAfterMs ?? exponential * (0.75 + this.#random() / 2);
    this.#strikes++;
    this.#limit = 1;
    this.#pausedUntil = Math.max(this.#pausedUntil, now + pauseMs);
  }

  #turn(mountId: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(signal.reason);
        return;
      }
      const waiter: Waiter = {
        start: () => {
          signal.removeEventListener('abort', abort);
          this.#running++;
          resolve();
        },
      };
      const abort = () => {
        this.#forget(mountId, waiter);
        reject(signal.reason);
      };
      signal.addEventListener('abort', abort, { once: true });
      const queue = this.#queues.get(mountId);
      if (queue === undefined) this.#queues.set(mountId, [waiter]);
      else queue.push(waiter);
      this.#next();
    });
  }

  #forget(mountId: number, waiter: Waiter): void {
    const queue = this.#queues.get(mountId)?.filter((other) => other !== waiter) ?? [];
    if (queue.length === 0) this.#queues.delete(mountId);
    else this.#queues.set(mountId, queue);
  }

  #next(): void {
    while (this.#running < this.#limit) {
      const turn = this.#queues.entries().next().value;
      if (turn === undefined) return;
      const pauseMs = this.pauseMs;
      if (pauseMs > 0) {
        this.#wake(pauseMs);
        return;
      }
      const [mountId, queue] = turn;
      const waiter = queue.shift();
      this.#queues.delete(mountId);
      if (queue.length > 0) this.#queues.set(mountId, queue);
      waiter?.start();
    }
  }

  #wake(afterMs: number): void {
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#next();
    }, afterMs);
  }
}
