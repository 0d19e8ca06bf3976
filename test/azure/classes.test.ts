import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ApiServer } from '../../src/azure/cluster/api-server.ts';
import { Classes } from '../../src/azure/cluster/classes.ts';
import { Lookups } from '../../src/azure/http/lookups.ts';
import { createTransport } from '../../src/azure/http/transport.ts';
import { systemClock } from '../../src/base/clock.ts';
import { Sweeper } from '../../src/base/sweeper.ts';
import { Progress } from '../../src/mount/pending-waits.ts';
import { type ClassParameters, guardedParameters } from '../../src/spc/overrides.ts';
import { type ManualClock, manualClock } from '../support/clocks.ts';
import { type ClusterApi, classObject, startClusterApi } from '../support/cluster-api.ts';
import { type KeptLog, keptLog } from '../support/mount.ts';
import { issue } from '../support/pki.ts';

const REF = { namespace: 'prod', name: 'kv' };
const VAULT = { keyvaultName: 'one' };

let cluster: ClusterApi;
let clock: ManualClock;
let classes: Classes;
let log: KeptLog;
let sweeper: Sweeper;

beforeEach(async () => {
  cluster = await startClusterApi();
  cluster.classes.set('prod/kv', VAULT);
  clock = manualClock();
  sweeper = new Sweeper(clock);
  log = keptLog();
  classes = new Classes(serverAt(cluster), { sweeper, log: log.log });
});
afterEach(() => cluster.close());

function serverAt(api: ClusterApi, env: Partial<ClusterApi['env']> = {}): ApiServer {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = { ...api.env, ...env };
  return new ApiServer({
    address: { host, port },
    serviceAccountDir: api.serviceAccountDir,
    lookup: new Lookups().lookup,
    transportBy: (agent) =>
      createTransport({ agents: { for: () => ({ agent, proxy: '' }) }, userAgent: 'test', timeoutMs: 60_000 }),
  });
}

const has = (parameters: object) => {
  const wanted = guardedParameters(new Map(Object.entries(parameters)));
  return (found: ClassParameters) => [...wanted].every(([name, digest]) => found.get(name) === digest);
};
const read = (fits = has(VAULT), signal = new AbortController().signal) => askOf(classes, { fits, signal });
/** Reads a class as a Mount does. */
function askOf(
  from: Classes,
  { ref = REF, fits = (_: ClassParameters): boolean => true, signal = new AbortController().signal } = {},
) {
  return from.read(ref, { signal, progress: new Progress(systemClock) }, fits);
}
const respond = (status: number, body: string | Buffer) => (_: IncomingMessage, response: ServerResponse) =>
  response.writeHead(status, { 'content-type': 'application/json' }).end(body);

describe('the copy of a class', () => {
  it('answers for thirty seconds, and then is read again', async () => {
    expect((await read()).unconfirmed).toBeUndefined();
    clock.time += 29_999;
    await read();
    expect(cluster.requests).toHaveLength(1);
    clock.time += 1;
    await read();
    expect(cluster.requests).toHaveLength(2);
  });

  it('is read again where it does not fit: the class may have changed', async () => {
    await read();
    cluster.classes.set('prod/kv', { keyvaultName: 'two' });
    const fits = has({ keyvaultName: 'two' });
    const { parameters } = await read(fits);
    expect(fits(parameters)).toBe(true);
    expect(cluster.requests).toHaveLength(2);
  });

  it('is read once for all that ask at a time', async () => {
    await Promise.all(Array.from({ length: 20 }, () => read()));
    expect(cluster.requests).toHaveLength(1);
  });

  it('has the parameters without blanks around them, and an absent one like an empty one', async () => {
    cluster.classes.set('prod/kv', { keyvaultName: ' one\n', cloudName: '' });
    const { parameters } = await read();
    expect(has(VAULT)(parameters)).toBe(true);
    expect(has({})(parameters)).toBe(false);
  });

  it('holds digests only', async () => {
    cluster.classes.set('prod/kv', { keyvaultName: 'one', objects: 'x'.repeat(100_000) });
    const { parameters } = await read();
    expect(Math.max(...[...parameters.values()].map((digest) => digest.length))).toBe(44);
  });
});

describe('where the API server fails', () => {
  it.each([
    [500, 'ERR_VAULT'],
    [429, 'ERR_VAULT'],
    [302, 'ERR_VAULT'],
    [401, 'ERR_SETUP'],
    [403, 'ERR_SETUP'],
  ] as const)('with %i, the last known copy answers and says so, for a day', async (status, code) => {
    await read();
    clock.time += 30_000;
    cluster.answer = respond(status, '{"message": "quoted text"}');
    const copy = await read();
    expect(has(VAULT)(copy.parameters)).toBe(true);
    expect(copy.unconfirmed).toMatch(new RegExp(`^the API server at ${cluster.host} answered ${status}: `));
    expect(copy.unconfirmed).not.toContain('quoted');
    clock.time += 24 * 3_600_000 - 30_001;
    expect(has(VAULT)((await read()).parameters)).toBe(true);
    clock.time += 1;
    sweeper.sweep();
    await expect(read()).rejects.toMatchObject({ code });
  });

  it('it is asked again after five seconds, and until then nobody waits for it', async () => {
    cluster.answer = respond(503, '');
    await expect(read()).rejects.toMatchObject({ code: 'ERR_VAULT' });
    await expect(read()).rejects.toMatchObject({ code: 'ERR_VAULT' });
    expect(cluster.requests).toHaveLength(1);
    expect(log.lines.map(({ level, message }) => [level, message])).toEqual([
      ['warn', 'Cannot read SecretProviderClass'],
    ]);
    cluster.answer = undefined;
    clock.time += 5_000;
    expect((await read()).unconfirmed).toBeUndefined();
  });

  it('a class that does not fit stays one that does not fit', async () => {
    await read();
    cluster.answer = respond(503, '');
    const copy = await read(has({ keyvaultName: 'two' }));
    expect(has({ keyvaultName: 'two' })(copy.parameters)).toBe(false);
    expect(copy.unconfirmed).toContain('answered 503');
  });

  it('a class that is gone is forgotten', async () => {
    await read();
    clock.time += 30_000;
    cluster.classes.clear();
    await expect(read()).rejects.toMatchObject({ code: 'ERR_BAD_PARAMETERS', message: expect.stringContaining('404') });
    cluster.answer = respond(503, '');
    clock.time += 5_000;
    await expect(read()).rejects.toMatchObject({ code: 'ERR_VAULT' });
  });

  it('a connection that is refused is told with its layer', async () => {
    const gone = await startClusterApi();
    await gone.close();
    const { serviceAccountDir } = cluster;
    const away = new Classes(serverAt({ ...gone, serviceAccountDir }), { sweeper, log: log.log });
    await expect(askOf(away)).rejects.toMatchObject({
      code: 'ERR_UNREACHABLE',
      message: expect.stringMatching(/^the API server at 127\.0\.0\.1:\d+ .*TCP/),
    });
  });

  it('a Mount that ends waits no longer, and the request ends with the last one', async () => {
    let ended: Promise<void> | undefined;
    const arrived = new Promise<void>((resolve) => {
      cluster.answer = (_, response) => {
        ended = new Promise((close) => response.on('close', close));
        resolve();
      };
    });
    const [first, second] = [new AbortController(), new AbortController()];
    const waits = [first, second].map(({ signal }) => read(undefined, signal).catch((error: unknown) => error));
    await arrived;
    first.abort(new Error('first'));
    second.abort(new Error('second'));
    await expect(Promise.all(waits)).resolves.toEqual([new Error('first'), new Error('second')]);
    await ended;
    expect(cluster.requests).toHaveLength(1);
  });
});

describe('an answer', () => {
  const deep = `${'['.repeat(100)}${']'.repeat(100)}`;
  it.each([
    ['no JSON', '<html>'],
    ['nothing', ''],
    ['an array', '[]'],
    ['another object', JSON.stringify(classObject({ ...REF, name: 'other' }, VAULT))],
    ['an object of another namespace', JSON.stringify(classObject({ ...REF, namespace: 'other' }, VAULT))],
    ['parameters that are no map', JSON.stringify(classObject(REF, 'text'))],
    ['too many levels', JSON.stringify({ metadata: REF, x: 0 }).replace('0', deep)],
    ['too many entries', JSON.stringify({ metadata: REF, x: Array.from({ length: 50_001 }, () => 0) })],
    ['too many bytes', JSON.stringify({ metadata: REF, x: 'y'.repeat(2 * 1024 * 1024) })],
  ])('is refused where it is %s', async (_, body) => {
    cluster.answer = respond(200, body);
    await expect(read()).rejects.toMatchObject({
      code: 'ERR_VAULT',
      message: expect.stringMatching(/^the API server at \S+ (answered, but not with|did not answer with) /),
    });
  });

  it('is cut off where it does not end', async () => {
    cluster.answer = (_, response) => {
      response.writeHead(200);
      const more = () => response.destroyed || response.write(Buffer.alloc(1024 * 1024, 'x'), more);
      more();
    };
    await expect(read()).rejects.toMatchObject({ code: 'ERR_UNREACHABLE' });
  });

  it('may hold values that are no texts; they count as absent', async () => {
    cluster.classes.set('prod/kv', { ...VAULT, cloudName: 1, objects: { toString: 1 }, tenantID: null });
    expect(has(VAULT)((await read()).parameters)).toBe(true);
  });
});

describe('the files of the service account', () => {
  it('are read for every request: the kubelet renews them', async () => {
    await read();
    cluster.renewToken();
    clock.time += 30_000;
    expect((await read()).unconfirmed).toBeUndefined();
    cluster.renewToken({ write: false });
    clock.time += 30_000;
    expect((await read()).unconfirmed).toContain('answered 401');
  });

  it('hold the CA; a server that it did not sign is not asked', async () => {
    const { certificate } = await issue({ name: 'other', ca: true });
    await read();
    cluster.write('ca.crt', certificate.toString());
    clock.time += 30_000;
    expect((await read()).unconfirmed).toMatch(/TLS/);
    expect(cluster.requests).toHaveLength(1);
  });

  it('the server is asked by a name of its certificate only', async () => {
    const named = new Classes(serverAt(cluster, { KUBERNETES_SERVICE_HOST: 'localhost' }), { sweeper, log: log.log });
    const other = new Classes(serverAt(cluster, { KUBERNETES_SERVICE_HOST: 'api.localhost' }), {
      sweeper,
      log: log.log,
    });
    expect((await askOf(named)).unconfirmed).toBeUndefined();
    await expect(askOf(other)).rejects.toMatchObject({
      code: 'ERR_UNREACHABLE',
      message: expect.stringContaining('TLS'),
    });
  });

  it.each([
    ['token', '', 'it holds no token'],
    ['token', 'two words', 'it holds no token'],
    ['token', 'a\r\nx-other: b', 'it holds no token'],
    ['token', 'x'.repeat(16 * 1024 + 1), 'it is larger than 16384 bytes'],
    ['ca.crt', 'text', 'it holds no certificate'],
    ['ca.crt', 'x'.repeat(1024 * 1024 + 1), 'it is larger than 1048576 bytes'],
  ] as const)('are refused: %s with %j', async (file, text, reason) => {
    cluster.write(file, text);
    await expect(read()).rejects.toMatchObject({ code: 'ERR_SETUP', message: expect.stringContaining(reason) });
    expect(cluster.requests).toEqual([]);
  });

  it('never stand in a message or log line', async () => {
    cluster.answer = (request, response) => respond(403, request.headers.authorization ?? '')(request, response);
    const error: unknown = await read().catch((thrown: unknown) => thrown);
    expect(JSON.stringify([error, String(error), log.lines])).not.toContain('eyJ');
  });
});

it.each(['x', '0', '70000', '-1'])('a port that is none is told: %s', async (port) => {
  const wrong = new Classes(serverAt(cluster, { KUBERNETES_SERVICE_PORT: port }), { sweeper, log: log.log });
  await expect(askOf(wrong)).rejects.toMatchObject({
    code: 'ERR_SETUP',
    message: expect.stringContaining('KUBERNETES_SERVICE_PORT'),
  });
});

it('the copies are bounded: classes of a namespace that asks for many push out no others', async () => {
  await read();
  for (let i = 0; i < 500; i++) {
    cluster.classes.set(`many/c${i}`, VAULT);
    await askOf(classes, { ref: { namespace: 'many', name: `c${i}` } });
  }
  expect(sweeper.size).toBe(500);
  const asked = cluster.requests.length;
  await read();
  expect(cluster.requests).toHaveLength(asked);
});
