/** Learns the tenants of vaults from their challenges, and from those that lead elsewhere. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Cloud } from '../../src/spc/cloud.ts';
import { type Lab, POD, READER, reader, secret, startLab, TENANT, textOf } from '../support/azure.ts';
import { failureOf } from '../support/mount.ts';

const FOREIGN = '99999999-9999-9999-9999-999999999999';
let lab: Lab;

/** Each test has a vault whose tenant nobody has asked for. */
const names = Array.from({ length: 40 }, (_, index) => `vault-${index}`);
let vault = '';
const SEED = `
tenants:
  - {id: "${TENANT}", identities: [{name: reader, clientId: "${READER}", secrets: [{value: reader-secret}]}]}
  - {id: "${FOREIGN}", identities: []}
vaults:
  - {name: foreign-vault, tenant: "${FOREIGN}"}
${names.map((name) => `  - {name: ${name}, tenant: "${TENANT}", grants: [{identity: reader, secrets: [get]}], secrets: [{name: s0, value: value-0}]}`).join('\n')}
`;

beforeAll(async () => {
  lab = await startLab({ seed: SEED });
});
beforeEach(() => {
  lab.emulator.requests.clear();
  vault = names.shift() ?? '';
});
afterEach(() => lab.emulator.faults.clear());
afterAll(() => lab.close());

function learn(vaultName = vault, cloud: Cloud = lab.cloud, context = lab.context()): Promise<string> {
  const vaultUrl = `https://${vaultName}.${cloud.vaultSuffix}`;
  const volume = { pod: POD, cloud, tenantId: '', identity: reader(), vaultName, vaultUrl };
  return lab.azure.vaults.tenantOf(volume, context);
}

/** Answers the requests without a token with this challenge. */
function challengeWith(header: string, count = 1): void {
  const action = { kind: 'answer', status: 401, headers: { 'www-authenticate': header } } as const;
  lab.emulator.faults.add({ on: 'vault', unauthenticated: true, count, action });
}

const bearer = (authorization: string) => `Bearer authorization="${authorization}", resource="https://vault.localhost"`;
const sent = () => lab.emulator.requests.map(({ kind, method, path }) => `${kind} ${method} ${path}`);

describe('the tenant of a vault', () => {
  it('is asked for once, without a token, for all that need it at a time and later', async () => {
    expect(await Promise.all(Array.from({ length: 20 }, () => learn()))).toEqual(Array(20).fill(TENANT));
    expect(await learn()).toBe(TENANT);
    expect(sent()).toEqual(['vault GET /secrets']);
    expect(lab.emulator.requests[0]).toMatchObject({ status: 401, authenticated: false });
  });

  it('is asked for each vault', async () => {
    expect(await Promise.all([learn(), learn('foreign-vault')])).toEqual([TENANT, FOREIGN]);
    expect(sent()).toHaveLength(2);
  });

  it('is learnt anew once the vault names another one to an identity of the old one', async () => {
    expect(await learn()).toBe(TENANT);
    challengeWith(bearer(`${lab.cloud.authorityHost}${FOREIGN}`));
    const refused = await failureOf(lab.open(reader(), vault).get(secret('s0'), lab.context()));
    expect(refused).toMatchObject({ code: 'ERR_AUTHENTICATION' });
    expect(refused.message).toContain(`trusts tenant ${FOREIGN} now, and tenant ${TENANT} before`);
    lab.emulator.faults.clear();
    lab.emulator.requests.clear();
    expect(await learn()).toBe(TENANT);
    expect(sent()).toEqual(['vault GET /secrets']);
  });

  it('is asked for again after a fault, and not after a wait that is too long', async () => {
    const failing = { on: 'vault', unauthenticated: true, count: 1 } as const;
    lab.emulator.faults.add({ ...failing, action: { kind: 'answer', status: 503 } });
    expect(await learn()).toBe(TENANT);
    expect(sent()).toHaveLength(2);
    lab.emulator.faults.clear();
    const headers = { 'retry-after': '60' };
    lab.emulator.faults.add({ ...failing, action: { kind: 'answer', status: 429, headers } });
    const refused = await failureOf(learn(names.shift(), lab.cloud, lab.context({ hasty: true })));
    expect(refused).toMatchObject({ code: 'ERR_THROTTLED', details: { phase: 'vault', httpStatus: 429 } });
    expect(sent()).toHaveLength(3);
  });

  it('is not waited for by a Mount whose time has ended, and is learnt by the next one', async () => {
    lab.emulator.faults.add({ on: 'vault', unauthenticated: true, count: 1, action: { kind: 'hang' } });
    const controller = new AbortController();
    const context = lab.context({ signal: controller.signal });
    const pending = learn(vault, lab.cloud, context);
    await expect.poll(() => context.progress.current()).toMatchObject([{ phase: 'vault' }]);
    controller.abort(new Error('gone'));
    await expect(pending).rejects.toThrow('gone');
    lab.emulator.faults.clear();
    expect(await learn()).toBe(TENANT);
  });

  it('of AD FS is the word for it', async () => {
    challengeWith(bearer(`${lab.cloud.authorityHost}adfs`));
    expect(await learn()).toBe('adfs');
  });
});

describe('a challenge that leads elsewhere', () => {
  const own = () => lab.cloud.authorityHost;
  it.each<[string, () => string, RegExp]>([
    [
      'to a foreign login host',
      () => bearer(`https://login.evil.example/${TENANT}`),
      /login\.evil\.example.*nothing was sent there/,
    ],
    ['to the login host by http', () => bearer(`${own().replace('https', 'http')}${TENANT}`), /nothing was sent there/],
    ['to another port', () => bearer(`https://login.localhost:1/${TENANT}`), /nothing was sent there/],
    [
      'to a host before an @',
      () => bearer(`${own().slice(0, -1)}@evil.example/${TENANT}`),
      /evil\.example.*nothing was sent/,
    ],
    ['to no host', () => bearer(TENANT), /names no login host/],
    ['to no tenant', () => bearer(own()), /is not the ID of a tenant/],
    ['to the tenants of everybody', () => bearer(`${own()}common`), /"common", which is not the ID of a tenant/],
    ['to a path', () => bearer(`${own()}${TENANT}%2f..%2fx`), /is not the ID of a tenant/],
    ['and is huge', () => `${bearer(`${own()}${TENANT}`)}, a="${'b'.repeat(12_000)}"`, /names no login host/],
    ['and is empty', () => '', /names no login host/],
  ])('%s is refused, and the next Mount asks again', async (_, header, told) => {
    challengeWith(header());
    const refused = await failureOf(learn());
    expect(refused).toMatchObject({ code: 'ERR_AUTHENTICATION', details: { phase: 'vault' } });
    expect(refused.message).toMatch(told);
    expect(refused.message).toMatch(/^failed to mount objects, error: tenantId is not provided: .*or name the tenant/);
    expect(refused.message.length).toBeLessThan(1000);
    expect(sent()).toEqual(['vault GET /secrets']);
    expect(await learn()).toBe(TENANT);
  });

  it('is refused for a cloud with another login host, and taken for its own', async () => {
    const other = { ...lab.cloud, authorityHost: 'https://login.example/' };
    const results = await Promise.allSettled([learn(vault, other), learn()]);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
    expect(lab.tokens()).toBe(0);
  });

  it.each([200, 302, 404])('is none with status %i', async (status) => {
    const action = { kind: 'answer', status, headers: { location: 'https://evil.example/' }, body: '{}' } as const;
    lab.emulator.faults.add({ on: 'vault', unauthenticated: true, action });
    expect((await failureOf(learn())).message).toMatch(/tenantId is not provided: .*check proxies/);
    expect(sent().every((line) => line === 'vault GET /secrets')).toBe(true);
  });
});

it('a vault that is named wrongly is named in the error', async () => {
  const refused = await failureOf(learn('no-such-vault'));
  expect(refused.message).toContain('Cannot learn the tenant of vault "no-such-vault"');
});

it('a value is read with the tenant that was learnt, by one login', async () => {
  const tenantId = await learn();
  const identity = { ...reader(), tenantId };
  expect(textOf(await lab.open(identity, vault).get(secret('s0'), lab.context()))).toBe('value-0');
  expect([lab.tokens(), lab.count('vault')]).toEqual([0, 2]);
});
