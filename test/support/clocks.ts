import { type Clock, steadyTime } from '../../src/base/clock.ts';

/** Clocks that stand still until a test moves them. */
export interface ManualClock extends Clock {
  /** Time of the steady clock, and of the wall clock unless it is set. */
  time: number;
  /** Offset of the wall clock in milliseconds. Negative if the clock was set back. */
  offBy: number;
}

export function manualClock(time = 1_700_000_000_000): ManualClock {
  return {
    time,
    offBy: 0,
    wall() {
      return this.time + this.offBy;
    },
    steady() {
      return steadyTime(this.time);
    },
  };
}

/** Returns a clock whose two readings are the result of `now`, in milliseconds since 1970. */
export function clockOf(now: () => number): Clock {
  return { wall: now, steady: () => steadyTime(now()) };
}
