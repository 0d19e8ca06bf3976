/**
 * The two clocks of a node, and time limits that use both. All code that reads the time or limits a duration uses this
 * file.
 *
 * The wall clock gives dates and can be set at any time, in both directions. The steady clock measures durations: it
 * never goes back, and on Linux it stands still while the machine is suspended. Their readings have different types, so
 * that one is not used in place of the other.
 */

declare const steady: unique symbol;

/** A reading of the steady clock. Only the functions below can compute with it. */
export interface SteadyTime {
  readonly [steady]: true;
}

/** A source of time; tests use one that they move. */
export interface Clock {
  /** Milliseconds since 1970, for comparison with dates from outside, such as those of certificates and tokens. */
  wall(): number;
  /** For measuring: {@link msSince}, {@link later}, {@link Lifetime}. */
  steady(): SteadyTime;
}

/** The longest time that a timer of Node holds. */
export const MAX_TIMER_MS = 0x7fff_ffff;

/** A clock that gives dates only. */
export type WallClock = Pick<Clock, 'wall'>;

/** The clocks of the machine. */
export const systemClock: Clock = { wall: () => Date.now(), steady: () => steadyTime(performance.now()) };

/** Makes a reading from milliseconds since any fixed start. Only implementations of {@link Clock} call it. */
export function steadyTime(ms: number): SteadyTime {
  return ms as unknown as SteadyTime;
}

/** Milliseconds since an earlier reading. */
export function msSince(clock: Pick<Clock, 'steady'>, time: SteadyTime): number {
  return numberOf(clock.steady()) - numberOf(time);
}

/** Milliseconds until a later reading; negative if it has passed. */
export function msUntil(clock: Pick<Clock, 'steady'>, time: SteadyTime): number {
  return numberOf(time) - numberOf(clock.steady());
}

/** The reading that comes `ms` milliseconds after `time`. */
export function later(time: SteadyTime, ms: number): SteadyTime {
  return steadyTime(numberOf(time) + ms);
}

/**
 * A duration with an end, such as the time for which a value is served or a pause is kept. It begins with its
 * construction, and is over as soon as either clock says that it has passed. Neither a wall clock that is set back nor
 * a suspended machine, whose steady clock stands still, prolongs it. A wall clock that is set forward ends it early.
 */
export class Lifetime {
  readonly #clock: Clock;
  readonly #ms: number;
  readonly #steadyStart: SteadyTime;
  readonly #wallStart: number;

  constructor(clock: Clock, ms: number) {
    this.#clock = clock;
    this.#ms = ms;
    this.#steadyStart = clock.steady();
    this.#wallStart = clock.wall();
  }

  /** Milliseconds until the end; 0 when it is over. */
  get leftMs(): number {
    const passed = Math.max(msSince(this.#clock, this.#steadyStart), this.#clock.wall() - this.#wallStart);
    return Math.max(0, this.#ms - passed);
  }

  get over(): boolean {
    return this.leftMs <= 0;
  }
}

function numberOf(time: SteadyTime): number {
  return time as unknown as number;
}
