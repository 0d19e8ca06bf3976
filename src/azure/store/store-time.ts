/**
 * The time of the sealed store, which goes on across restarts. The store dates its entries by it and finds out their age.
 * It never goes back: a wall clock that is set back prolongs no entry, and one that is set forward ends entries early.
 */

import { type Clock, msSince, type SteadyTime } from '../../base/clock.ts';

/** Smaller differences of the two clocks come from their different precision. */
const NOISE_MS = 1000;

/**
 * Milliseconds since 1970 as the store counts them: the wall clock where nobody sets it back. It begins at the wall clock
 * or at the latest time in the store, whichever is later. From there it advances with the steady clock, and by each jump
 * of the wall clock ahead of it.
 */
export class StoreTime {
  readonly #clock: Clock;
  readonly #steadyStart: SteadyTime;
  readonly #wallStart: number;
  #start: number;
  /** By how much the wall clock is ahead of the steady clock since the start; negative: behind. */
  #offset = 0;
  /** All jumps ahead. */
  #jumps = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#steadyStart = clock.steady();
    this.#wallStart = clock.wall();
    this.#start = this.#wallStart;
  }

  /** The store has an entry of this time: it is now at least as late. */
  passed(time: number): void {
    this.#start += Math.max(0, time - this.now());
  }

  now(): number {
    const steadyMs = msSince(this.#clock, this.#steadyStart);
    const offset = this.#clock.wall() - this.#wallStart - steadyMs;
    const jump = offset - this.#offset;
    if (Math.abs(jump) > NOISE_MS) {
      this.#offset = offset;
      this.#jumps += Math.max(0, jump);
    }
    return this.#start + steadyMs + this.#jumps;
  }

  /** By how much the wall clock was behind the latest time of the store when it was opened, in milliseconds. */
  get behindMs(): number {
    return this.#start - this.#wallStart;
  }
}
