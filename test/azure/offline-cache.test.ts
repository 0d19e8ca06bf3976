/** Holds what passes between the memory of outages and the store on the disk, in both directions. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { OfflineCache } from '../../src/azure/offline-cache.ts';
import { SealedStore } from '../../src/azure/store/sealed-store.ts';
import type { KnownRequest } from '../../src/azure/vault/known-request.ts';
import type { KnownEntry } from '../../src/azure/vault/last-known-good.ts';
import { Secret } from '../../src/base/secret.ts';
import { Sweeper } from '../../src/base/sweeper.ts';
import { silentTelemetry } from '../../src/base/telemetry.ts';
import { type ManualClock, manualClock } from '../support/clocks.ts';
import { keptLog } from '../support/mount.ts';
import { DAY_MS, LIMITS, newDirectory, newKey } from '../support/store.ts';

const key = await newKey();
const request = (name: string, principal = 'p'): KnownRequest<'read'> => ({
  principal,
  vaultUrl: 'https://kv.vault.azure.net',
  operation: 'read',
  type: 'secret',
  name,
  version: '',
});
const entry = (name: string, text: string, heldMs = 0): KnownEntry<'read'> => ({
  ...request(name),
  value: {
    type: 'secret',
    version: '1',
    expiresAt: undefined,
    value: new Secret(text),
    contentType: '',
    certificateBacked: false,
  },
  ageMs: 0,
  heldMs,
});
const keys = [{ kty: 'RSA', kid: 'k', n: 'AQ', e: 'AQAB' }];

/** A cache as a new process opens it, with what it handed over. */
async function opened(
  directory: string,
  clock: ManualClock,
  more: Partial<Parameters<OfflineCache['open']>[1]> = {},
  cache = new OfflineCache(),
) {
  const found: unknown[] = [];
  const { log, lines } = keptLog();
  const sweeper = new Sweeper(clock);
  await cache.open(
    { directory, keys: [key] },
    { maxStaleMs: DAY_MS, clock, sweeper, log, telemetry: silentTelemetry, ...more },
    {
      values: {
        load: ({ name, value, ageMs, heldMs }) => {
          const text = 'type' in value && value.type === 'secret' ? value.value.reveal() : '';
          found.push(`${name}=${text} ${ageMs} ${heldMs}`);
        },
      },
      principals: { load: (principal, ageMs) => void found.push(`principal ${principal} ${ageMs}`) },
      issuers: {
        load: (issuer) => {
          found.push(issuer);
          return true;
        },
      },
    },
  );
  return { cache, found, lines };
}

describe('the offline cache', () => {
  it('hands on values with their ages, principals and issuers', async () => {
    const [directory, clock] = [newDirectory(), manualClock()];
    const first = await opened(directory, clock);
    first.cache.principals.accepted('p');
    first.cache.values.kept(entry('a', 'one', 5000));
    first.cache.issuers.kept({ issuer: 'https://issuer', keys, ageMs: 0 });
    await first.cache.close();
    clock.time += 1000;
    const { cache, found } = await opened(directory, clock);
    await cache.close();
    expect(found).toHaveLength(3);
    expect(found).toEqual(
      expect.arrayContaining(['a=one 1000 6000', 'principal p 1000', { issuer: 'https://issuer', keys, ageMs: 1000 }]),
    );
  });

  it('keeps the keys of issuers for a day longer than values, as the memory does, and forgets those that made room', async () => {
    const [directory, clock] = [newDirectory(), manualClock()];
    const first = await opened(directory, clock);
    first.cache.principals.accepted('p');
    first.cache.values.kept(entry('a', 'one'));
    for (const issuer of ['https://issuer', 'https://other']) first.cache.issuers.kept({ issuer, keys, ageMs: 0 });
    first.cache.issuers.dropped('https://other');
    await first.cache.close();
    clock.time += 2 * DAY_MS;
    const second = await opened(directory, clock);
    await second.cache.close();
    expect(second.found).toEqual([{ issuer: 'https://issuer', keys, ageMs: 2 * DAY_MS }]);
    clock.time += 1;
    const third = await opened(directory, clock);
    await third.cache.close();
    expect(third.found).toEqual([]);
  });

  it('forgets a value that a vault refused, and a principal that a login service refused', async () => {
    const [directory, clock] = [newDirectory(), manualClock()];
    const first = await opened(directory, clock);
    for (const principal of ['p', 'q']) first.cache.principals.accepted(principal);
    first.cache.values.kept(entry('a', 'one'));
    first.cache.values.kept(entry('b', 'two'));
    first.cache.values.kept({ ...entry('c', 'three'), principal: 'q' });
    first.cache.values.kept({ ...entry('d', 'four'), principal: 'q' });
    first.cache.values.erased(request('d', 'q'));
    first.cache.principals.refused('p');
    await first.cache.close();
    const { cache, found } = await opened(directory, clock);
    await cache.close();
    expect(found.toSorted()).toEqual(['c=three 0 0', 'principal q 0']);
  });

  it('removes entries of kinds that it does not know', async () => {
    const [directory, clock] = [newDirectory(), manualClock()];
    const { log } = keptLog();
    const options = { directory, keys: [key] as const, maxStaleMs: DAY_MS, limits: LIMITS, clock, log };
    const store = await SealedStore.open({ ...options, telemetry: silentTelemetry }, () => true);
    for (const kind of ['known value 1', 'issuer 1', 'later 2']) store.put([kind, 'p', 'x'], Buffer.from('{'));
    await store.close();
    const { cache, found } = await opened(directory, clock);
    await cache.close();
    const left: unknown[] = [];
    const again = await SealedStore.open({ ...options, telemetry: silentTelemetry }, (one) => left.push(one.key) > 0);
    await again.close();
    expect([found, left]).toEqual([[], []]);
  });

  it('keeps nothing where its directory is not fit for it, and says so', async () => {
    const directory = newDirectory();
    writeFileSync(join(directory, 'akv-csi-v1'), '');
    const { cache, found, lines } = await opened(directory, manualClock());
    cache.values.kept(entry('a', 'one'));
    cache.values.erased(request('a'));
    cache.principals.accepted('p');
    cache.principals.refused('p');
    cache.issuers.kept({ issuer: 'https://issuer', keys, ageMs: 0 });
    await cache.close();
    expect(found).toEqual([]);
    expect(JSON.stringify(lines)).toMatch(/Cannot open the offline cache.*it is not a directory; delete it/);
  });

  it('lets Mounts go on where the disk does not answer', async () => {
    const openStore = () => new Promise<SealedStore>(() => {});
    const { cache, lines } = await opened(newDirectory(), manualClock(), { openStore, openLimitMs: 1 });
    cache.values.kept(entry('a', 'one'));
    await cache.close();
    expect(JSON.stringify(lines)).toMatch(/The offline cache takes long to open.*check the disk of the node/);
  });

  it.each([
    ['before its values are read', 'early'],
    ['after its values are read', 'late'],
  ])('brings back nothing of a principal that was refused while it was opened, %s', async (_, when) => {
    const [directory, clock] = [newDirectory(), manualClock()];
    const first = await opened(directory, clock);
    for (const principal of ['p', 'q', 'r']) {
      first.cache.principals.accepted(principal);
      first.cache.values.kept({ ...entry('a', principal), principal });
    }
    await first.cache.close();
    const late = new OfflineCache();
    const refuse = () => {
      late.values.erased(request('a', 'p'));
      late.principals.refused('q');
    };
    const openStore: typeof SealedStore.open = (options, accept) => {
      if (when === 'early') refuse();
      return SealedStore.open(options, accept).finally(() => when === 'late' && refuse());
    };
    const { found } = await opened(directory, clock, { openStore }, late);
    await late.close();
    if (when === 'early') expect(found.toSorted()).toEqual(['a=r 0 0', 'principal r 0']);
    const next = await opened(directory, clock);
    await next.cache.close();
    expect(next.found.toSorted()).toEqual(['a=r 0 0', 'principal r 0']);
  });

  it('brings back nothing at all where more are refused meanwhile than it remembers', async () => {
    const [directory, clock] = [newDirectory(), manualClock()];
    const first = await opened(directory, clock);
    first.cache.values.kept(entry('a', 'one'));
    await first.cache.close();
    const late = new OfflineCache();
    const openStore: typeof SealedStore.open = (options, accept) => {
      for (let at = 0; at < 20_000; at++) late.principals.refused(`${at}`);
      return SealedStore.open(options, accept);
    };
    expect((await opened(directory, clock, { openStore }, late)).found).toEqual([]);
    await late.close();
    const next = await opened(directory, clock);
    await next.cache.close();
    expect(next.found).toEqual([]);
  });
});
