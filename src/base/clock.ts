/**
 * The two clocks of a node, and what is measured by which. Everything that lasts for some time takes its time from here.
 *
 * The wall clock names dates and can be set at any time, in both directions. The steady clock measures: it never goes
 * back, and on Linux it stands still while the machine is suspended. Their readings have different types, so that the
 * one cannot take the place of the other.
 */

declare const steady: unique symbol;

/** A reading of the steady clock. It is no number to anybody but the functions below. */
export interface SteadyTime {
  readonly [steady]: true;
}

/** Where the time comes from. */
export interface Clock {
  /** Milliseconds since 1970: for comparing with dates that others wrote, such as those of certificates and tokens. */
  wall(): number;
  /** For measuring: {@link msSince}, {@link later}, {@link Lifetime}. */
  steady(): SteadyTime;
}

/** The clock of dates alone. */
export type WallClock = Pick<Clock, 'wall'>;

/** The clocks of the machine. */
export const systemClock: Clock = { wall: () => Date.now(), steady: () => steadyTime(performance.now()) };

/** The reading of a steady clock that shows `ms` milliseconds since some start; for those who make a clock. */
export function steadyTime(ms: number): SteadyTime {
  return ms as unknown as SteadyTime;
}

/** Milliseconds since an earlier reading. */
export function msSince(clock: Pick<Clock, 'steady'>, time: SteadyTime): number {
  return numberOf(clock.steady()) - numberOf(time);
}

/** Milliseconds until a reading that is to come; negative where it has been. */
export function msUntil(clock: Pick<Clock, 'steady'>, time: SteadyTime): number {
  return numberOf(time) - numberOf(clock.steady());
}

/** The reading that comes `ms` milliseconds after `time`. */
export function later(time: SteadyTime, ms: number): SteadyTime {
  return steadyTime(numberOf(time) + ms);
}

/**
 * A time that ends: how long a value is served, a token is used, a pause is kept. It begins when it is made, and is over
 * as soon as either clock says that it has passed. So a wall clock that is set back prolongs nothing, and a suspended
 * machine, whose steady clock stood still, does not either. A wall clock that is set forward ends it early.
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

  /** Milliseconds until the end; 0 once it is over. */
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
