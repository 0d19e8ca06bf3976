/**
 * Tracks which hosts a Mount waits for. The vault reader notes each wait, and the error of an expired deadline names
 * them.
 */

import { type Clock, msSince, type SteadyTime } from '../base/clock.ts';
import type { Phase } from '../base/phases.ts';

/** A host that a Mount waits for. */
export interface Wait {
  readonly phase: Phase;
  readonly host: string;
  /** Returns what is known about the wait; empty if nothing is. */
  readonly state?: () => string;
}

/** The current waits of one Mount. */
export class Progress {
  readonly #clock: Clock;
  readonly #waits = new Set<{ readonly wait: Wait; readonly since: SteadyTime }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Returns the result of `work`, with a wait that ends when it settles. Throws: the errors of `work`. */
  async during<T>(wait: Wait, work: Promise<T>): Promise<T> {
    const begun = { wait, since: this.#clock.steady() };
    this.#waits.add(begun);
    try {
      return await work;
    } finally {
      this.#waits.delete(begun);
    }
  }

  /** Returns the current waits, longest first, with their milliseconds so far; one entry for each phase and host. */
  current(): readonly (Wait & { readonly elapsedMs: number })[] {
    const oldest = new Map<string, Wait & { elapsedMs: number }>();
    for (const { since, wait } of this.#waits) {
      const key = `${wait.phase} ${wait.host}`;
      const elapsedMs = msSince(this.#clock, since);
      if (elapsedMs >= (oldest.get(key)?.elapsedMs ?? 0)) oldest.set(key, { ...wait, elapsedMs });
    }
    return [...oldest.values()].sort((a, b) => b.elapsedMs - a.elapsedMs);
  }
}
