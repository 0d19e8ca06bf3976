import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { SilentHosts } from '../../src/azure/http/silent-hosts.ts';
import { steadyTime } from '../../src/base/clock.ts';
import { ProviderError } from '../../src/base/errors.ts';
import { Sweeper } from '../../src/base/sweeper.ts';
import { silentTelemetry } from '../../src/base/telemetry.ts';
import { startBudget } from '../../src/mount/deadline.ts';
import { Progress } from '../../src/mount/pending-waits.ts';
import type { Identity } from '../../src/spc/model.ts';
import { type Lab, reader, secret, startLab, stranger, textOf } from '../support/azure.ts';
import { clearImds, setImds } from '../support/imds.ts';

let time: number;
let lab: Lab;
let retries: number;
const clock = { wall: () => time, steady: () => steadyTime(time) };

beforeEach(async () => {
  time = Date.now();
  retries = 0;
  const telemetry = { ...silentTelemetry, vaultRetry: () => retries++ };
  lab = await startLab({ clock, nmi: true, telemetry });
  await lab.open(reader()).get(secret('s0'), lab.context());
  lab.emulator.requests.clear();
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(async () => {
  vi.useRealTimers();
  await lab.close();
});

async function pass(ms: number): Promise<void> {
  time += ms;
  await vi.advanceTimersByTimeAsync(ms);
}

/** Reads an object as one Mount does. The rotation of drivers up to v1.5 sets no deadline. */
async function mount(
  name: string,
  { timeoutMs = Number.POSITIVE_INFINITY, identity = reader() }: { timeoutMs?: number; identity?: Identity } = {},
) {
  const progress = new Progress(clock);
  const call = { timeoutMs, signal: new AbortController().signal };
  const { dispose, ...budget } = startBudget(call, { clock, progress });
  try {
    return textOf(await lab.open(identity).get(secret(name), lab.context({ ...budget, progress })));
  } finally {
    dispose();
  }
}

/** Reads many objects as one Mount without a deadline. */
async function allOf(names: readonly string[]): Promise<readonly string[]> {
  const progress = new Progress(clock);
  const call = { timeoutMs: Number.POSITIVE_INFINITY, signal: new AbortController().signal };
  const { dispose, ...budget } = startBudget(call, { clock, progress });
  const vault = lab.open(reader());
  const context = lab.context({ ...budget, progress });
  return Promise.all(names.map(async (name) => textOf(await vault.get(secret(name), context)))).finally(dispose);
}

/** Counts the requests that arrived for an object or a token. */
const asked = (word: string) => lab.emulator.requests.filter(({ path }) => path.includes(word)).length;

/** Resolves when one more request has arrived. The polling of the test library would move the timers. */
async function arrival(word: string, before: number): Promise<void> {
  while (asked(word) === before) await new Promise(setImmediate);
}

/** Returns the result of a Mount whose request for `word` is not answered, after it has waited for `ms`. */
async function heldUp(work: Promise<string>, word: string, ms: number): Promise<unknown> {
  const before = asked(word);
  const outcome = work.catch((error: unknown) => error);
  await arrival(word, before);
  await pass(ms - 1);
  expect(await Promise.race([outcome, 'waits'])).toBe('waits');
  await pass(1);
  return outcome;
}

/** Returns the result of a Mount that sends no request and does not wait. */
async function atOnce(work: Promise<string>): Promise<unknown> {
  const before = lab.emulator.requests.length;
  const outcome = await work.catch((error: unknown) => error);
  expect(lab.emulator.requests).toHaveLength(before);
  return outcome;
}

const hang = (object: string) => lab.emulator.faults.add({ on: 'vault', object, action: { kind: 'hang' } });
const OVER = { code: 'ERR_TIMEOUT' };
const UNREACHABLE = { code: 'ERR_UNREACHABLE', message: expect.stringContaining('it is tried again in a while') };

describe('the one worker that rotates all pods of a node', () => {
  it('waits once for an object that hangs, and serves the pods after it', async () => {
    hang('s1');
    expect(await heldUp(mount('s1'), '/s1', 12_000)).toMatchObject(OVER);
    expect(await atOnce(mount('s1'))).toMatchObject(UNREACHABLE);
    expect(await atOnce(mount('s1'))).toMatchObject(UNREACHABLE);
    expect(await mount('s2')).toBe('value-2');
  });

  it('waits a moment only for further objects of a vault that was silent', async () => {
    for (const name of ['s1', 's2', 's3']) hang(name);
    expect(await heldUp(mount('s1'), '/s1', 12_000)).toMatchObject(OVER);
    // Objects that fail for the same reason share one text in the event of the pod.
    const reason = expect.stringMatching(
      /^Cannot read from vault "lab-vault": the vault at .* does not answer; check /,
    );
    const message = expect.stringMatching(/^Cannot read secret "s[23]" from vault/);
    expect(await heldUp(mount('s2'), '/s2', 2_000)).toMatchObject({ ...UNREACHABLE, message, reason });
    expect(await heldUp(mount('s3'), '/s3', 2_000)).toMatchObject({ ...UNREACHABLE, message, reason });
    expect(await mount('s4')).toBe('value-4');
  });

  it('tries a silent object again after a pause, one pod for all, and each time after a longer one', async () => {
    hang('s1');
    await heldUp(mount('s1'), '/s1', 12_000);
    await pass(30_000);
    const before = asked('/s1');
    const probe = mount('s1').catch((error: unknown) => error);
    await arrival('/s1', before);
    expect(await atOnce(mount('s1'))).toMatchObject(UNREACHABLE);
    await pass(2_000);
    expect(await probe).toMatchObject(UNREACHABLE);
    lab.emulator.faults.clear();
    await pass(59_999);
    expect(await atOnce(mount('s1'))).toMatchObject(UNREACHABLE);
    await pass(1);
    expect(await mount('s1')).toBe('value-1');
    hang('s1');
    expect(await heldUp(mount('s1'), '/s1', 12_000)).toMatchObject(OVER);
  });

  it('does not take it for silence that requests wait for their turn', async () => {
    hang('s1');
    await heldUp(mount('s1'), '/s1', 12_000);
    lab.emulator.requests.clear();
    const names = Array.from({ length: 58 }, (_, index) => `s${index + 2}`);
    for (const object of names) lab.emulator.faults.add({ on: 'vault', object, action: { kind: 'delay', ms: 1_500 } });
    const read = allOf(names).catch((error: unknown) => error);
    // The gate allows 32 requests at a time.
    for (const arrived of [32, names.length]) {
      while (lab.count('vault') < arrived) await new Promise(setImmediate);
      await pass(1_500);
    }
    expect(await read).toHaveLength(names.length);
  });

  it('does not take a vault for silent that cuts each connection at once', async () => {
    lab.emulator.faults.add({ on: 'vault', object: 's1', action: { kind: 'drop' } });
    const failed = mount('s1').catch((error: unknown) => error);
    for (const tries of [2, 3]) {
      while (retries < tries) await new Promise(setImmediate);
      await pass(1_500);
    }
    expect(await failed).toMatchObject({ code: 'ERR_UNREACHABLE', details: { remoteCode: 'ECONNRESET' } });
    lab.emulator.faults.clear();
    expect(await mount('s1')).toBe('value-1');
  });

  it.each([
    ['ECONNREFUSED', false],
    ['ECONNRESET', false],
    ['ETIMEDOUT', true],
    ['TLS_TIMEOUT', true],
    ['NO_ANSWER', true],
    ['EAI_AGAIN', true],
    ['EHOSTUNREACH', true],
  ])('takes %s of a login for silence: %s', async (remoteCode, silent) => {
    const hosts = new SilentHosts(new Sweeper(clock));
    const question = { phase: 'entra', host: 'login', request: 'token', failed: () => 'Cannot log in' } as const;
    const asker = { hasty: true, signal: new AbortController().signal };
    const wait = hosts.listen(question, asker);
    time += 4_000;
    wait.failed(new ProviderError('ERR_UNREACHABLE', 'after some tries', { details: { remoteCode } }));
    const again = () => hosts.listen(question, asker).answered();
    if (silent) expect(again).toThrow('does not answer');
    else expect(again).not.toThrow();
  });

  it.each<['entra' | 'imds' | 'nmi', Identity, string]>([
    ['entra', stranger(), '/token'],
    ['imds', { kind: 'managed-identity', clientId: '' }, '/metadata/identity'],
    ['nmi', { kind: 'pod-identity', podNamespace: 'prod', podName: 'web-0' }, '/host/token'],
  ])(
    'does not wait for long where %s hangs, and for other pods of that login not at all',
    async (on, identity, path) => {
      setImds(lab.emulator.imdsUrl);
      onTestFinished(clearImds);
      lab.emulator.faults.add({ on, action: { kind: 'hang' } });
      expect(await heldUp(mount('s1', { identity }), path, 12_000)).toMatchObject(OVER);
      expect(await atOnce(mount('s1', { identity }))).toMatchObject({ ...UNREACHABLE, details: { phase: on } });
      expect(await mount('s2')).toBe('value-2');
    },
  );

  it.each(['vault', 'entra'] as const)('does not sit out a long Retry-After of the %s', async (on) => {
    const action = { kind: 'answer', status: 429, headers: { 'retry-after': '20' } } as const;
    lab.emulator.faults.add({ on, method: on === 'vault' ? 'GET' : 'POST', count: 1, action });
    const identity = on === 'vault' ? reader() : stranger();
    await expect(mount('s1', { identity })).rejects.toMatchObject({ code: 'ERR_THROTTLED' });
    expect(await atOnce(mount('s1', { identity }))).toMatchObject({ code: 'ERR_THROTTLED' });
  });
});

describe('a Mount with a deadline', () => {
  it('asks a silent host again, with all of its time', async () => {
    hang('s1');
    await heldUp(mount('s1'), '/s1', 12_000);
    lab.emulator.faults.clear();
    expect(await mount('s1', { timeoutMs: 120_000 })).toBe('value-1');
  });

  it('that found a host silent spares those without one the wait', async () => {
    hang('s1');
    expect(await heldUp(mount('s1', { timeoutMs: 20_000 }), '/s1', 18_000)).toMatchObject(OVER);
    expect(await atOnce(mount('s1'))).toMatchObject(UNREACHABLE);
  });
});
