import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { silentTelemetry } from '../../src/base/telemetry.ts';
import type { FetchContext, FetchedObject } from '../../src/mount/ports.ts';
import { type Lab, READER, reader, secret, startLab, TENANT, textOf } from '../support/azure.ts';
import { manualClock } from '../support/clocks.ts';
import { failureOf } from '../support/mount.ts';

const CACHE_MS = 30_000;
const STALE_MS = 3_600_000;
const NAMES = Array.from({ length: 20 }, (_, i) => `s${i}`);
const vault = (name: string, secrets: string, granted = true) => `
  - name: ${name}
    tenant: "${TENANT}"
    grants: [${granted ? '{identity: reader, secrets: [get, list]}' : ''}]
    secrets: [${secrets}]`;
const all = (prefix: string) =>
  NAMES.map((name) => `{name: ${name}, value: ${prefix}-${name}, versions: 3}`).join(', ');
const SEED = `
tenants:
  - id: "${TENANT}"
    identities: [{name: reader, clientId: "${READER}", secrets: [{value: reader-secret}]}]
vaults:${vault('west', all('west'))}${vault('north', all('north'))}${vault('east', all('east'))}${vault('bare', '')}${vault('closed', all('closed'), false)}
`;

const clock = manualClock(Date.now());
const counted: string[] = [];
let lab: Lab;
beforeAll(async () => {
  const telemetry = {
    ...silentTelemetry,
    fallbackRead: (first: string, fallback: string) => counted.push(`${first} ${fallback}`),
  };
  lab = await startLab({ seed: SEED, cacheTtlMs: CACHE_MS, maxStaleMs: STALE_MS, clock, telemetry });
});
beforeEach(() => {
  lab.emulator.faults.clear();
  counted.length = 0;
  // Long enough for each host to be no longer considered away.
  clock.time += 10 * 60_000;
});
afterAll(() => lab.close());

type Action = Parameters<Lab['emulator']['faults']['add']>[0]['action'];
/** Azure's answer to too many requests, which ends a read at once. */
const BUSY: Action = { kind: 'answer', status: 429, headers: { 'retry-after': '100' } };
const fault = (name: string, action: Action) => lab.emulator.faults.add({ on: 'vault', vault: name, action });

/** Reads one secret of `west`, and returns its text and the vaults that were asked. */
async function read(
  name: string,
  fallbacks: readonly string[],
  options: { context?: FetchContext; version?: string } = {},
) {
  const { context = lab.context(), version = '' } = options;
  lab.emulator.requests.clear();
  const opened = lab.open(reader(), 'west', undefined, fallbacks);
  const asked = () => [
    ...new Set(lab.emulator.requests.filter(({ kind }) => kind === 'vault').map(({ host }) => host.split('.')[0])),
  ];
  const fetched: FetchedObject = await opened.get(secret(name, version), context);
  return { text: textOf(fetched), asked: asked(), elsewhere: context.snapshot.elsewhere };
}

describe('a fallback vault answers', () => {
  it.each<[string, Action]>([
    ['throttles', BUSY],
    ['answers 503', { kind: 'answer', status: 503 }],
    ['cuts the connection', { kind: 'drop' }],
  ])('if the first one %s', async (_, action) => {
    fault('west', action);
    const { text, asked, elsewhere } = await read('s0', ['north', 'east']);
    expect([text.split('-')[0], asked]).toEqual(['north', ['west', 'north']]);
    expect(elsewhere).toMatchObject([{ vault: 'west', fallback: 'north', cause: { details: { phase: 'vault' } } }]);
    expect(counted).toEqual(['west north']);
  });

  it('in the order of the list', async () => {
    fault('west', BUSY);
    fault('north', BUSY);
    expect(await read('s1', ['north', 'east'])).toMatchObject({ text: 'east-s1', asked: ['west', 'north', 'east'] });
  });

  it('if it does not lack the object, or refuse it', async () => {
    fault('west', BUSY);
    const { text, asked } = await read('s2', ['bare', 'closed', 'east']);
    expect([text, asked]).toEqual(['east-s2', ['west', 'bare', 'closed', 'east']]);
  });

  it('if the first one hangs', async () => {
    fault('west', { kind: 'hang' });
    expect((await read('s3', ['north'])).text).toBe('north-s3');
  }, 20_000);

  it('until the time of its value is over, and then the first is asked again', async () => {
    fault('west', BUSY);
    await read('s4', ['north']);
    lab.emulator.faults.clear();
    clock.time += CACHE_MS / 2;
    const kept = await read('s4', ['north']);
    expect(kept).toMatchObject({ text: 'north-s4', asked: [], elsewhere: [{ fallback: 'north' }] });
    expect(kept.elsewhere[0]?.cause).toBeUndefined();
    clock.time += 10 * 60_000;
    expect(await read('s4', ['north'])).toMatchObject({ text: 'west-s4', asked: ['west'], elsewhere: [] });
  });

  it('for volumes that name it, and for no others', async () => {
    fault('west', BUSY);
    await read('s5', ['north']);
    expect(await failureOf(read('s5', []))).toMatchObject({ code: 'ERR_THROTTLED' });
    expect((await read('s5', ['east'])).text).toBe('east-s5');
    expect((await read('s5', ['east', 'north'])).asked).toEqual([]);
  });

  it('before the last known value of the first, which is not replaced', async () => {
    await read('s6', ['north']);
    clock.time += CACHE_MS;
    fault('west', BUSY);
    expect((await read('s6', ['north'])).text).toBe('north-s6');
    clock.time += CACHE_MS;
    fault('north', BUSY);
    const context = lab.context();
    expect((await read('s6', ['north'], { context })).text).toBe('west-s6');
    expect(context.snapshot.lastKnown).toMatchObject([{ ref: { name: 's6' } }]);
  });
});

describe('no fallback vault is asked', () => {
  const refusal = (status: number, code: string): Action => ({
    kind: 'answer',
    status,
    body: { error: { code, message: 'no' } },
  });
  it.each<[string, Action, string]>([
    ['403', refusal(403, 'Forbidden'), 'ERR_FORBIDDEN'],
    ['404', refusal(404, 'SecretNotFound'), 'ERR_NOT_FOUND'],
    ['401', refusal(401, 'Unauthorized'), 'ERR_AUTHENTICATION'],
    ['400', refusal(400, 'BadParameter'), 'ERR_BAD_PARAMETERS'],
    ['404 of a proxy', { kind: 'answer', status: 404, body: '<html>' }, 'ERR_NOT_FOUND'],
    ['200 of a proxy', { kind: 'answer', status: 200, body: '<html>' }, 'ERR_VAULT'],
  ])('after %s of the first', async (_, action, code) => {
    fault('west', action);
    const failed = await failureOf(read('s7', ['north']));
    expect(failed.code).toBe(code);
    expect(lab.emulator.requests.filter(({ host }) => host.startsWith('north'))).toEqual([]);
  });

  it('while the first answers', async () => {
    expect(await read('s8', ['north'])).toMatchObject({ text: 'west-s8', asked: ['west'], elsewhere: [] });
    expect(counted).toEqual([]);
  });

  it('if the login fails', async () => {
    lab.emulator.faults.add({
      on: 'entra',
      action: { kind: 'answer', status: 400, body: { error: 'invalid_client' } },
    });
    const other = reader('another');
    const failed = await failureOf(lab.open(other, 'west', undefined, ['north']).get(secret('s8'), lab.context()));
    expect(failed.code).toBe('ERR_AUTHENTICATION');
    expect(counted).toEqual([]);
  });
});

describe('the error of a read that no vault answers', () => {
  it('has the code of the first, and names each vault with its cause', async () => {
    fault('west', { kind: 'answer', status: 503 });
    fault('north', BUSY);
    const { code, message, reason, details } = await failureOf(read('s9', ['north', 'bare']));
    expect([code, details.httpStatus]).toEqual(['ERR_VAULT', 503]);
    expect(message).toMatch(
      /^Cannot read secret "s9" from vault "west": 503 .* and its fallback vaults gave no answer: /,
    );
    expect(message).toMatch(
      /Cannot read from vault "north": 429 .*; Cannot read from vault "bare": 404 SecretNotFound/,
    );
    expect(reason).not.toContain('s9');
  });
});

describe('the versions of an object', () => {
  it('come from the fallback vault that listed them, even if the first answers again', async () => {
    fault('west', BUSY);
    const context = lab.context();
    const opened = lab.open(reader(), 'west', undefined, ['north']);
    const [listed] = await opened.listVersions(secret('s10'), context);
    lab.emulator.faults.clear();
    clock.time += 10 * 60_000;
    lab.emulator.requests.clear();
    const fetched = await opened.get(secret('s10', listed?.version), context);
    expect([textOf(fetched).split('-')[0], fetched.version]).toEqual(['north', listed?.version]);
    expect(lab.emulator.requests.some(({ host }) => host.startsWith('west'))).toBe(false);
  });
});
