/** Lists the objects of a vault, page by page, and reads those that have changed since. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Stamp } from '../../src/mount/ports.ts';
import { type Lab, reader, secret, startLab, stranger, textOf } from '../support/azure.ts';
import { manualClock } from '../support/clocks.ts';
import { failureOf } from '../support/mount.ts';
import { turnsOfTheLoop } from '../support/turns.ts';

const CACHE_MS = 30_000;
const STALE_MS = 3_600_000;
const VAULT = 'lab-vault';
/** Sixty-one secrets, 25 on a page. */
const PAGES = 3;
const clock = manualClock(Date.now());

let lab: Lab;
beforeAll(async () => {
  lab = await startLab({ cacheTtlMs: CACHE_MS, pinnedCacheTtlMs: CACHE_MS, maxStaleMs: STALE_MS, clock });
  // The secrets of the seed are of now. A value that is read in the second of its date is not trusted for longer.
  clock.time += 60_000;
});
beforeEach(() => {
  clock.time += STALE_MS;
  lab.emulator.faults.clear();
  lab.emulator.requests.clear();
});
afterAll(() => lab.close());

const list = (maxAgeMs?: number, context = lab.context()) =>
  lab.open(reader(), VAULT, maxAgeMs).list('secret', context);
const paths = () => lab.emulator.requests.filter(({ kind }) => kind === 'vault').map(({ path }) => path);
const answer = (action: object, more: object = {}) =>
  lab.emulator.faults.add({ on: 'vault', path: '/secrets', action, ...more } as Parameters<
    typeof lab.emulator.faults.add
  >[0]);

/** Lists the secrets, and reads one of them as a Mount with a selection does. */
async function republish(name: string, maxAgeMs?: number) {
  const vault = lab.open(reader(), VAULT, maxAgeMs);
  const context = lab.context();
  const { objects, listedAt } = await vault.list('secret', context);
  const updatedAt = objects.find((one) => one.name === name)?.updatedAt;
  const stamp: Stamp | undefined =
    listedAt === undefined || updatedAt === undefined ? undefined : { updatedAt, listedAt };
  const text = textOf(await vault.get(secret(name), context, stamp));
  return { text, lastKnown: context.snapshot.lastKnown.map(({ ref }) => ref.name) };
}

describe('the listing of a vault', () => {
  it('has all objects, with their dates and tags, and costs its pages', async () => {
    lab.emulator.setSecret(VAULT, 's1', 'value-1', { tags: { env: 'prod' } });
    lab.emulator.setEnabled(VAULT, { kind: 'secrets', name: 's2' }, false);
    const { objects } = await list();
    lab.emulator.setEnabled(VAULT, { kind: 'secrets', name: 's2' }, true);
    expect(new Set(objects.map(({ name }) => name)).size).toBe(61);
    const now = Math.floor(clock.wall() / 1000) * 1000;
    expect(objects.find(({ name }) => name === 's1')).toEqual({
      name: 's1',
      enabled: true,
      updatedAt: now,
      tags: { env: 'prod' },
    });
    expect(objects.find(({ name }) => name === 's2')).toMatchObject({ enabled: false });
    expect(paths()).toEqual(Array.from({ length: PAGES }, () => '/secrets'));
  });

  it('is shared by all Mounts of the principal, for as long as a value', async () => {
    await Promise.all([list(), list(), list()]);
    await list();
    expect(lab.count('vault')).toBe(PAGES);
    await list(0);
    expect(lab.count('vault')).toBe(2 * PAGES);
    clock.time += CACHE_MS;
    await list();
    expect(lab.count('vault')).toBe(3 * PAGES);
  });

  it.each([
    ['faults', { kind: 'answer', status: 503 }, 2],
    ['connections that break', { kind: 'drop' }, 1],
  ])('goes on at its page after %s', async (_, action, count) => {
    answer(action, { skip: 1, count });
    const { objects } = await list();
    expect(objects).toHaveLength(61);
    expect(lab.count('vault')).toBe(PAGES + count);
  });

  it('goes on at its page after a pause', async () => {
    answer({ kind: 'answer', status: 429, headers: { 'retry-after': '1' } }, { skip: 1, count: 1 });
    const listing = list();
    await expect.poll(() => lab.emulator.requests.some(({ status }) => status === 429)).toBe(true);
    await turnsOfTheLoop();
    clock.time += 1_100;
    const { objects } = await listing;
    expect(objects).toHaveLength(61);
    expect(lab.count('vault')).toBe(PAGES + 1);
  });

  it('names the role, and is forgotten, if it is refused', async () => {
    await list();
    lab.emulator.revoke(VAULT, 'reader');
    clock.time += CACHE_MS;
    const refused = await failureOf(list());
    lab.emulator.grant(VAULT, { identity: 'reader', secrets: ['get', 'list'] });
    expect(refused).toMatchObject({ code: 'ERR_FORBIDDEN' });
    expect(refused.message).toMatch(/^Cannot list the secrets of vault "lab-vault": 403 .*it may not list secrets/);
    expect(refused.message).toContain('grant it "Key Vault Secrets User" on the vault');
    expect(refused.message).toContain('the secret permission List');
    expect((await failureOf(lab.open(stranger()).list('secret', lab.context()))).code).toBe('ERR_FORBIDDEN');
    answer({ kind: 'drop' });
    expect((await failureOf(list(0))).code).toBe('ERR_UNREACHABLE');
  });

  it.each<[string, object, RegExp]>([
    ['leaves a volume', { id: 'https://v/secrets/..%2f..%2fetc' }, /an id that is not that of a secret/],
    ['is no name', { id: 'https://v/secrets/a b' }, /an id that is not that of a secret/],
    ['is too long', { id: `https://v/secrets/${'a'.repeat(128)}` }, /an id that is not that of a secret/],
    ['is of another type', { id: 'https://v/keys/a' }, /an id that is not that of a secret/],
    ['is of a version', { id: 'https://v/secrets/a/1' }, /an id that is not that of a secret/],
  ])('is refused if a name %s', async (_, item, words) => {
    answer({ kind: 'answer', status: 200, body: { value: [item] } });
    expect(await failureOf(list())).toMatchObject({ code: 'ERR_VAULT', message: expect.stringMatching(words) });
  });

  it.each([
    'https://evil.localhost/secrets?$skiptoken=x',
    'https://lab-vault.vault.localhost/secrets/s0',
    'https://lab-vault.vault.localhost/deletedsecrets',
  ])('does not go on at %s', async (link) => {
    const nextLink = link.replace('localhost', `localhost:${lab.emulator.port}`);
    answer({ kind: 'answer', status: 200, body: { value: [], nextLink } });
    expect(await failureOf(list())).toMatchObject({ code: 'ERR_VAULT' });
    expect(lab.count('vault')).toBe(1);
  });

  it('of 100,000 objects is refused before its end', async () => {
    const nextLink = `https://lab-vault.vault.localhost:${lab.emulator.port}/secrets?$skiptoken=x`;
    const value = Array.from({ length: 250 }, (_, i) => ({ id: `https://v/secrets/name-${i}`, attributes: {} }));
    answer({ kind: 'answer', status: 200, body: { value, nextLink } });
    const message = expect.stringContaining('a listing of more than 400 pages or 8388608 bytes');
    expect(await failureOf(list())).toMatchObject({ code: 'ERR_VAULT', message });
    expect(lab.count('vault')).toBeLessThanOrEqual(401);
  });

  it('is served as the last known one while the vault is away, and confirms nothing then', async () => {
    expect(await republish('s3')).toEqual({ text: 'value-3', lastKnown: [] });
    answer({ kind: 'drop' });
    clock.time += CACHE_MS;
    expect(await republish('s3')).toEqual({ text: 'value-3', lastKnown: ['*', 's3'] });
    clock.time += STALE_MS - CACHE_MS;
    expect((await failureOf(republish('s3'))).code).toBe('ERR_UNREACHABLE');
  });
});

describe('an object of a listing', () => {
  it('is not read again while its date is the same, but for once in the time of last known values', async () => {
    await republish('s4');
    const turns = 10;
    for (let turn = 1; turn < turns; turn++) {
      clock.time += STALE_MS / turns;
      lab.emulator.requests.clear();
      expect((await republish('s4', 0)).text).toBe('value-4');
      expect(paths()).toEqual(Array.from({ length: PAGES }, () => '/secrets'));
    }
    lab.emulator.revoke(VAULT, 'reader');
    lab.emulator.grant(VAULT, { identity: 'reader', secrets: ['list'] });
    clock.time += STALE_MS / turns;
    const refused = await failureOf(republish('s4', 0));
    lab.emulator.grant(VAULT, { identity: 'reader', secrets: ['get', 'list'] });
    expect(refused.message).toMatch(/^Cannot read secret "s4" from vault "lab-vault": 403/);
  });

  it('is a current value for an outage after it was confirmed', async () => {
    await republish('s8');
    clock.time += STALE_MS / 2;
    await republish('s8');
    clock.time += STALE_MS - CACHE_MS;
    answer({ kind: 'drop' });
    expect(await republish('s8')).toEqual({ text: 'value-8', lastKnown: ['*', 's8'] });
  });

  it('is read when its date changes, even if a value was read a moment ago', async () => {
    await republish('s5');
    clock.time += CACHE_MS / 2;
    await lab.open(reader()).get(secret('s5'), lab.context());
    lab.emulator.setSecret(VAULT, 's5', 'new');
    expect((await republish('s5', 0)).text).toBe('new');
  });

  it('is read again for its time if it was read in the second of its date', async () => {
    lab.emulator.setSecret(VAULT, 's6', 'one');
    expect((await republish('s6')).text).toBe('one');
    lab.emulator.setSecret(VAULT, 's6', 'two');
    expect((await republish('s6')).text).toBe('one');
    clock.time += CACHE_MS;
    expect((await republish('s6')).text).toBe('two');
    lab.emulator.requests.clear();
    clock.time += CACHE_MS;
    expect((await republish('s6')).text).toBe('two');
    expect(lab.count('vault')).toBe(PAGES);
  });

  it('is not delivered to a principal that may not list', async () => {
    await republish('s7');
    const refused = lab.open(stranger()).get(secret('s7'), lab.context());
    expect((await failureOf(refused)).code).toBe('ERR_FORBIDDEN');
  });
});
