import { once } from 'node:events';
import https from 'node:https';
import type { AddressInfo, LookupFunction } from 'node:net';
import { createPipelineRequest } from '@azure/core-rest-pipeline';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { Agents } from '../../src/azure/http/agents.ts';
import { Lookups } from '../../src/azure/http/lookups.ts';
import { networkFailure } from '../../src/azure/http/network-error.ts';
import { type Resolve, resolverBy } from '../../src/azure/http/resolver.ts';
import { createTransport } from '../../src/azure/http/transport.ts';
import { Sweeper } from '../../src/base/sweeper.ts';
import { manualClock } from '../support/clocks.ts';
import { type NameServer, nameServer, resolverFiles, type Zone } from '../support/name-server.ts';
import { issue, keyPem } from '../support/pki.ts';
import { eventually, scratch } from '../support/process.ts';

const NAME = 'kv.vault.example.net';

const find = (lookup: LookupFunction, name = NAME) =>
  new Promise<unknown>((resolve) =>
    lookup(name, { family: 4 }, (error, address) =>
      resolve(error === null ? address : (networkFailure(error)?.code ?? error)),
    ),
  );

/** Lookups at a name server of the test, by a clock that stands still, and the results they count. */
async function lookupsAt(zone: Zone, ttl = 30) {
  const server = await nameServer(zone, { ttl });
  const clock = manualClock();
  const counted: string[] = [];
  const { lookup, ...rest } = lookupsOf(resolverBy(resolverFiles(scratch(), [server])), clock, counted);
  return { server, clock, counted, lookup, ...rest };
}

function lookupsOf(resolve: Resolve, clock = manualClock(), counted: string[] = []) {
  const sweeper = new Sweeper(clock);
  const lookups = new Lookups({ resolve, sweeper, telemetry: { nameLookup: (result) => void counted.push(result) } });
  return { lookups, lookup: lookups.lookup, sweeper };
}

/** Stops the timers of the code; those of c-ares and of sockets go on. */
beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
afterEach(() => void vi.useRealTimers());

describe('one name', () => {
  it('is asked for once by all who need it, and not again within its TTL', async () => {
    const { server, clock, lookup, counted } = await lookupsAt({ [NAME]: ['192.0.2.1'] });
    expect(await Promise.all([find(lookup), find(lookup), find(lookup)])).toEqual(Array(3).fill('192.0.2.1'));
    clock.time += 29_999;
    await find(lookup);
    expect(server.asked).toHaveLength(1);
    clock.time += 1;
    server.zone[NAME] = ['192.0.2.2'];
    expect(await find(lookup)).toBe('192.0.2.2');
    expect([server.asked.length, counted]).toEqual([2, ['ok', 'ok']]);
  });

  it.each([
    ['of a day: a minute', 86_400, 60_000],
    ['of 0: a second', 0, 1_000],
  ])('is kept with a TTL %s', async (_, ttl, keptMs) => {
    const { server, clock, lookup } = await lookupsAt({ [NAME]: ['192.0.2.1'] }, ttl);
    await find(lookup);
    clock.time += keptMs - 1;
    await find(lookup);
    expect(server.asked).toHaveLength(1);
    clock.time += 1;
    await find(lookup);
    expect(server.asked).toHaveLength(2);
  });

  it('is asked for again after a connection that failed, whose address then comes last', async () => {
    const { server, lookup, lookups } = await lookupsAt({ [NAME]: ['192.0.2.1', '192.0.2.2'] });
    expect(await find(lookup)).toBe('192.0.2.1');
    server.zone[NAME] = 'silent';
    lookups.doubt(NAME, '192.0.2.1');
    const found = find(lookup);
    await eventually(() => server.asked.length === 2);
    vi.advanceTimersByTime(1_500);
    expect(await found).toBe('192.0.2.2');
  });

  it('has no address of the family that is wanted', async () => {
    const { lookup } = lookupsOf(async () => ({ addresses: [{ address: '2001:db8::1', family: 6 }], ttlMs: 1 }));
    expect(await find(lookup)).toBe('EAI_NODATA');
  });
});

describe('while name servers fail', () => {
  it.each([
    ['say nothing', 'silent', 1_500],
    ['cannot answer', 'SERVFAIL', 0],
  ] as const)('and %s, the answer from before serves for an hour', async (_, answer, waitMs) => {
    const { server, clock, lookup, counted } = await lookupsAt({ [NAME]: ['192.0.2.1'] });
    await find(lookup);
    server.zone[NAME] = answer;
    clock.time += 60_000;
    const found = find(lookup);
    await eventually(() => server.asked.length === 2);
    vi.advanceTimersByTime(waitMs);
    expect(await found).toBe('192.0.2.1');
    expect(counted).toContain('stale');
    // The lookup itself ends in its own time, and is not repeated at once.
    vi.advanceTimersByTime(5_000);
    await eventually(() => counted.includes('failed'));
    const asked = server.asked.length;
    expect(await find(lookup)).toBe('192.0.2.1');
    expect(server.asked).toHaveLength(asked);
    clock.time += 3_600_000;
    const last = find(lookup);
    await eventually(() => server.asked.length > asked);
    vi.advanceTimersByTime(5_000);
    expect(await last).toMatch(/^(EAI_AGAIN|ESERVFAIL)$/);
  });

  it('and work again, the new answer serves', async () => {
    const { server, clock, lookup } = await lookupsAt({ [NAME]: ['192.0.2.1'] });
    await find(lookup);
    server.zone[NAME] = 'SERVFAIL';
    clock.time += 60_000;
    expect(await find(lookup)).toBe('192.0.2.1');
    server.zone[NAME] = ['192.0.2.2'];
    clock.time += 10_000;
    expect(await find(lookup)).toBe('192.0.2.2');
  });

  it('a name that does not exist any more is not served', async () => {
    const { server, clock, lookup, counted } = await lookupsAt({ [NAME]: ['192.0.2.1'] });
    await find(lookup);
    delete server.zone[NAME];
    clock.time += 60_000;
    expect(await find(lookup)).toBe('ENOTFOUND');
    server.zone[NAME] = 'SERVFAIL';
    expect(await find(lookup)).toBe('ESERVFAIL');
    expect(counted).toEqual(['ok', 'not_found', 'failed']);
  });
});

describe('the number', () => {
  it('of lookups under way is bounded, and names that were silent before leave room for others', async () => {
    const silent = new Map<string, (error: Error) => void>();
    const { lookup } = lookupsOf((name) =>
      name.startsWith('good')
        ? Promise.resolve({ addresses: [{ address: '192.0.2.1', family: 4 }], ttlMs: 0 })
        : new Promise((_, reject) => void silent.set(name, reject)),
    );
    const bad = (i: number) => `bad-${i}.example`;
    const all = Array.from({ length: 64 }, (_, i) => find(lookup, bad(i)));
    await eventually(() => silent.size === 64);
    expect(await find(lookup, 'good.example')).toBe('TOO_MANY_LOOKUPS');
    for (const reject of silent.values()) reject(Object.assign(new Error(), { code: 'EAI_AGAIN' }));
    expect(await Promise.all(all)).toEqual(Array(64).fill('EAI_AGAIN'));
    silent.clear();
    const again = Array.from({ length: 64 }, (_, i) => find(lookup, bad(i)));
    expect(await Promise.all(again.slice(32))).toEqual(Array(32).fill('TOO_MANY_LOOKUPS'));
    expect(silent.size).toBe(32);
    expect(await find(lookup, 'good.example')).toBe('192.0.2.1');
    for (const reject of silent.values()) reject(new Error());
    await Promise.all(again);
  });

  it('of answers kept is bounded', async () => {
    const { lookup, sweeper } = lookupsOf(async () => ({ addresses: [{ address: '192.0.2.1', family: 4 }], ttlMs: 1 }));
    for (let i = 0; i < 510; i++) await find(lookup, `n${i}.example`);
    expect(sweeper.size).toBe(500);
  });

  it('of answers kept is charged to whom a host gave something: names of other hosts push none of these out', async () => {
    const clock = manualClock();
    let failing = false;
    const resolve = async () => {
      if (failing) throw Object.assign(new Error('no answer'), { code: 'ETIMEOUT' });
      return { addresses: [{ address: '192.0.2.1', family: 4 }], ttlMs: 1 };
    };
    const { lookups, lookup } = lookupsOf(resolve, clock);
    await find(lookup);
    lookups.claim(`${NAME}:443`, 'p');
    clock.time += 2_000;
    await find(lookup);
    for (let i = 0; i < 600; i++) await find(lookup, `n${i}.example`);
    for (let i = 0; i < 600; i++) {
      await find(lookup, `m${i}.example`);
      lookups.claim(`m${i}.example`, 'thief');
    }
    failing = true;
    clock.time += 2_000;
    expect(await find(lookup)).toBe('192.0.2.1');
    expect(await find(lookup, 'm0.example')).toBe('ETIMEOUT');
  });
});

describe('four names that no name server answers for', () => {
  let server: NameServer;
  let agents: Agents;
  let port: number;
  beforeEach(async () => {
    const { certificate, key } = await issue({ name: 'good.example' });
    const zone = { 'good.example': ['127.0.0.1'] };
    server = await nameServer({
      ...zone,
      ...Object.fromEntries([0, 1, 2, 3].map((i) => [`bad-${i}.example`, 'silent'])),
    });
    const cert = certificate.toString();
    const host = https.createServer({ cert, key: keyPem(key) }, (_, response) => response.end('{}'));
    host.listen(0, '127.0.0.1');
    await once(host, 'listening');
    port = (host.address() as AddressInfo).port;
    agents = new Agents([cert], { resolve: resolverBy(resolverFiles(scratch(), [server])) });
    onTestFinished(async () => {
      agents.close();
      host.closeAllConnections();
      await new Promise((resolve) => host.close(resolve));
    });
  });

  it('do not hold up requests to another host, and fail with the name server that was silent', async () => {
    const transport = createTransport({ agents, userAgent: 'test', timeoutMs: 30_000 });
    const ask = (name: string) => transport.sendRequest(createPipelineRequest({ url: `https://${name}:${port}/` }));
    let failed = 0;
    const bad = [0, 1, 2, 3, 0, 1, 2, 3].map((i) =>
      ask(`bad-${i}.example`).catch((error: unknown) => {
        failed++;
        return networkFailure(error);
      }),
    );
    await eventually(() => server.asked.length === 4);
    expect(await ask('good.example')).toMatchObject({ status: 200 });
    expect(failed).toBe(0);
    // One question for both requests to a name, which a second later is sent again.
    expect(server.asked).toHaveLength(5);
    vi.advanceTimersByTime(5_000);
    for (const failure of await Promise.all(bad)) {
      expect(failure).toMatchObject({
        code: 'EAI_AGAIN',
        transient: false,
        explanation: expect.stringContaining(`(asked ${server.address})`),
      });
    }
  });
});
