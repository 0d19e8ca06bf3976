import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { later, systemClock } from '../../src/base/clock.ts';
import { type Lab, reader, secret, startLab, textOf } from '../support/azure.ts';

let lab: Lab;
beforeAll(async () => {
  lab = await startLab();
  await lab.open(reader()).get(secret('s59'), lab.context());
});
beforeEach(() => {
  lab.emulator.requests.clear();
});
afterEach(() => lab.emulator.faults.clear());
afterAll(() => lab.close());

const throttled = (headers: Record<string, string>) =>
  ({ kind: 'answer', status: 429, headers }) satisfies { kind: 'answer'; status: number; headers: object };

describe('a read that Mounts share', () => {
  it('goes on for the others when the one who started it goes', async () => {
    lab.emulator.faults.add({ on: 'vault', object: 's20', count: 1, action: { kind: 'delay', ms: 200 } });
    const controller = new AbortController();
    const first = lab.open(reader()).get(secret('s20'), lab.context({ signal: controller.signal }));
    const second = lab.open(reader()).get(secret('s20'), lab.context());
    setTimeout(() => controller.abort(new Error('gone')), 50);
    await expect(first).rejects.toThrow('gone');
    expect(textOf(await second)).toBe('value-20');
    expect(lab.count('vault')).toBe(1);
  });

  it('is throttled for longer than one of them may wait: that one fails at once, the other gets the value', async () => {
    lab.emulator.faults.add({ on: 'vault', object: 's21', count: 1, action: throttled({ 'retry-after': '1' }) });
    const now = systemClock.steady();
    const hasty = lab.open(reader()).get(secret('s21'), lab.context({ deadlineAt: later(now, 500) }));
    const patient = lab.open(reader()).get(secret('s21'), lab.context({ deadlineAt: later(now, 60_000) }));
    await expect(hasty).rejects.toMatchObject({ code: 'ERR_THROTTLED', details: { httpStatus: 429 } });
    expect(lab.count('vault')).toBe(1);
    expect(textOf(await patient)).toBe('value-21');
    expect(lab.count('vault')).toBe(2);
  });

  it('refuses Mounts that come in a pause that is too long for them, without asking again', async () => {
    lab.emulator.faults.add({ on: 'vault', object: 's22', count: 1, action: throttled({ 'retry-after': '1' }) });
    const patient = lab.open(reader()).get(secret('s22'), lab.context());
    await expect.poll(() => lab.count('vault')).toBe(1);
    const hasty = lab.context({ deadlineAt: later(systemClock.steady(), 200) });
    await expect(lab.open(reader()).get(secret('s23'), hasty)).rejects.toMatchObject({ code: 'ERR_THROTTLED' });
    await patient;
    expect(lab.count('vault')).toBe(2);
  });

  it('waits with a whole mount: nothing starts in the pause, then everything is read', async () => {
    lab.emulator.faults.add({ on: 'vault', count: 1, action: throttled({ 'retry-after': '2' }) });
    const context = lab.context();
    const vault = lab.open(reader());
    const names = Array.from({ length: 59 }, (_, i) => `s${i}`);
    await Promise.all(names.map((name) => vault.get(secret(name), context)));
    const records = lab.emulator.requests.filter(({ kind }) => kind === 'vault');
    expect(records).toHaveLength(60);
    const [refused] = records.filter(({ status }) => status === 429);
    const refusedAt = refused?.at ?? 0;
    // One request may have been sent already. Requests that still waited for a connection were not sent.
    const meanwhile = records.filter(({ at }) => at > refusedAt && at < refusedAt + 2000);
    expect(meanwhile.length).toBeLessThanOrEqual(2);
  });

  it('uses no more connections than that', async () => {
    const sockets = () => new Set(lab.emulator.requests.map(({ tlsSocketId }) => tlsSocketId)).size;
    const names = Array.from({ length: 60 }, (_, i) => `s${i}`);
    await Promise.all(names.map((name) => lab.open(reader()).get(secret(name), lab.context())));
    expect(lab.count('vault')).toBe(60);
    expect(sockets()).toBeLessThanOrEqual(32);
  });
});
