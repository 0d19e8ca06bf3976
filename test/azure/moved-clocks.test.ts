import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { later, steadyTime } from '../../src/base/clock.ts';
import { WORKLOAD_IDENTITY_AUDIENCE } from '../../src/spc/tokens.ts';
import { type Lab, READER, reader, SUBJECT, secret, startLab, textOf, workload } from '../support/azure.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** The node's steady clock. */
let time = Date.now();
/** The time that the node was suspended. */
let sleptMs = 0;
let lab: Lab;

/** Moves both clocks forward. */
function pass(ms: number): void {
  time += ms;
  vi.setSystemTime(Date.now() + ms);
}

/** Sets the node's wall clock forward, or back with a negative value. */
function step(ms: number): void {
  vi.setSystemTime(Date.now() + ms);
}

/** Returns the context of a Mount with a deadline of 100 ms. */
const hasty = () => lab.context({ deadlineAt: later(steadyTime(time), 100) });
const read = (name: string, identity = reader()) => lab.open(identity).get(secret(name), lab.context());
const throttled = (seconds: number) =>
  ({ kind: 'answer', status: 429, headers: { 'retry-after': `${seconds}` } }) as const;

beforeAll(async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: time });
  lab = await startLab({
    cacheTtlMs: 30 * SECOND,
    pinnedCacheTtlMs: 10 * MINUTE,
    clock: { wall: () => Date.now(), steady: () => steadyTime(time) },
    world: { wall: () => time + sleptMs },
  });
});
beforeEach(() => {
  vi.setSystemTime(time + sleptMs);
  pass(2 * HOUR);
  lab.emulator.faults.clear();
  lab.emulator.requests.clear();
});
afterAll(async () => {
  await lab.close();
  vi.useRealTimers();
});

describe.each([
  ['set back by an hour', -HOUR],
  ['set forward by a day', DAY],
])('a wall clock that is %s', (_, byMs) => {
  it('prolongs no value: neither one that changed, nor one whose reader lost the right to it', async () => {
    const old = lab.emulator.currentSecret('lab-vault', 's1');
    await Promise.all([read('s1'), read('s2'), lab.open(reader()).get(secret('s1', old.version), lab.context())]);
    lab.emulator.setSecret('lab-vault', 's1', `${old.value.reveal()} changed`);
    step(byMs);
    pass(30 * SECOND);
    expect(textOf(await read('s1'))).toBe(`${old.value.reveal()} changed`);
    lab.emulator.revoke('lab-vault', 'reader');
    try {
      await expect(read('s2')).rejects.toMatchObject({ code: 'ERR_FORBIDDEN' });
      pass(10 * MINUTE);
      const pinned = lab.open(reader()).get(secret('s1', old.version), lab.context());
      await expect(pinned).rejects.toMatchObject({ code: 'ERR_FORBIDDEN' });
    } finally {
      const permissions = { secrets: ['get', 'list'], keys: ['get'], certificates: ['get'] } as const;
      lab.emulator.grant('lab-vault', { identity: READER, ...permissions });
    }
  });

  it('prolongs no pause that a vault asked for', async () => {
    await read('s3');
    lab.emulator.faults.add({ on: 'vault', count: 1, action: throttled(20) });
    const refused = { code: 'ERR_THROTTLED' };
    await expect(lab.open(reader()).get(secret('s4'), hasty())).rejects.toMatchObject(refused);
    step(byMs);
    // At most a tenth more than the response asked for.
    pass(22 * SECOND);
    expect(textOf(await lab.open(reader()).get(secret('s4'), hasty()))).toBe('value-4');
  });

  it('prolongs no pause that a login host asked for', async () => {
    lab.emulator.faults.add({ on: 'entra', method: 'POST', count: 1, action: throttled(60) });
    await expect(read('s5')).rejects.toMatchObject({ code: 'ERR_THROTTLED' });
    step(byMs);
    // At most half more than the response asked for.
    pass(90 * SECOND);
    expect(textOf(await read('s5'))).toBe('value-5');
    expect(lab.tokens()).toBe(2);
  });

  it('prolongs no token', async () => {
    await read('s6');
    expect(lab.tokens()).toBe(1);
    step(byMs);
    pass(HOUR);
    await read('s6');
    expect(lab.tokens()).toBe(2);
    const answers = lab.emulator.requests.filter(({ kind }) => kind === 'vault').map(({ status }) => status);
    expect(answers).toEqual([200, 200]);
  });

  it("prolongs no proof of a pod's token", async () => {
    const request = { subject: SUBJECT, audience: WORKLOAD_IDENTITY_AUDIENCE, expiresInSeconds: 600 };
    const token = lab.emulator.issueServiceAccountToken(request);
    await read('s7', workload(token));
    expect(lab.tokens()).toBe(1);
    step(byMs);
    // Entra ID accepts a token for five minutes after its end.
    pass(15 * MINUTE + SECOND);
    await expect(read('s7', workload(token))).rejects.toMatchObject({ code: 'ERR_AUTHENTICATION' });
    expect(lab.tokens()).toBe(2);
  });
});

describe('a machine that was suspended', () => {
  it('uses nothing whose end it slept through', async () => {
    await read('s8');
    sleptMs += 2 * HOUR;
    step(2 * HOUR);
    await read('s8');
    expect([lab.tokens(), lab.count('vault')]).toEqual([2, 2]);
  });
});
