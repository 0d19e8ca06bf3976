import https from 'node:https';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { inspect } from 'node:util';
import { createPipelineRequest, RestError } from '@azure/core-rest-pipeline';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Agents } from '../../src/azure/http/agents.ts';
import { networkFailure } from '../../src/azure/http/network-error.ts';
import { resolverBy } from '../../src/azure/http/resolver.ts';
import { createTransport } from '../../src/azure/http/transport.ts';
import type { Fault } from '../../src/emulator/host/faults.ts';
import type { VaultReader } from '../../src/mount/ports.ts';
import { type Lab, POD, reader, secret, startLab, TENANT, textOf } from '../support/azure.ts';
import { type Issued, issue, keyPem } from '../support/pki.ts';
import { countTurnsAsTime } from '../support/turns.ts';

countTurnsAsTime();

const VALUE = 'the-value-that-nobody-may-see';
type Answer = Omit<Extract<Fault['action'], { kind: 'answer' }>, 'kind'>;

let lab: Lab;
/** Has a request timeout of one second. */
let hasty: Lab;
let expired: Issued;
let misnamed: Issued;
let untrusted: Issued;
const servers: Server[] = [];

beforeAll(async () => {
  expired = await issue({ name: 'x.vault.localhost', notAfter: new Date('2021-01-01') });
  misnamed = await issue({ name: 'other.localhost' });
  untrusted = await issue({ name: 'x.vault.localhost' });
  lab = await startLab({ trust: expired.certificate.toString() + misnamed.certificate.toString() });
  hasty = await startLab({ requestTimeoutMs: 1000 });
});
beforeEach(() => lab.emulator.requests.clear());
afterEach(async () => {
  lab.emulator.faults.clear();
  await Promise.all(servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
});
afterAll(() => Promise.all([lab.close(), hasty.close()]));

function answer(on: 'vault' | 'entra', { status, headers = {}, body }: Answer): void {
  lab.emulator.faults.add({
    on,
    action: { kind: 'answer', status, headers, ...(body === undefined ? {} : { body }) },
  });
}

async function portOf(server: Server): Promise<number> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

/** Returns a reader of the vault "x" at a port of this machine. */
function vaultAt(port: number): VaultReader {
  return lab.azure.vaults.open({
    pod: POD,
    cloud: lab.cloud,
    tenantId: TENANT,
    identity: reader(),
    vaultName: 'x',
    vaultUrl: `https://x.vault.localhost:${port}`,
  });
}

/** Returns the error of a read. Expects no secret in it, at any depth. */
async function failureOf(read: Promise<unknown>): Promise<Error> {
  const error = await read.then(
    () => new Error('the read went well'),
    (reason: Error) => reason,
  );
  const all = inspect(error, { depth: Number.POSITIVE_INFINITY, showHidden: true }) + JSON.stringify(error);
  expect(all).not.toMatch(/eyJ|Bearer|reader-secret|nobody-may-see/);
  return error;
}

const read = (name = 's0') => lab.open(reader()).get(secret(name), lab.context());

describe('TLS that cannot be trusted is named at once, with the next step', () => {
  it.each([
    ['expired', () => expired, 'CERT_HAS_EXPIRED', 'has expired'],
    ['for another host', () => misnamed, 'ERR_TLS_CERT_ALTNAME_INVALID', 'is for another host'],
    ['of an unknown CA', () => untrusted, 'DEPTH_ZERO_SELF_SIGNED_CERT', 'SSL_CERT_FILE'],
  ])('a certificate %s', async (_, issued, remoteCode, words) => {
    let handshakes = 0;
    const { certificate, key } = issued();
    const server = https.createServer({ cert: certificate.toString(), key: keyPem(key) });
    server.on('connection', () => handshakes++);
    const vault = vaultAt(await portOf(server));
    expect(await failureOf(vault.get(secret('s'), lab.context()))).toMatchObject({
      code: 'ERR_UNREACHABLE',
      details: { phase: 'vault', remoteCode },
      message: expect.stringMatching(new RegExp(`did not answer: TLS failed, ${remoteCode}: .*${words}`)),
    });
    // One handshake during the login, and one for the read if the first has failed by then.
    expect(handshakes).toBeLessThanOrEqual(2);
  });

  it('a host that speaks something else', async () => {
    const server = createServer((socket) => socket.resume().end('220 mail.example ESMTP\r\n'));
    const vault = vaultAt(await portOf(server));
    expect(await failureOf(vault.get(secret('s'), lab.context()))).toMatchObject({
      code: 'ERR_UNREACHABLE',
      message: expect.stringContaining('TLS failed'),
    });
  });

  it('a host that takes connections and says nothing', async () => {
    const sockets: Socket[] = [];
    const quiet = createServer((socket) => sockets.push(socket));
    const port = await portOf(quiet);
    const resolve = async () => ({ addresses: [{ address: '127.0.0.1', family: 4 }], ttlMs: 30_000 });
    const agents = new Agents([], { connectTimeoutMs: 150, resolve });
    const transport = createTransport({ agents, userAgent: 'test', timeoutMs: 10_000 });
    const failed = transport.sendRequest(createPipelineRequest({ url: `https://quiet.localhost:${port}/` }));
    const failure = networkFailure(await failed.catch((error: unknown) => error));
    expect(failure).toMatchObject({ layer: 'TLS', code: 'TLS_TIMEOUT', transient: false });
    for (const socket of sockets) socket.destroy();
    agents.close();
  });

  it.each([
    ['EMFILE', 'TCP', /no file descriptor is left .*raise the limit of open files/],
    ['ENFILE', 'TCP', /no file descriptor is left/],
    ['ENOBUFS', 'TCP', /limits of the node/],
    ['EPERM', 'TCP', /network and limits of the node/],
    ['EAI_FAIL', 'DNS', /check the DNS/],
  ])('what the system says no with: %s', (code, layer, words) => {
    const failure = networkFailure(new RestError('', { code }));
    expect(failure).toMatchObject({ layer, code, explanation: expect.stringMatching(words) });
  });

  it('a node without file descriptors: said to be that', async () => {
    const full = await startLab({
      async resolve(name) {
        if (name === 'v.x') throw Object.assign(new Error('too many open files'), { code: 'EMFILE' });
        return resolverBy()(name);
      },
    });
    try {
      const { cloud } = full;
      const vaultUrl = 'https://v.x';
      const vault = full.azure.vaults.open({
        pod: POD,
        cloud,
        tenantId: TENANT,
        identity: reader(),
        vaultName: 'v',
        vaultUrl,
      });
      const error = await failureOf(vault.get(secret('s'), full.context()));
      expect(error).toMatchObject({ code: 'ERR_UNREACHABLE', details: { remoteCode: 'EMFILE', phase: 'vault' } });
    } finally {
      await full.close();
    }
  });

  it('at login, by its name: asked for once', async () => {
    const asked: string[] = [];
    const resolve = resolverBy();
    const counted = await startLab({
      resolve(name) {
        asked.push(name);
        return resolve(name);
      },
    });
    try {
      const cloud = { ...counted.cloud, authorityHost: 'https://login.invalid/' };
      const vaultUrl = 'https://v.x';
      const vault = counted.azure.vaults.open({
        pod: POD,
        cloud,
        tenantId: TENANT,
        identity: reader(),
        vaultName: 'v',
        vaultUrl,
      });
      expect(await failureOf(vault.get(secret('s'), counted.context()))).toMatchObject({
        code: 'ERR_UNREACHABLE',
        message: expect.stringMatching(/Entra ID at login\.invalid did not answer: DNS failed, ENOTFOUND/),
      });
      expect(asked.filter((name) => name === 'login.invalid')).toHaveLength(1);
    } finally {
      await counted.close();
    }
  });

  it('at login: phase, host and layer', async () => {
    const doubtful = await startLab({ trusted: false });
    try {
      const failed = doubtful.open(reader()).get(secret('s0'), doubtful.context());
      expect(await failureOf(failed)).toMatchObject({
        code: 'ERR_UNREACHABLE',
        details: { phase: 'entra', host: expect.stringMatching(/^login\.localhost:/) },
        message: expect.stringMatching(/Entra ID at login\.localhost:\d+ did not answer: TLS failed/),
      });
    } finally {
      await doubtful.close();
    }
  });
});

describe('an answer of the vault that is none', () => {
  beforeEach(async () => {
    await read('s59');
    lab.emulator.requests.clear();
  });

  it.each<[string, Answer, number, string]>([
    ['JSON that is cut', { status: 200, body: `{"value":"${VALUE}` }, 200, 'not the JSON asked for; check proxies'],
    [
      'a page instead of JSON',
      { status: 200, headers: { 'content-type': 'text/html' }, body: '<html>' },
      200,
      'proxies',
    ],
    ['no content', { status: 204, body: '' }, 204, 'check proxies'],
    ['a redirect to another host', { status: 302, headers: { location: 'https://evil.localhost/' } }, 302, 'proxies'],
    ["a proxy's page", { status: 407, headers: { 'content-type': 'text/html' }, body: '<p>407' }, 407, 'proxies'],
  ])('%s', async (_, given, httpStatus, words) => {
    answer('vault', given);
    const error = await failureOf(read());
    expect(error).toMatchObject({
      code: 'ERR_VAULT',
      details: { httpStatus, phase: 'vault' },
      message: expect.stringMatching(/^Cannot read secret "s0" from vault "lab-vault": /),
    });
    expect(error.message).toContain(words);
  });

  it.each([
    ['empty', ''],
    ['JSON of something else', { hello: 'world' }],
    ['null', 'null'],
  ])('%s: says which field is missing', async (_, body) => {
    answer('vault', { status: 200, body });
    expect(await failureOf(read())).toMatchObject({
      code: 'ERR_VAULT',
      message: expect.stringMatching(
        /^Cannot read secret "s0" from vault "lab-vault": secret value is nil: the vault answered without "value"/,
      ),
    });
  });

  it('a listing that goes on at another host: nothing is sent there', async () => {
    const nextLink = `https://evil.localhost:${lab.emulator.port}/secrets/many/versions?$skiptoken=x`;
    answer('vault', { status: 200, body: { value: [], nextLink } });
    const listed = lab.open(reader()).listVersions({ type: 'secret', name: 'many' }, lab.context());
    expect(await failureOf(listed)).toMatchObject({ code: 'ERR_VAULT' });
    expect(lab.emulator.requests.filter(({ host }) => host.startsWith('evil'))).toEqual([]);
  });

  it.each<[string, string | Record<string, unknown>, RegExp]>([
    ['a page', '<html>', /no JSON, so it is not the JSON asked for/],
    ['an empty object', {}, /a listing (without "value"|that cannot be read)/],
    ['a list', '[]', /a listing (without "value"|that cannot be read)/],
    ['ids of another form', { value: [{ id: 'x', attributes: {} }] }, /listing that cannot be read|id that is not/],
    [
      'ids of another object',
      { value: [{ id: 'https://v/secrets/b/1', attributes: {} }] },
      /an id that is not that of/,
    ],
    ['a next page that is no link', { value: [], nextLink: [] }, /listing that cannot be read/],
  ])('a listing that is %s: nothing of ours is to blame', async (_, body, words) => {
    answer('vault', { status: 200, body });
    const listed = lab.open(reader()).listVersions({ type: 'secret', name: 'many' }, lab.context());
    expect(await failureOf(listed)).toMatchObject({
      code: 'ERR_VAULT',
      details: { httpStatus: 200, phase: 'vault' },
      message: expect.stringMatching(
        /^Cannot list the versions of secret "many" .*; check proxies between node and vault$/,
      ),
    });
    expect((await failureOf(listed)).message).toMatch(words);
  });

  it.each([
    'https://lab-vault.vault.localhost/secrets/s0/versions',
    'https://lab-vault.vault.localhost/deletedsecrets/many',
  ])('a listing that goes on at %s is not followed', async (link) => {
    const nextLink = link.replace('localhost', `localhost:${lab.emulator.port}`);
    answer('vault', { status: 200, body: { value: [], nextLink } });
    const listed = lab.open(reader()).listVersions({ type: 'secret', name: 'many' }, lab.context());
    expect(await failureOf(listed)).toMatchObject({ code: 'ERR_VAULT' });
    expect(lab.count('vault')).toBe(1);
  });

  it.each([
    ['secret', 'https://v/secrets/s1/1'],
    ['secret', 'https://v/keys/s0/1'],
    ['secret', 'https://v/secrets/s0'],
    ['secret', 'https://v/secrets/s0/1?x'],
    ['secret', 'https://v/secrets/s0/1/2'],
    ['secret', 'https://v/secrets/s0/a\nb'],
    ['secret', `https://v/secrets/s0/${'1'.repeat(129)}`],
  ] as const)('the %s of another id is not delivered: %s', async (_, id) => {
    answer('vault', { status: 200, body: { value: VALUE, id, attributes: {} } });
    expect(await failureOf(read())).toMatchObject({
      code: 'ERR_VAULT',
      message: expect.stringContaining('an id that is not that of the secret asked for'),
    });
  });

  it.each([
    'https://LAB-VAULT.vault.azure.net:443/Secrets/S0/1',
    'https://v.privatelink.vaultcore.azure.net/secrets/s0/1/',
    'http://[::1]:8443/secrets/%730/1',
  ])('%s is an id of the secret, however it is written', async (id) => {
    answer('vault', { status: 200, body: { value: VALUE, id } });
    expect(await read()).toMatchObject({ version: '1' });
  });

  it('a listing may go on at the same path, however it is written', async () => {
    const link = `https://LAB-VAULT.vault.localhost:${lab.emulator.port}/secrets/many/versions/?api-version=7.4`;
    const action = { kind: 'answer', status: 200, body: { value: [], nextLink: link } } as const;
    lab.emulator.faults.add({ on: 'vault', count: 1, action });
    const versions = await lab.open(reader()).listVersions({ type: 'secret', name: 'many' }, lab.context());
    expect(versions.length).toBeGreaterThan(0);
  });

  it.each([
    ['the same path, with the token', 's0', 'value-0', 2],
    ['another path, not at all', 's1', 'the vault refers to something else', 1],
  ])('a redirect of the vault is followed to %s', async (_, name, outcome, requests) => {
    const location = `/secrets/${name}?api-version=7.4`;
    const action = { kind: 'answer', status: 307, headers: { location } } as const;
    lab.emulator.faults.add({ on: 'vault', count: 1, action });
    const text = await read().then(textOf, ({ message }: Error) => message);
    expect(text).toContain(outcome);
    expect(lab.count('vault')).toBe(requests);
  });

  it('another version than the one asked for is not delivered', async () => {
    answer('vault', { status: 200, body: { value: VALUE, id: 'https://v/secrets/s0/2', attributes: {} } });
    const pinned = lab.open(reader()).get(secret('s0', '1'), lab.context());
    expect(await failureOf(pinned)).toMatchObject({ code: 'ERR_VAULT' });
  });

  it('a listing that goes round in circles is given up', async () => {
    const nextLink = `https://lab-vault.vault.localhost:${lab.emulator.port}/secrets/many/versions?$skiptoken=x`;
    answer('vault', { status: 200, body: { value: [], nextLink } });
    const listed = lab.open(reader()).listVersions({ type: 'secret', name: 'many' }, lab.context());
    expect(await failureOf(listed)).toMatchObject({
      code: 'ERR_VAULT',
      message: expect.stringContaining('more than 400 pages'),
    });
    expect(lab.count('vault')).toBeLessThanOrEqual(401);
  });

  it('one that has no end: HTTP, given up early', async () => {
    answer('vault', { status: 200, body: `{"value":"${'x'.repeat(5 * 1024 * 1024)}"}` });
    expect(await failureOf(read())).toMatchObject({
      code: 'ERR_UNREACHABLE',
      message: expect.stringMatching(/did not answer: HTTP failed, LARGE_ANSWER: .*larger than any of Azure/),
    });
    expect(lab.count('vault')).toBe(1);
  });

  it('one that does not come in time: HTTP, after some tries', async () => {
    const ask = () => hasty.open(reader()).get(secret('s0'), hasty.context());
    // Waits for the login first.
    await expect.poll(() => ask().then(textOf, String), { timeout: 60_000 }).toBe('value-0');
    hasty.emulator.requests.clear();
    hasty.emulator.faults.add({ on: 'vault', action: { kind: 'hang' } });
    expect(await failureOf(ask())).toMatchObject({
      code: 'ERR_UNREACHABLE',
      message: expect.stringMatching(/did not answer: HTTP failed, NO_ANSWER/),
    });
    expect(hasty.count('vault')).toBe(4);
  });

  it('one that ends too early: HTTP, after some tries', async () => {
    lab.emulator.faults.add({ on: 'vault', action: { kind: 'truncate' } });
    expect(await failureOf(read())).toMatchObject({
      code: 'ERR_UNREACHABLE',
      message: expect.stringMatching(/did not answer: HTTP failed, \w+: the connection was cut/),
    });
    expect(lab.count('vault')).toBe(4);
  });
});

describe('an answer of Entra that is none', () => {
  /** Counts the logins. Each has a different secret, so that no token is pooled. */
  let logins = 0;
  const login = () => lab.open(reader(`reader-secret-${++logins}`)).get(secret('s0'), lab.context());

  it.each<[string, Answer, string, RegExp]>([
    [
      'JSON that is cut',
      { status: 200, body: '{"access_token":"eyJhbGciOi' },
      'ERR_VAULT',
      /answered 200 without a token/,
    ],
    ['JSON without a token', { status: 200, body: '{}' }, 'ERR_VAULT', /answered 200 without a token/],
    [
      "a proxy's page",
      { status: 407, headers: { 'content-type': 'text/html' }, body: '<p>' },
      'ERR_VAULT',
      /answered 407; check proxies/,
    ],
    ['an error without words', { status: 418, body: '{}' }, 'ERR_VAULT', /answered 418; check proxies/],
  ])('%s', async (_, given, code, words) => {
    lab.emulator.faults.add({
      on: 'entra',
      method: 'POST',
      action: { kind: 'answer', ...given, headers: given.headers ?? {} },
    });
    const error = await failureOf(login());
    expect(error).toMatchObject({ code, details: { phase: 'entra', httpStatus: given.status } });
    expect(error.message).toMatch(/^Cannot log in as service principal 2222.*: Entra ID at login\.localhost:\d+ /);
    expect(error.message).toMatch(words);
  });

  it('one that does not come in time: the phase and the host', async () => {
    hasty.emulator.faults.add({ on: 'entra', action: { kind: 'hang' } });
    const login = hasty.open(reader('reader-secret-of-its-own')).get(secret('s0'), hasty.context());
    expect(await failureOf(login)).toMatchObject({
      code: 'ERR_UNREACHABLE',
      details: { phase: 'entra', host: expect.stringMatching(/^login\.localhost/), remoteCode: 'NO_ANSWER' },
    });
  });

  it.each([
    [503, 'ERR_VAULT'],
    [429, 'ERR_THROTTLED'],
  ])('status %i that stays: named after some tries', async (status, code) => {
    answer('entra', { status, headers: { 'retry-after': '0' } });
    expect(await failureOf(login())).toMatchObject({ code, details: { phase: 'entra', httpStatus: status } });
    expect(lab.count('entra')).toBeGreaterThan(1);
  });

  it.each([
    ['3600', 1],
    ['-5', 2],
    [undefined, 2],
  ])('status 429 once with Retry-After %s: %i logins asked for', async (retryAfter, asked) => {
    lab.emulator.faults.add({
      on: 'entra',
      method: 'POST',
      count: 1,
      action: {
        kind: 'answer',
        status: 429,
        headers: retryAfter === undefined ? {} : { 'retry-after': retryAfter },
        body: { error: 'temporarily_unavailable' },
      },
    });
    // The emulator refuses the secret, so that the login ends with the last response.
    const code = asked === 1 ? 'ERR_THROTTLED' : 'ERR_AUTHENTICATION';
    expect(await failureOf(login())).toMatchObject({ code, details: { phase: 'entra' } });
    expect(lab.tokens()).toBe(asked);
  });

  it('a refusal: code, words and the next step', async () => {
    const error = await failureOf(login());
    expect(error).toMatchObject({
      code: 'ERR_AUTHENTICATION',
      details: { httpStatus: 401, remoteCode: 'AADSTS7000215', phase: 'entra' },
    });
    expect(error.message).toContain('put the current value (not the ID) of the client secret');
  });
});
