/** Reads client IDs of service accounts from an API server over HTTPS. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ApiServer } from '../../src/azure/cluster/api-server.ts';
import { ServiceAccounts } from '../../src/azure/cluster/service-accounts.ts';
import { Lookups } from '../../src/azure/http/lookups.ts';
import { createTransport } from '../../src/azure/http/transport.ts';
import { systemClock } from '../../src/base/clock.ts';
import { Sweeper } from '../../src/base/sweeper.ts';
import { Progress } from '../../src/mount/pending-waits.ts';
import { type ManualClock, manualClock } from '../support/clocks.ts';
import { type ClusterApi, startClusterApi } from '../support/cluster-api.ts';
import { failureOf, type KeptLog, keptLog } from '../support/mount.ts';

const CLIENT = '33333333-3333-3333-3333-333333333333';
const OTHER = '44444444-4444-4444-4444-444444444444';
const ANNOTATION = 'azure.workload.identity/client-id';
const FRESH_MS = 5 * 60_000;
const DAY_MS = 24 * 3_600_000;

let cluster: ClusterApi;
let clock: ManualClock;
let accounts: ServiceAccounts;
let log: KeptLog;

beforeEach(async () => {
  cluster = await startClusterApi();
  cluster.accounts.set('prod/app', { [ANNOTATION]: CLIENT });
  clock = manualClock();
  log = keptLog();
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = cluster.env;
  const server = new ApiServer({
    address: { host, port },
    serviceAccountDir: cluster.serviceAccountDir,
    lookup: new Lookups().lookup,
    transportBy: (agent) =>
      createTransport({ agents: { for: () => ({ agent, proxy: '' }) }, userAgent: 'test', timeoutMs: 60_000 }),
  });
  accounts = new ServiceAccounts(server, { sweeper: new Sweeper(clock), log: log.log });
});
afterEach(() => cluster.close());

function ask(name = 'app', namespace = 'prod'): Promise<string> {
  const context = { signal: new AbortController().signal, progress: new Progress(systemClock) };
  return accounts.clientIdOf({ namespace, name }, context);
}

describe('the client ID of a service account', () => {
  it('is read once for all that ask at a time, and again after five minutes', async () => {
    expect(new Set(await Promise.all(Array.from({ length: 20 }, () => ask())))).toEqual(new Set([CLIENT]));
    clock.time += FRESH_MS - 1;
    cluster.accounts.set('prod/app', { [ANNOTATION]: ` ${OTHER}\n` });
    expect(await ask()).toBe(CLIENT);
    expect(cluster.requests).toEqual(['/api/v1/namespaces/prod/serviceaccounts/app']);
    clock.time += 1;
    expect(await ask()).toBe(OTHER);
    expect(cluster.requests).toHaveLength(2);
  });

  it('is that of its own namespace and name', async () => {
    cluster.accounts.set('dev/app', { [ANNOTATION]: OTHER });
    expect(await Promise.all([ask(), ask('app', 'dev')])).toEqual([CLIENT, OTHER]);
  });

  it.each([500, 429, 401, 403])('is the last known one for a day if the API server answers %i', async (code) => {
    await ask();
    clock.time += FRESH_MS;
    cluster.answer = (_, response) => response.writeHead(code).end('{}');
    expect(await ask()).toBe(CLIENT);
    expect(log.lines.at(-1)?.message ?? JSON.stringify(log.lines.at(-1))).toContain('Cannot read ServiceAccount');
    clock.time += DAY_MS;
    await failureOf(ask());
  });

  it.each<[string, Readonly<Record<string, unknown>>, string]>([
    ['no annotation', {}, `it has no annotation ${ANNOTATION}; set it`],
    ['an empty one', { [ANNOTATION]: ' ' }, 'it has no annotation'],
    ['a name', { [ANNOTATION]: 'my-identity' }, 'is "my-identity", which is not a GUID'],
    ['a path', { [ANNOTATION]: `${CLIENT}/../x` }, 'which is not a GUID'],
    ['a list', { [ANNOTATION]: [CLIENT] }, 'it has no annotation'],
    ['a long text', { [ANNOTATION]: 'x'.repeat(100_000) }, 'which is not a GUID'],
  ])('is not taken from %s, which also ends the last known one', async (_, annotations, told) => {
    await ask();
    cluster.accounts.set('prod/app', annotations);
    clock.time += FRESH_MS;
    const refused = await failureOf(ask());
    expect(refused.code).toBe('ERR_BAD_PARAMETERS');
    expect(refused.message).toContain(told);
    expect(refused.message.length).toBeLessThan(1000);
    await failureOf(ask());
    expect(cluster.requests).toHaveLength(2);
    clock.time += 5_000;
    cluster.accounts.set('prod/app', { [ANNOTATION]: OTHER });
    expect(await ask()).toBe(OTHER);
  });

  it('of an account that does not exist, or may not be read, is an error with the remedy', async () => {
    expect((await failureOf(ask('nobody'))).message).toContain('answered 404: it does not exist');
    cluster.allowed = false;
    const refused = await failureOf(ask());
    expect(refused.code).toBe('ERR_SETUP');
    expect(refused.message).toContain('grant the service account of the provider "get" on serviceaccounts');
  });

  it('is not taken from an answer for another account', async () => {
    const metadata = { namespace: 'prod', name: 'other', annotations: { [ANNOTATION]: OTHER } };
    cluster.answer = (_, response) => response.writeHead(200).end(JSON.stringify({ metadata }));
    expect(await failureOf(ask())).toMatchObject({ code: 'ERR_VAULT' });
  });

  it.each(['../secrets/x', 'a/b', '', 'A', 'a?x=y', '%2e%2e'])('is not asked for by the name %j', async (name) => {
    expect(await failureOf(ask(name))).toMatchObject({ code: 'ERR_BAD_PARAMETERS' });
    expect(await failureOf(ask('app', name))).toMatchObject({ code: 'ERR_BAD_PARAMETERS' });
    expect(cluster.requests).toEqual([]);
  });
});
