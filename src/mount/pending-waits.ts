import { type Clock, msSince, type SteadyTime } from '../base/clock.ts';
import type { Phase } from '../base/phases.ts';

/** Something a Mount waits for. */
export interface Wait {
  readonly phase: Phase;
  readonly host: string;
  /** What is known about the wait when it is asked for; empty: nothing. */
  readonly state?: () => string;
}

/** Keeps what a Mount waits for at the moment, so that a timeout can say what took the time. */
export class Progress {
  readonly #clock: Clock;
  readonly #waits = new Map<symbol, Wait & { readonly since: SteadyTime }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The result of `work`, noted as waited for until it settles. */
  async during<T>(wait: Wait, work: Promise<T>): Promise<T> {
    const key = Symbol(wait.phase);
    this.#waits.set(key, { ...wait, since: this.#clock.steady() });
    try {
      return await work;
    } finally {
      this.#waits.delete(key);
    }
  }

  /** What is waited for, longest first, with the milliseconds it took so far; one entry a phase and host. */
  current(): readonly (Wait & { readonly elapsedMs: number })[] {
    const oldest = new Map<string, Wait & { elapsedMs: number }>();
    for (const { since, ...wait } of this.#waits.values()) {
      const key = `${wait.phase} ${wait.host}`;
      const elapsedMs = msSince(this.#clock, since);
      if (elapsedMs >= (oldest.get(key)?.elapsedMs ?? 0)) oldest.set(key, { ...wait, elapsedMs });
    }
    return [...oldest.values()].sort((a, b) => b.elapsedMs - a.elapsedMs);
  }
}
