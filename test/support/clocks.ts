import { type Clock, steadyTime } from '../../src/base/clock.ts';

/** Clocks that stand still until they are moved. */
export interface HandClock extends Clock {
  /** What the steady clock shows, and the wall clock if nobody has set that. */
  time: number;
  /** By how much the wall clock has been set forward, in milliseconds; negative: back. */
  offBy: number;
}

export function handClock(time = 1_700_000_000_000): HandClock {
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

/** A clock whose two readings follow one function, which shows milliseconds since 1970. */
export function clockOf(now: () => number): Clock {
  return { wall: now, steady: () => steadyTime(now()) };
}
