import os from 'node:os';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { networkFailure } from '../../src/azure/http/network-error.ts';
import { resolverBy } from '../../src/azure/http/resolver.ts';
import { nameServer, resolverFiles } from '../support/name-server.ts';
import { eventually, scratch } from '../support/process.ts';

const VAULT = 'kv.vault.example.net';

/** The addresses of a name, or the code that the lookup fails with. */
async function outcome(found: ReturnType<ReturnType<typeof resolverBy>>): Promise<unknown> {
  return found.then(
    ({ addresses }) => addresses.map(({ address }) => address),
    (error: unknown) => networkFailure(error)?.code ?? error,
  );
}

/** Stops the timers of the code; those of c-ares and of sockets go on. */
function stopTimers(): void {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
}

/** This machine has such IPv6 addresses, and no other. */
function withIPv6(...addresses: string[]): void {
  const entries = addresses.map((address) => ({ address, family: 'IPv6', internal: false }));
  vi.spyOn(os, 'networkInterfaces').mockReturnValue({ eth0: entries as os.NetworkInterfaceInfo[] });
}

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe('the hosts file', () => {
  it('comes before the name servers, in any case of letters', async () => {
    const server = await nameServer({ [VAULT]: ['192.0.2.1'] });
    const resolve = resolverBy(resolverFiles(scratch(), [server], { hosts: `192.0.2.7 other ${VAULT} # x\n` }));
    expect(await outcome(resolve('KV.vault.Example.net'))).toEqual(['192.0.2.7']);
    expect(server.asked).toEqual([]);
  });

  it('is read again for each lookup', async () => {
    const server = await nameServer({});
    const directory = scratch();
    const resolve = resolverBy(resolverFiles(directory, [server]));
    expect(await outcome(resolve(VAULT))).toBe('ENOTFOUND');
    resolverFiles(directory, [server], { hosts: `192.0.2.7 ${VAULT}\n` });
    expect(await outcome(resolve(VAULT))).toEqual(['192.0.2.7']);
  });
});

describe('search domains', () => {
  const search = 'search ns.svc.cluster.local corp.example\noptions timeout:1 ndots:5 edns0\n';
  it.each([
    ['a vault', VAULT, [VAULT]],
    ['a name without dots', 'proxy', ['proxy.ns.svc.cluster.local', 'proxy.corp.example']],
    ['a name with one dot', 'proxy.ns', ['proxy.ns.ns.svc.cluster.local', 'proxy.ns.corp.example', 'proxy.ns']],
    [
      'a name with two dots that stands in a search domain',
      'api.a.b',
      ['api.a.b', 'api.a.b.ns.svc.cluster.local', 'api.a.b.corp.example'],
    ],
    ['a name with a dot at its end', 'proxy.', ['proxy']],
  ])('of %s are asked for in this order', async (_, name, asked) => {
    const zone = { [VAULT]: ['192.0.2.1'], 'proxy.corp.example': ['192.0.2.2'] };
    const server = await nameServer(zone);
    await outcome(resolverBy(resolverFiles(scratch(), [server], { options: search }))(name));
    expect(server.asked).toEqual(asked);
  });

  it('are not asked for a name with more dots than ndots before the name itself', async () => {
    const server = await nameServer({ 'a.b': ['192.0.2.1'] });
    const resolve = resolverBy(resolverFiles(scratch(), [server], { options: 'search corp.example\n' }));
    expect(await outcome(resolve('a.b'))).toEqual(['192.0.2.1']);
    expect(server.asked).toEqual(['a.b']);
  });

  it('one that the name server fails for does not hide the next', async () => {
    const server = await nameServer({ 'proxy.a.example': 'SERVFAIL', 'proxy.b.example': ['192.0.2.1'] });
    const resolve = resolverBy(resolverFiles(scratch(), [server], { options: 'search a.example b.example\n' }));
    expect(await outcome(resolve('proxy'))).toEqual(['192.0.2.1']);
  });
});

describe('a name server', () => {
  it.each(['SERVFAIL', 'REFUSED'] as const)('that answers %s is followed by the next', async (answer) => {
    const servers = [await nameServer({ [VAULT]: answer }), await nameServer({ [VAULT]: ['192.0.2.1'] })];
    expect(await outcome(resolverBy(resolverFiles(scratch(), servers))(VAULT))).toEqual(['192.0.2.1']);
    expect(servers.map(({ asked }) => asked.length)).toEqual([1, 1]);
  });

  it('that says that the name does not exist is believed', async () => {
    const servers = [await nameServer({}), await nameServer({ [VAULT]: ['192.0.2.1'] })];
    expect(await outcome(resolverBy(resolverFiles(scratch(), servers))(VAULT))).toBe('ENOTFOUND');
    expect(servers[1]?.asked).toEqual([]);
  });

  it('that is not there is followed by the next', async () => {
    const servers = [{ address: '127.0.0.1:1' }, await nameServer({ [VAULT]: ['192.0.2.1'] })];
    expect(await outcome(resolverBy(resolverFiles(scratch(), servers))(VAULT))).toEqual(['192.0.2.1']);
  });

  it('that is silent for a second is followed by the next, and may still answer', async () => {
    stopTimers();
    const servers = [await nameServer({ [VAULT]: 'silent' }), await nameServer({ [VAULT]: ['192.0.2.1'] })];
    const found = outcome(resolverBy(resolverFiles(scratch(), servers))(VAULT));
    await eventually(() => servers[0]?.asked.length === 1);
    expect(servers[1]?.asked).toEqual([]);
    vi.advanceTimersByTime(1_000);
    expect(await found).toEqual(['192.0.2.1']);
  });

  it.each([
    ['is silent', 'silent', 'EAI_AGAIN', /did not answer for this name \(asked .+\); check the DNS/],
    ['fails', 'SERVFAIL', 'ESERVFAIL', /cannot resolve this name \(asked .+\); check its forwarders/],
    ['refuses', 'REFUSED', 'EREFUSED', /refuses to resolve this name \(asked .+\); check which clients/],
    ['knows no address', [], 'EAI_NODATA', /exists and has no address; check/],
    ['knows no such name', 'NXDOMAIN', 'ENOTFOUND', /does not exist; check/],
  ] as const)('that %s is told as that', async (_, answer, code, words) => {
    stopTimers();
    const server = await nameServer({ [VAULT]: answer });
    const found = resolverBy(resolverFiles(scratch(), [server]))(VAULT).catch((error: unknown) => error);
    await eventually(() => server.asked.length === 1);
    if (answer === 'silent') vi.advanceTimersByTime(5_000);
    const failure = networkFailure(await found);
    expect(failure).toMatchObject({ layer: 'DNS', code, explanation: expect.stringMatching(words) });
    if (answer !== 'NXDOMAIN' && typeof answer === 'string') expect(failure?.explanation).toContain(server.address);
  });

  it('that nobody runs is told as that', async () => {
    const resolve = resolverBy(resolverFiles(scratch(), [{ address: '127.0.0.1:1' }]));
    expect(networkFailure(await resolve(VAULT).catch((error: unknown) => error))).toMatchObject({
      code: 'NO_NAME_SERVER',
      explanation: expect.stringContaining('no name server can be reached (asked 127.0.0.1:1)'),
    });
  });

  it('no more than three are asked, each twice at most', async () => {
    stopTimers();
    const servers = await Promise.all(Array.from({ length: 5 }, () => nameServer({ [VAULT]: 'silent' })));
    const found = outcome(resolverBy(resolverFiles(scratch(), servers))(VAULT));
    for (let i = 0; i < 5; i++) {
      await eventually(() => servers.reduce((sum, { asked }) => sum + asked.length, 0) === i + 1);
      vi.advanceTimersByTime(1_000);
    }
    expect(await found).toBe('EAI_AGAIN');
    expect(servers.map(({ asked }) => asked.length)).toEqual([2, 2, 1, 0, 0]);
  });
});

describe('addresses of both families', () => {
  const BOTH = ['192.0.2.1', '2001:db8:0:0:0:0:0:2'];
  it.each([
    ['no IPv6 address', [], ['192.0.2.1']],
    ['a link-local one only', ['fe80::1'], ['192.0.2.1']],
    ['a public one', ['2001:db8::9'], ['2001:db8::2', '192.0.2.1']],
    ['a private one', ['fd00::9'], ['192.0.2.1', '2001:db8::2']],
  ])('on a machine with %s', async (_, ours, expected) => {
    withIPv6(...ours);
    const server = await nameServer({ [VAULT]: BOTH });
    expect(await outcome(resolverBy(resolverFiles(scratch(), [server]))(VAULT))).toEqual(expected);
  });
});
