import { setImmediate } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { later } from '../../src/base/clock.ts';
import { type Lab, reader, secret, startLab, textOf } from '../support/azure.ts';
import { manualClock } from '../support/clocks.ts';
import { turnsOfTheLoop } from '../support/turns.ts';

const clock = manualClock(Date.now());
let lab: Lab;
beforeAll(async () => {
  lab = await startLab({ clock });
  await lab.open(reader()).get(secret('s59'), lab.context());
});
beforeEach(() => {
  lab.emulator.requests.clear();
});
afterEach(() => lab.emulator.faults.clear());
afterAll(() => lab.close());

/** Stops the timers until the end of the test. */
function stopTimers(): void {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
}

/** Moves the clock and the timers. */
function pass(ms: number): void {
  clock.time += ms;
  vi.advanceTimersByTime(ms);
}

const throttled = (headers: Record<string, string>) =>
  ({ kind: 'answer', status: 429, headers }) satisfies { kind: 'answer'; status: number; headers: object };

describe('a read that Mounts share', () => {
  it('goes on for the others when the one who started it goes', async () => {
    const held = lab.emulator.faults.hold({ on: 'vault', object: 's20', count: 1 });
    const controller = new AbortController();
    const first = lab.open(reader()).get(secret('s20'), lab.context({ signal: controller.signal }));
    const second = lab.open(reader()).get(secret('s20'), lab.context());
    await held.reached;
    await turnsOfTheLoop();
    controller.abort(new Error('gone'));
    await expect(first).rejects.toThrow('gone');
    held.release();
    expect(textOf(await second)).toBe('value-20');
    expect(lab.count('vault')).toBe(1);
  });

  it('is throttled for longer than one of them may wait: that one fails at once, the other gets the value', async () => {
    stopTimers();
    lab.emulator.faults.add({ on: 'vault', object: 's21', count: 1, action: throttled({ 'retry-after': '10' }) });
    const now = clock.steady();
    const hasty = lab.open(reader()).get(secret('s21'), lab.context({ deadlineAt: later(now, 5_000) }));
    const patient = lab.open(reader()).get(secret('s21'), lab.context({ deadlineAt: later(now, 60_000) }));
    await expect(hasty).rejects.toMatchObject({ code: 'ERR_THROTTLED', details: { httpStatus: 429 } });
    expect(lab.count('vault')).toBe(1);
    pass(11_000);
    expect(textOf(await patient)).toBe('value-21');
    expect(lab.count('vault')).toBe(2);
  });

  it('refuses Mounts that come in a pause that is too long for them, without asking again', async () => {
    stopTimers();
    lab.emulator.faults.add({ on: 'vault', object: 's22', count: 1, action: throttled({ 'retry-after': '10' }) });
    const patient = lab.open(reader()).get(secret('s22'), lab.context());
    while (lab.count('vault') === 0) await setImmediate();
    await turnsOfTheLoop();
    const hasty = lab.context({ deadlineAt: later(clock.steady(), 5_000) });
    await expect(lab.open(reader()).get(secret('s23'), hasty)).rejects.toMatchObject({ code: 'ERR_THROTTLED' });
    pass(11_000);
    await patient;
    expect(lab.count('vault')).toBe(2);
  });

  it('waits with a whole mount: nothing starts in the pause, then everything is read', async () => {
    stopTimers();
    lab.emulator.faults.add({ on: 'vault', count: 1, action: throttled({ 'retry-after': '10' }) });
    const context = lab.context();
    const vault = lab.open(reader());
    const names = Array.from({ length: 59 }, (_, i) => `s${i}`);
    const read = Promise.all(names.map((name) => vault.get(secret(name), context)));
    while (lab.count('vault') === 0) await setImmediate();
    await turnsOfTheLoop();
    // One request may have been sent already. Requests that still waited for a connection were not sent.
    const before = lab.count('vault');
    expect(before).toBeLessThanOrEqual(2);
    pass(9_999);
    await turnsOfTheLoop();
    expect(lab.count('vault')).toBe(before);
    pass(1_001);
    expect(await read).toHaveLength(59);
    expect(lab.count('vault')).toBe(60);
  });

  it('uses no more connections than that', async () => {
    const sockets = () => new Set(lab.emulator.requests.map(({ tlsSocketId }) => tlsSocketId)).size;
    const names = Array.from({ length: 60 }, (_, i) => `s${i}`);
    await Promise.all(names.map((name) => lab.open(reader()).get(secret(name), lab.context())));
    expect(lab.count('vault')).toBe(60);
    expect(sockets()).toBeLessThanOrEqual(32);
  });
});
