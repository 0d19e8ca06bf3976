import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Lifetime, later, msSince, msUntil, systemClock } from '../../src/base/clock.ts';
import { manualClock } from '../support/clocks.ts';

const HOUR = 3_600_000;

describe('a reading of the steady clock', () => {
  it('measures what has passed and what is to come, however the wall clock is set', () => {
    const clock = manualClock();
    const start = clock.steady();
    clock.offBy = -HOUR;
    clock.time += 500;
    expect([msSince(clock, start), msUntil(clock, later(start, 700))]).toEqual([500, 200]);
  });

  it('of the machine does not follow the date', () => {
    const { now } = Date;
    const start = systemClock.steady();
    try {
      Date.now = () => now() - HOUR;
      expect(msSince(systemClock, start)).toBeGreaterThanOrEqual(0);
    } finally {
      Date.now = now;
    }
  });
});

describe('a lifetime', () => {
  it.each([
    ['not before its time has passed', 0, 999, false],
    ['when its time has passed', 0, 1000, true],
    ['when its time has passed, though the wall clock was set back', -HOUR, 1000, true],
    ['at once where the wall clock says so, as after a suspended machine wakes up', HOUR, 0, true],
  ])('is over %s', (_, offBy, passed, over) => {
    const clock = manualClock();
    const life = new Lifetime(clock, 1000);
    clock.offBy = offBy;
    clock.time += passed;
    expect(life.over).toBe(over);
  });

  it('has no more left than its length less what has really passed, whatever is done to the wall clock', () => {
    const step = fc.record({ passes: fc.nat(500), offBy: fc.integer({ min: -2 * HOUR, max: 2 * HOUR }) });
    fc.assert(
      fc.property(fc.nat(2000), fc.array(step, { maxLength: 20 }), (ms, steps) => {
        const clock = manualClock();
        const life = new Lifetime(clock, ms);
        let passed = 0;
        for (const { passes, offBy } of steps) {
          clock.time += passes;
          clock.offBy = offBy;
          passed += passes;
          expect(life.leftMs).toBeLessThanOrEqual(Math.max(0, ms - passed));
          expect(life.over).toBe(passed >= ms || passed + offBy >= ms);
        }
      }),
    );
  });
});
