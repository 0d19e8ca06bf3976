/** Time that goes by with the turns of the event loop, for tests that must not depend on the speed of the machine. */
import { access } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import { afterAll, beforeAll, vi } from 'vitest';
import type { ManualClock } from './clocks.ts';

/** Waits for more turns of the event loop than a request on this machine needs. */
export async function turnsOfTheLoop(): Promise<void> {
  for (let turn = 0; turn < 500; turn++) await setImmediate();
}

/**
 * Lets each turn of the event loop be a millisecond for `setTimeout` and for `clock`, in all tests of a file. Pauses end soon
 * then, and no request outlasts one because the machine is busy: it needs a few turns, however long they take. A turn
 * includes a task of the thread pool, so that files are read in a few turns too.
 */
export function countTurnsAsTime(clock?: ManualClock): void {
  let over = false;
  beforeAll(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    void (async () => {
      for (; !over; await Promise.all([setImmediate(), access('/')])) {
        if (clock !== undefined) clock.time += 1;
        vi.advanceTimersByTime(1);
      }
    })();
  });
  afterAll(() => {
    over = true;
    vi.useRealTimers();
  });
}
