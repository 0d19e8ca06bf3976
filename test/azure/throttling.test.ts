import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { type Lab, POD, reader, secret, startLab, textOf } from '../support/azure.ts';
import { manualClock } from '../support/clocks.ts';
import { countTurnsAsTime } from '../support/turns.ts';

const clock = manualClock(Date.now());
countTurnsAsTime(clock);

let lab: Lab;
beforeEach(async () => {
  lab = await startLab({ clock });
  await lab.open(reader()).get(secret('s0'), lab.context());
  lab.emulator.requests.clear();
});
afterEach(() => lab.close());

/** Reads `count` different secrets, each in a Mount of its own. */
function readMany(count: number) {
  return Promise.all(Array.from({ length: count }, (_, i) => lab.open(reader()).get(secret(`s${i}`), lab.context())));
}

describe('a vault that answers 429', () => {
  it.each([
    ['with Retry-After in seconds', { 'retry-after': '1' }],
    ['with retry-after-ms', { 'retry-after-ms': '400' }],
    ['without saying for how long', {}],
  ])('%s, is left alone, and everybody succeeds after it', async (_, headers) => {
    lab.emulator.faults.add({ on: 'vault', count: 3, action: { kind: 'answer', status: 429, headers } });
    const fetched = await readMany(40);
    expect(fetched.map(textOf)).toEqual(Array.from({ length: 40 }, (_unused, i) => `value-${i}`));
  });

  it('gets no new request while the pause lasts', async () => {
    lab.emulator.faults.add({
      on: 'vault',
      count: 1,
      action: { kind: 'answer', status: 429, headers: { 'retry-after': '1' } },
    });
    await lab.open(reader()).get(secret('s1'), lab.context());
    const [refused, ...later] = lab.emulator.requests;
    const pausedUntil = (refused?.at ?? 0) + 990;
    expect(refused?.status).toBe(429);
    expect(later.filter(({ at }) => at < pausedUntil)).toEqual([]);
  });

  it('for longer than the Mount may take, fails the Mount at once', async () => {
    lab.emulator.faults.add({
      on: 'vault',
      action: { kind: 'answer', status: 429, headers: { 'retry-after': '3600' } },
    });
    await expect(lab.open(reader()).get(secret('s1'), lab.context())).rejects.toMatchObject({
      code: 'ERR_THROTTLED',
      message: expect.stringMatching(/429 Throttled.*s1|s1.*429 Throttled/s),
    });
  });
});

describe('a vault with a fault', () => {
  it.each([500, 502, 503, 504])('answering %i once, is asked again', async (status) => {
    lab.emulator.faults.add({ on: 'vault', count: 1, action: { kind: 'answer', status } });
    expect(textOf(await lab.open(reader()).get(secret('s1'), lab.context()))).toBe('value-1');
  });

  it('that cuts a connection once, is asked again at once', async () => {
    const waits: number[] = [];
    const set = globalThis.setTimeout;
    // A spy on the timers of this file would be restored once more by restoreAllMocks in a later file.
    Reflect.set(globalThis, 'setTimeout', (...args: Parameters<typeof set>) => {
      waits.push(args[1] ?? 0);
      return set(...args);
    });
    onTestFinished(() => void Reflect.set(globalThis, 'setTimeout', set));
    lab.emulator.faults.add({ on: 'vault', count: 1, action: { kind: 'drop' } });
    expect(textOf(await lab.open(reader()).get(secret('s1'), lab.context()))).toBe('value-1');
    expect(waits.filter((ms) => ms > 100 && ms < 1_000)).toEqual([]);
  });

  it('that cuts the connection twice, is asked again', async () => {
    lab.emulator.faults.add({ on: 'vault', count: 2, action: { kind: 'drop' } });
    expect(textOf(await lab.open(reader()).get(secret('s1'), lab.context()))).toBe('value-1');
  });

  it('that stays, is named with status and code', async () => {
    lab.emulator.faults.add({ on: 'vault', action: { kind: 'answer', status: 500 } });
    await expect(lab.open(reader()).get(secret('s1'), lab.context())).rejects.toMatchObject({
      code: 'ERR_VAULT',
      details: { httpStatus: 500, phase: 'vault' },
      message: expect.stringContaining('Cannot read secret "s1" from vault "lab-vault": 500'),
    });
    expect(lab.count('vault')).toBe(4);
  });

  it('answering a page of a proxy, is named by its status', async () => {
    lab.emulator.faults.add({ on: 'vault', action: { kind: 'answer', status: 407, body: '<html>proxy</html>' } });
    await expect(lab.open(reader()).get(secret('s1'), lab.context())).rejects.toMatchObject({
      code: 'ERR_VAULT',
      message: expect.stringContaining('407'),
    });
  });

  it.each([
    ['value', 'secret value is nil'],
    ['id', 'secret id is nil'],
  ])('answering without "%s", is an error that says so', async (field, words) => {
    lab.emulator.faults.add({ on: 'vault', action: { kind: 'edit', remove: [field] } });
    await expect(lab.open(reader()).get(secret('s1'), lab.context())).rejects.toMatchObject({
      code: 'ERR_VAULT',
      message: expect.stringContaining(words),
    });
  });

  it('that hangs, is left when the last caller goes', async () => {
    const held = lab.emulator.faults.hold({ on: 'vault', object: 's1' });
    const controller = new AbortController();
    const read = lab.open(reader()).get(secret('s1'), lab.context({ signal: controller.signal }));
    await held.reached;
    controller.abort(new Error('gone'));
    await expect(read).rejects.toThrow('gone');
    expect(textOf(await lab.open(reader()).get(secret('s2'), lab.context()))).toBe('value-2');
  });
});

describe('a vault that is not there is named with host and layer', () => {
  it('by its name: DNS', async () => {
    const vault = lab.azure.vaults.open({
      pod: POD,
      cloud: lab.cloud,
      tenantId: '11111111-1111-1111-1111-111111111111',
      identity: reader(),
      vaultName: 'nowhere',
      vaultUrl: 'https://nowhere.invalid',
    });
    await expect(vault.get(secret('s0'), lab.context())).rejects.toMatchObject({
      code: 'ERR_UNREACHABLE',
      message: expect.stringMatching(/nowhere\.invalid did not answer: DNS failed/),
    });
  });

  it('at its port: TCP', async () => {
    const vault = lab.azure.vaults.open({
      pod: POD,
      cloud: lab.cloud,
      tenantId: '11111111-1111-1111-1111-111111111111',
      identity: reader(),
      vaultName: 'closed',
      vaultUrl: 'https://closed.vault.localhost:1',
    });
    await expect(vault.get(secret('s0'), lab.context())).rejects.toMatchObject({
      code: 'ERR_UNREACHABLE',
      message: expect.stringMatching(/TCP failed, ECONNREFUSED/),
    });
  });
});
