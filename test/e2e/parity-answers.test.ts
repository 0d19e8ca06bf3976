import { writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Fault } from '../../src/emulator/host/faults.ts';
import { CLIENT, checkRow, openWorld, type ParityWorld, type Row, seedWith, VAULT } from '../support/parity.ts';
import { turnsOfTheLoop } from '../support/turns.ts';

const { FAILED_PRECONDITION, INVALID_ARGUMENT, NOT_FOUND, PERMISSION_DENIED, UNAUTHENTICATED, UNKNOWN } = status;
const OTHER_TENANT = '99999999-9999-9999-9999-999999999999';

let world: ParityWorld;
beforeAll(async () => {
  world = await openWorld(
    seedWith({
      vault: `
    secrets: [{name: a, value: va}, {name: b, value: vb}, {name: off, value: v, enabled: false}]
    keys: [{name: k}]
    certificates: [{name: c}]`,
      rest: `
  - {name: bare-vault, tenant: "${OTHER_TENANT.replaceAll('9', '1')}", secrets: [{name: a, value: v}], keys: [{name: k}], certificates: [{name: c}]}
  - {name: policy-vault, tenant: "${OTHER_TENANT.replaceAll('9', '1')}", access: policy, secrets: [{name: a, value: v}]}
  - {name: walled-vault, tenant: "${OTHER_TENANT.replaceAll('9', '1')}", firewall: closed, secrets: [{name: a, value: v}], grants: [{identity: app, secrets: all}]}`,
    }),
    // Entra ID issues tokens for these vaults, but DNS cannot resolve them.
    { hosts: ['parity-vault.vault.invalid'] },
  );
});
afterEach(() => world.emulator.faults.clear());
afterAll(() => world.close());

const a = { objectName: 'a', objectType: 'secret' };
const objects = [a];
const files = { a: 'va' };
/** The request id is in the log only. Events with different texts are not counted as one. */
const NO_REQUEST_ID = /^(?!.*request id)/i;

/** Returns a fault: the vault responds with a status and this error body. */
const answers = (statusCode: number, code: string, inner?: string, message = 'Said the vault.'): Fault => ({
  on: 'vault',
  object: 'a',
  action: {
    kind: 'answer',
    status: statusCode,
    body: { error: { code, message, ...(inner === undefined ? {} : { innererror: { code: inner } }) } },
  },
});
const refused = (fact: string, fault: Fault, code: status, ...says: (string | RegExp)[]): Row => ({
  fact,
  given: ({ emulator }) => emulator.faults.add(fault),
  objects,
  fails: { code, says: ['failed to get objectType:secret, objectName:a, objectVersion:: ', VAULT, ...says] },
});
/** Returns a row in which the vault responds with a body that is not an object of Key Vault. */
const nonsense = (what: string, type: string, body: string, ...says: (string | RegExp)[]): Row => ({
  fact: `200 with ${what}`,
  given: ({ emulator }) =>
    emulator.faults.add({
      on: 'vault',
      object: 'a',
      action: { kind: 'answer', status: 200, headers: { 'content-type': type }, body },
    }),
  objects,
  fails: { code: UNKNOWN, says: ['failed to get objectType:secret, objectName:a, objectVersion:: ', ...says] },
});
const inVault = (fact: string, keyvaultName: string, objectType: string, ...says: (string | RegExp)[]): Row => ({
  fact,
  objects: [{ objectName: { secret: 'a', key: 'k', cert: 'c' }[objectType], objectType }],
  parameters: { keyvaultName },
  fails: { code: PERMISSION_DENIED, says: [keyvaultName, CLIENT, '403', NO_REQUEST_ID, ...says] },
});

const REFUSALS: readonly Row[] = [
  inVault(
    '403 by role: which role for secrets',
    'bare-vault',
    'secret',
    'ForbiddenByRbac',
    'Key Vault Secrets User',
    'Caller is not authorized',
  ),
  inVault('403 by role: which role for keys', 'bare-vault', 'key', 'ForbiddenByRbac', 'Key Vault Crypto User'),
  inVault(
    '403 by role: which role for certificates',
    'bare-vault',
    'cert',
    'ForbiddenByRbac',
    'Key Vault Certificate User',
  ),
  inVault('403 by access policy: which permissions', 'policy-vault', 'secret', 'AccessDenied', 'access policy', 'Get'),
  inVault('403 by firewall: which address', 'walled-vault', 'secret', 'ForbiddenByFirewall', 'firewall', '127.0.0.1'),
  refused(
    '403 of a closed network',
    answers(403, 'Forbidden', 'ForbiddenByConnection'),
    PERMISSION_DENIED,
    'ForbiddenByConnection',
    'private endpoint',
  ),
  refused('403 by policy', answers(403, 'Forbidden', 'ForbiddenByPolicy'), PERMISSION_DENIED, 'ForbiddenByPolicy'),
  refused('403 of a kind unknown', answers(403, 'Forbidden'), PERMISSION_DENIED, '403 Forbidden', 'Said the vault.'),
  {
    fact: '403 of a disabled object',
    objects: [{ objectName: 'off', objectType: 'secret' }],
    fails: { code: FAILED_PRECONDITION, says: ['objectName:off,', 'SecretDisabled', 'enable'] },
  },
  ...(
    [
      ['secret', 'SecretNotFound'],
      ['key', 'KeyNotFound'],
      ['cert', 'CertificateNotFound'],
    ] as const
  ).map(
    ([objectType, code]): Row => ({
      fact: `404 of a ${objectType}`,
      objects: [{ objectName: 'nowhere', objectType }],
      fails: {
        code: NOT_FOUND,
        says: [`objectType:${objectType}, objectName:nowhere,`, '404', code, VAULT, NO_REQUEST_ID],
      },
    }),
  ),
  {
    fact: '404 of a version names it',
    objects: [{ ...a, objectVersion: 'f'.repeat(32) }],
    fails: { code: NOT_FOUND, says: ['f'.repeat(32), 'SecretNotFound', 'version'] },
  },
  refused('400', answers(400, 'BadParameter'), INVALID_ARGUMENT, '400 BadParameter', 'Said the vault.'),
  refused(
    '401 again and again',
    { ...answers(401, 'Unauthorized', undefined, 'AKV10022: Invalid audience.') },
    UNAUTHENTICATED,
    '401',
    'AKV10022',
    CLIENT,
  ),
  refused('409', answers(409, 'Conflict'), UNKNOWN, '409 Conflict'),
  refused(
    '500 again and again',
    answers(500, 'InternalServerError'),
    UNKNOWN,
    '500 InternalServerError',
    'Said the vault.',
  ),
  refused(
    '502 with a web page',
    {
      on: 'vault',
      object: 'a',
      action: {
        kind: 'answer',
        status: 502,
        headers: { 'content-type': 'text/html' },
        body: '<html>Bad gateway</html>',
      },
    },
    UNKNOWN,
    '502',
  ),
  refused('503 again and again', answers(503, 'ServiceUnavailable'), UNKNOWN, '503'),
  refused(
    '403 with a web page of a proxy',
    {
      on: 'vault',
      object: 'a',
      action: { kind: 'answer', status: 403, headers: { 'content-type': 'text/html' }, body: '<html>Blocked</html>' },
    },
    PERMISSION_DENIED,
    '403',
  ),
  nonsense('a web page', 'text/html', '<html>Log in</html>'),
  nonsense('broken JSON', 'application/json', '{"value": "hunter2', /^(?!.*hunter2)/),
  nonsense('nothing', 'application/json', ''),
  nonsense('a list', 'application/json', '[]', 'secret value is nil'),
  nonsense('null', 'application/json', 'null', 'secret value is nil'),
  nonsense(
    'a number in place of the value',
    'application/json',
    '{"id":"https://v/secrets/a/1","value":5}',
    'secret value is nil',
  ),
  refused(
    'an answer cut in the middle, again and again',
    { on: 'vault', object: 'a', action: { kind: 'truncate' } },
    UNKNOWN,
    'did not answer',
    'HTTP',
    'parity-vault.vault.localhost',
  ),
  refused(
    'a connection cut, again and again',
    { on: 'vault', object: 'a', action: { kind: 'drop' } },
    UNKNOWN,
    'did not answer',
    'ECONNRESET',
    'parity-vault.vault.localhost',
  ),
  {
    fact: 'all failed objects are named, the code being that of what to mend first',
    given: ({ emulator }) => {
      emulator.faults.add(answers(403, 'Forbidden', 'ForbiddenByRbac'));
    },
    objects: [
      { objectName: 'gone', objectType: 'secret' },
      a,
      { objectName: 'b', objectType: 'secret' },
      { objectName: 'off', objectType: 'secret' },
    ],
    fails: {
      code: PERMISSION_DENIED,
      says: ['3 of 4 objects', 'objectName:gone,', 'objectName:a,', 'objectName:off,', /^(?!.*objectName:b,)/],
    },
  },
];

const recovers = (fact: string, fault: Fault): Row => ({
  fact,
  given: ({ emulator }) => emulator.faults.add({ ...fault, count: 1 }),
  objects,
  files,
});
const RETRIES: readonly Row[] = [
  recovers('500 once', answers(500, 'InternalServerError')),
  recovers('502 once', answers(502, 'BadGateway')),
  recovers('503 once', answers(503, 'ServiceUnavailable')),
  recovers('408 once', answers(408, 'RequestTimeout')),
  recovers('401 once, with a new token', answers(401, 'Unauthorized')),
  recovers('429 once, without Retry-After', answers(429, 'Throttled')),
  recovers('429 once, with Retry-After', {
    on: 'vault',
    object: 'a',
    action: { kind: 'answer', status: 429, headers: { 'retry-after': '1' } },
  }),
  recovers('an answer cut in the middle once', { on: 'vault', object: 'a', action: { kind: 'truncate' } }),
  recovers('a connection cut once', { on: 'vault', object: 'a', action: { kind: 'drop' } }),
];

describe('what the vault refuses', () => {
  it.each(REFUSALS)('$fact', (row) => checkRow(world, row));
});

describe('what another try mends', () => {
  it.each(RETRIES)('$fact', (row) => checkRow(world, row));
});

describe('hosts that do not answer', () => {
  let silent: Server;
  let port: number;
  beforeAll(async () => {
    silent = createServer((socket) => socket.on('error', () => {}));
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    port = (silent.address() as { port: number }).port;
  });
  afterAll(() => silent.close());

  let files = 0;
  /** Returns the parameters of a cloud whose hosts differ from the emulator's. */
  const cloudWith = (edit: (cloud: Record<string, string>) => Record<string, string>) => {
    const path = join(world.directory, `cloud-${++files}.json`);
    const cloud = JSON.parse(world.emulator.cloudFile) as Record<string, string>;
    writeFileSync(path, JSON.stringify({ ...cloud, ...edit(cloud) }));
    return { cloudName: 'AzureStackCloud', cloudEnvFileName: path };
  };
  const fails = async (parameters: Record<string, string>, ...says: (string | RegExp)[]) =>
    checkRow(world, { fact: '', objects, parameters, fails: { code: UNKNOWN, says: ['objectName:a,', ...says] } });

  it('a vault whose port is closed: TCP', async () => {
    const closed = await freePort();
    await fails(
      cloudWith(() => ({ keyVaultDNSSuffix: `vault.localhost:${closed}` })),
      'TCP',
      'ECONNREFUSED',
      `parity-vault.vault.localhost:${closed}`,
    );
  });

  it('a vault without a name in DNS: DNS', async () => {
    const cloud = cloudWith(() => ({ keyVaultDNSSuffix: 'vault.invalid', keyVaultEndpoint: 'https://vault.invalid' }));
    await fails(cloud, 'DNS', /ENOTFOUND|EAI_AGAIN/, 'parity-vault.vault.invalid');
  });

  it('an authority whose port is closed: TCP, in the phase of Entra', async () => {
    const closed = await freePort();
    await fails(
      cloudWith(() => ({ activeDirectoryEndpoint: `https://login.localhost:${closed}/` })),
      'Entra ID',
      'TCP',
      'ECONNREFUSED',
      `login.localhost:${closed}`,
    );
  });

  it('a vault that speaks no TLS within the time', async () => {
    const cloud = cloudWith(() => ({ keyVaultDNSSuffix: `vault.localhost:${port}` }));
    const outcome = await world.mountWithin(1500, { objects, parameters: cloud });
    expect(outcome).toMatchObject({ kind: 'failed', code: UNKNOWN });
    expect(outcome).toMatchObject({
      message: expect.stringMatching(new RegExp(`timed out.*the vault at parity-vault.vault.localhost:${port}`)),
    });
  });
});

/** Returns a free port. */
async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as { port: number };
  await new Promise<void>((resolve) => probe.close(() => resolve()));
  return port;
}

describe('time', () => {
  const timedOut = async (fault: Fault, ...says: (string | RegExp)[]) => {
    const flags = [`--custom-user-agent=${fault.on}-hangs`];
    // Log in first, so that the Mount waits for the vault.
    if (fault.on === 'vault') expect((await world.mount({ objects, flags })).kind).toBe('mounted');
    world.emulator.faults.add(fault);
    const outcome = await world.mountWithin(1500, { objects, flags });
    expect(outcome).toMatchObject({ kind: 'failed', code: UNKNOWN });
    for (const text of says) expect(outcome).toMatchObject({ message: expect.stringMatching(text) });
  };

  it('a vault that hangs: phase and host are named before the caller gives up', () =>
    timedOut(
      { on: 'vault', action: { kind: 'hang' } },
      /timed out/,
      /the vault at parity-vault\.vault\.localhost:\d+/,
      /caller's deadline/,
    ));

  it('Entra that hangs: phase and host are named', () =>
    timedOut({ on: 'entra', action: { kind: 'hang' } }, /timed out/, /Entra ID at login\.localhost:\d+/));

  it('a vault that keeps saying 429 is not outwaited', async () => {
    world.emulator.faults.add({
      on: 'vault',
      action: { kind: 'answer', status: 429, headers: { 'retry-after': '600' } },
    });
    const flags = ['--custom-user-agent=throttled'];
    const outcome = await world.mountWithin(60_000, { objects, flags });
    expect(outcome).toMatchObject({ kind: 'failed', code: UNKNOWN, message: expect.stringMatching(/429 Throttled/) });
  });

  it('a deadline that has passed is a failure of the caller’s, and nothing breaks', async () => {
    const outcome = await world.mount({ objects }, { deadlineMs: 1 });
    expect(outcome.kind).toBe('failed');
    await checkRow(world, { fact: '', objects, files });
  });
});

describe('a caller that goes away', () => {
  it('is followed by no further call to the vault', async () => {
    for (let i = 1; i <= 3; i++) world.emulator.setSecret(VAULT, 'many', `v${i}`);
    const listing = world.emulator.faults.hold({ on: 'vault', path: '/versions' });
    const abort = new AbortController();
    const item = { objectName: 'many', objectType: 'secret', objectVersionHistory: 3 };
    world.emulator.requests.clear();
    const call = world.mount({ objects: [item] }, { signal: abort.signal });
    await listing.reached;
    abort.abort();
    expect((await call).kind).toBe('failed');
    await expect.poll(() => world.log.some((line) => line.includes('the caller cancelled the mount'))).toBe(true);
    listing.release();
    await expect.poll(() => world.emulator.requests.some(({ path }) => path.endsWith('/versions'))).toBe(true);
    await checkRow(world, { fact: '', objects, files });
    expect(world.emulator.requests.filter(({ path }) => /\/many\/[0-9a-f]{32}/.test(path))).toEqual([]);
  });

  it('does not take the read from others who wait for it', async () => {
    const read = world.emulator.faults.hold({ on: 'vault', object: 'b' });
    const abort = new AbortController();
    const asked = { objects: [{ objectName: 'b', objectType: 'secret' }] };
    const gone = world.mount(asked, { signal: abort.signal });
    await read.reached;
    const stays = world.mount(asked);
    await turnsOfTheLoop();
    abort.abort();
    expect((await gone).kind).toBe('failed');
    read.release();
    expect((await stays).kind).toBe('mounted');
  });
});

interface Line {
  readonly level: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}
const linesOf = async (work: () => Promise<unknown>): Promise<Line[]> => {
  const before = world.log.length;
  await work();
  return world.log.slice(before).map((line) => JSON.parse(line) as Line);
};

describe('the log', () => {
  it('has one line a Mount: pod, namespace, objects, files, time and code', async () => {
    const mount = () => world.mount({ objects: [a, { ...a, objectAlias: 'x' }] });
    // Other tests mount other objects into this volume: the first Mount has a line for each object that changes.
    await mount();
    const lines = await linesOf(mount);
    expect(lines).toMatchObject([
      {
        level: 'info',
        msg: 'Mounted',
        pod: 'web-0',
        namespace: 'prod',
        objects: 2,
        files: 2,
        code: 'OK',
        ms: expect.any(Number),
      },
    ]);
  });

  it('has one line a failed Mount: what failed, with code, status and request id', async () => {
    const lines = await linesOf(() => world.mount({ objects: [{ objectName: 'nowhere', objectType: 'secret' }] }));
    expect(lines).toMatchObject([
      {
        level: 'error',
        msg: 'Mount failed',
        error: expect.stringContaining('objectName:nowhere'),
        pod: 'web-0',
        namespace: 'prod',
        code: 'ERR_NOT_FOUND',
        httpStatus: 404,
        remoteCode: 'SecretNotFound',
        requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
        ms: expect.any(Number),
      },
    ]);
  });

  it('has one line for each object whose version changed, with ids only', async () => {
    const asked = { objects: [{ objectName: 'turns', objectType: 'secret' }, a] };
    world.emulator.setSecret(VAULT, 'turns', 'first-value', { version: '1'.repeat(32) });
    await world.mount(asked);
    world.emulator.setSecret(VAULT, 'turns', 'second-value', { version: '2'.repeat(32) });
    const lines = await linesOf(() => world.mount(asked));
    expect(lines.map(({ msg }) => msg)).toEqual(['Object version changed', 'Mounted']);
    expect(lines[0]).toMatchObject({ object: 'secret/turns', from: '1'.repeat(32), to: '2'.repeat(32), pod: 'web-0' });
    expect(JSON.stringify(lines)).not.toMatch(/first-value|second-value/);
    expect((await linesOf(() => world.mount(asked))).map(({ msg }) => msg)).toEqual(['Mounted']);
  });

  it('has the objects’ text at the highest level only', async () => {
    const marked = { objects: [{ ...a, objectAlias: 'marked-alias' }] };
    expect(JSON.stringify(await linesOf(() => world.mount(marked)))).not.toContain('marked-alias');
    const loud = await linesOf(() => world.mount({ ...marked, flags: ['-v=5'] }));
    expect(JSON.stringify(loud)).toContain('marked-alias');
  });

  it('has no value, client secret or token at any level, malformed requests included', async () => {
    world.emulator.setSecret(VAULT, 'quiet', 'sup3r-s3cret-value');
    const asked = { objects: [{ objectName: 'quiet', objectType: 'secret', objectEncoding: 'hex' }], flags: ['-v=10'] };
    const spoilt = '{"clientid":"x","clientsecret":"cl1ent-s3cret-value"';
    const outcomes: unknown[] = [];
    const lines = await linesOf(async () => {
      outcomes.push(await world.mount(asked), await world.mount({ ...asked, secrets: spoilt }));
    });
    expect(JSON.stringify([lines, outcomes])).not.toMatch(/s3cret/);
    expect(JSON.stringify(lines)).not.toMatch(/eyJ[\w-]+\.[\w-]+\./);
  });

  it('names unknown parameters and fields once, with the nearest known name', async () => {
    const asked = {
      objects: [{ ...a, objectalias: 'x' }],
      parameters: { keyVaultname: 'x', 'csi.storage.k8s.io/pod.name': 'noted-0' },
    };
    const first = await linesOf(() => world.mount(asked));
    expect(JSON.stringify(first)).toContain('did you mean \\"keyvaultName\\"');
    expect(JSON.stringify(first)).toContain('did you mean \\"objectAlias\\"');
    expect((await linesOf(() => world.mount(asked))).map(({ msg }) => msg)).toEqual(['Mounted']);
  });
});

describe('Version', () => {
  it('answers like the official provider, with a version of our own', async () => {
    const client = await world.provider();
    expect(await client.version()).toEqual({
      version: 'v1alpha1',
      runtimeName: 'secrets-store-csi-driver-provider-azure',
      runtimeVersion: 'v0.0.0',
    });
  });
});
