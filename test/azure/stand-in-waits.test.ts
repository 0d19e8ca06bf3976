/** Holds how long a Mount waits for a service that takes requests and says nothing, on timers that the tests move. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Lab } from '../support/azure.ts';
import type { ManualClock } from '../support/clocks.ts';
import { HOUR, MINUTE, startOutage } from '../support/outage.ts';

afterEach(() => void vi.useRealTimers());

/** Stops the timers of the program; the wall clock and the network go on. */
function stopTimers(): void {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
}

async function pass(clock: ManualClock, ms: number): Promise<void> {
  clock.time += ms;
  await vi.advanceTimersByTimeAsync(ms);
}

/** Resolves when so many requests have reached the vault. */
async function arrived(lab: Lab, count: number): Promise<void> {
  while (lab.count('vault') < count) await new Promise(setImmediate);
}

/** What becomes of work that waits for the network, but for no timer. */
async function atOnce<T>(work: Promise<T>): Promise<T> {
  let over = false;
  const ended = work.finally(() => {
    over = true;
  });
  ended.catch(() => {});
  for (let turns = 0; !over && turns < 100_000; turns++) await new Promise(setImmediate);
  expect(over).toBe(true);
  return ended;
}

describe('a vault that is away', () => {
  it('and takes requests without an answer: thirty pods are served after a short wait, then at once', async (test) => {
    const { lab, clock, causes, mounted, away } = await startOutage(test);
    const pods = Array.from({ length: 30 }, (_, i) => ({ names: [`s${i}`, `s${i + 1}`] }));
    const before = await Promise.all(pods.map(mounted));
    lab.emulator.requests.clear();
    away({ kind: 'hang' });
    stopTimers();
    const first = Promise.all(pods.map(mounted));
    await arrived(lab, 31);
    await pass(clock, 5_000);
    expect(await atOnce(first)).toEqual(before);
    const asked = lab.count('vault');
    // The gate lets 32 through, and the transport sends four second tries.
    expect(asked).toBeLessThanOrEqual(36);
    expect(await atOnce(Promise.all(pods.map(mounted)))).toEqual(before);
    expect(lab.count('vault')).toBe(asked);
    expect(causes).toEqual(Array.from({ length: 60 }, () => 'timeout'));
  });

  it.for<[string, number, number]>([
    ['no deadline, as in rotations of drivers up to v1.5', Number.POSITIVE_INFINITY, 5_000],
    ['the deadline of the kubelet', 120_000, 5_000],
    ['a deadline of four seconds', 4_000, 1_800],
  ])('leaves a Mount with %s the time to answer', async ([, timeoutMs, waitMs], test) => {
    const { lab, clock, mounted, away } = await startOutage(test);
    const before = await mounted();
    away({ kind: 'hang' });
    lab.emulator.requests.clear();
    stopTimers();
    const work = mounted({ timeoutMs });
    await arrived(lab, 1);
    await pass(clock, waitMs - 1);
    expect(await Promise.race([work, new Promise(setImmediate).then(() => 'waits')])).toBe('waits');
    await pass(clock, 1);
    expect(await atOnce(work)).toEqual(before);
  });

  it('is asked by one in the background, after growing pauses, and by all again once it is back', async (test) => {
    const { lab, clock, causes, mounted, away } = await startOutage(test);
    const names = ['s1', 's2', 's3'];
    await mounted({ names });
    away({ kind: 'hang' });
    lab.emulator.requests.clear();
    stopTimers();
    const first = mounted({ names });
    await arrived(lab, 3);
    await pass(clock, 5_000);
    await atOnce(first);
    lab.emulator.requests.clear();
    // The second try falls into the fifteen seconds of the first one.
    const due = [5, 35, 75, 135, 195, 255];
    for (let second = 5; second < 300; second += 5) {
      await pass(clock, 5_000);
      await atOnce(Promise.all([mounted({ names }), mounted({ names })]));
      await arrived(lab, due.filter((at) => at <= second).length);
    }
    expect(lab.count('vault')).toBe(due.length);
    lab.emulator.faults.clear();
    await pass(clock, MINUTE);
    await atOnce(mounted({ names }));
    await arrived(lab, due.length + 1);
    // The answer of the try ends the outage for all objects.
    let before: number;
    do {
      causes.length = 0;
      before = lab.count('vault');
      await atOnce(mounted({ names }));
    } while (causes.length > 0);
    expect(lab.count('vault') - before).toBe(names.length);
  });

  it('and takes requests without an answer: a Mount whose time runs out is told why it has no value to end with', async (test) => {
    const { lab, clock, mounted, refused, away } = await startOutage(test);
    await mounted();
    away({ kind: 'hang' });
    clock.time += HOUR;
    lab.emulator.requests.clear();
    stopTimers();
    const work = refused({ timeoutMs: 20_000 });
    await arrived(lab, 1);
    await pass(clock, 18_000);
    expect(await atOnce(work)).toMatchObject({
      code: 'ERR_TIMEOUT',
      message: expect.stringMatching(/waiting for the vault at .*; the last known value was read at .* --max-stale/),
    });
  });
});

describe('where the login service is away', () => {
  it('and does not answer, it is served after a short wait, then at once', async (test) => {
    const { lab, clock, mounted, entra } = await startOutage(test, { maxStaleMs: 3 * HOUR });
    await mounted();
    clock.time += 2 * HOUR;
    lab.emulator.requests.clear();
    entra({ kind: 'hang' });
    stopTimers();
    const first = mounted();
    while (lab.tokens() === 0) await new Promise(setImmediate);
    await pass(clock, 5_000);
    expect((await atOnce(first)).values).toEqual(['value-1']);
    expect((await atOnce(mounted())).values).toEqual(['value-1']);
    expect(lab.tokens()).toBe(1);
  });
});
