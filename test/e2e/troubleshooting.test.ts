// The headings of docs/troubleshooting.md about the provider: each is a text that the provider prints, with the error code
// that its section names.
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { vaultError } from '../../src/azure/vault/vault-error.ts';
import { MemoryBudget } from '../../src/base/memory-budget.ts';
import { MountMemory } from '../../src/mount/memory.ts';
import { STATUS_OF } from '../../src/server/status.ts';
import { manualClock } from '../support/clocks.ts';
import { type ClusterApi, startClusterApi } from '../support/cluster-api.ts';
import { firstColumn, headings, section, textOf } from '../support/markdown.ts';
import { failureOf } from '../support/mount.ts';
import {
  type Asked,
  CLIENT,
  type Item,
  openWorld,
  type ParityWorld,
  requestOf,
  seedWith,
  TENANT,
  tokensParameter,
} from '../support/parity.ts';
import { issue, keyPem } from '../support/pki.ts';

const PAGE = 'docs/troubleshooting.md';
const AUDIENCE = 'api://AzureADTokenExchange';
const a: readonly Item[] = [{ objectName: 'a', objectType: 'secret' }];

let cluster: ClusterApi;
let world: ParityWorld;
beforeAll(async () => {
  cluster = await startClusterApi();
  cluster.classes.set('prod/parity', { keyvaultName: 'parity-vault', useVMManagedIdentity: 'false' });
  const vault = `
    secrets: [{name: a, value: va}, {name: off, value: v, enabled: false}, {name: big, value: "${'x'.repeat(25_000)}"}]`;
  const other = (name: string, fields: string) =>
    `  - {name: ${name}, tenant: "${TENANT}", secrets: [{name: a, value: v}]${fields}}\n`;
  const rest =
    other('bare-vault', '') + other('policy-vault', ', access: policy') + other('walled-vault', ', firewall: closed');
  world = await openWorld(seedWith({ vault, rest }), { hosts: ['parity-vault.vault.invalid'] }, cluster);
});
afterEach(() => world.emulator.faults.clear());
afterAll(async () => {
  await world?.close();
  await cluster?.close();
});

/** What a failed Mount says, and its error code. */
interface Said {
  readonly message: string;
  readonly code: string;
}

async function said(asked: Asked, limitMs?: number): Promise<Said> {
  const before = world.log.length;
  const outcome = await (limitMs === undefined ? world.mount(asked) : world.mountWithin(limitMs, asked));
  if (outcome.kind !== 'failed') throw new Error('it did not fail');
  const line = world.log.slice(before).find((one) => one.includes('"Mount failed"')) ?? '{}';
  const { code } = JSON.parse(line) as { code?: string };
  return { message: outcome.message, code: code ?? '' };
}

/** The Mount gets this answer of the vault. */
const answered = (
  status: number,
  body: Readonly<Record<string, unknown>> | string,
  headers: Readonly<Record<string, string>> = {},
) => {
  world.emulator.faults.add({ on: 'vault', action: { kind: 'answer', status, body, headers } });
  // A pause that the vault asks for is kept by the provider.
  return said({ objects: a, flags: [`--custom-user-agent=answer-${status}`] });
};
const refusal = (code: string, inner: string) => ({
  error: { code, message: 'Said the vault.', innererror: { code: inner } },
});

let clouds = 0;
function cloudWith(edit: Readonly<Record<string, string>>) {
  const path = join(world.directory, `cloud-${++clouds}.json`);
  writeFileSync(path, JSON.stringify({ ...(JSON.parse(world.emulator.cloudFile) as object), ...edit }));
  return { cloudName: 'AzureStackCloud', cloudEnvFileName: path };
}
const token = (audience: string) => {
  const subject = 'system:serviceaccount:prod:web';
  return tokensParameter({ [audience]: world.emulator.issueServiceAccountToken({ audience: AUDIENCE, subject }) });
};
const workload = (tokens: Readonly<Record<string, string>>) =>
  said({ objects: a, secrets: null, parameters: { clientID: CLIENT, ...tokens } });
const inVault = (keyvaultName: string) => said({ objects: a, parameters: { keyvaultName } });
const named = (objectName: string, fields: object = {}) =>
  said({ objects: [{ objectName, objectType: 'secret', ...fields }] });
const OTHER_ID = '99999999-9999-9999-9999-999999999999';

/** Makes the text of each heading. */
const MAKERS: Readonly<Record<string, () => Promise<Said>>> = {
  'nodePublishSecretRef secret is not set': () => said({ objects: a, secrets: null }),
  'could not find clientsecret in secrets': () => said({ objects: a, secrets: { clientId: CLIENT } }),
  'service account tokens not found': () => workload({}),
  'token for audience api://AzureADTokenExchange not found': () => workload(token('other')),
  AADSTS7000215: () => said({ objects: a, secrets: { clientid: CLIENT, clientsecret: 'wrong' } }),
  AADSTS70021: () => workload(token(AUDIENCE)),
  AADSTS700016: () => said({ objects: a, secrets: { clientid: OTHER_ID, clientsecret: 'any' } }),
  AADSTS90002: () => said({ objects: a, parameters: { tenantID: OTHER_ID } }),
  '403 Forbidden/ForbiddenByRbac': () => inVault('bare-vault'),
  '403 Forbidden/AccessDenied': () => inVault('policy-vault'),
  '403 Forbidden/ForbiddenByFirewall': () => inVault('walled-vault'),
  '403 Forbidden/ForbiddenByConnection': () => answered(403, refusal('Forbidden', 'ForbiddenByConnection')),
  '403 Forbidden/SecretDisabled': () => named('off'),
  '404 SecretNotFound': () => named('absent'),
  '429 Throttled': () => answered(429, refusal('Throttled', ''), { 'retry-after': '600' }),
  'did not answer: DNS failed, ENOTFOUND': () => {
    const edit = { keyVaultDNSSuffix: 'vault.invalid', keyVaultEndpoint: 'https://vault.invalid' };
    return said({ objects: a, parameters: cloudWith(edit) });
  },
  'did not answer: TCP failed, ECONNREFUSED': () =>
    said({ objects: a, parameters: cloudWith({ keyVaultDNSSuffix: 'vault.localhost:1' }) }),
  'did not answer: TLS failed': async () => {
    const { certificate, key } = await issue({ name: 'stranger', dnsNames: ['*.vault.localhost'] });
    const server = createServer({ cert: certificate.toString(), key: keyPem(key) }).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    const failed = await said({ objects: a, parameters: cloudWith({ keyVaultDNSSuffix: `vault.localhost:${port}` }) });
    server.closeAllConnections();
    server.close();
    return failed;
  },
  'context deadline exceeded: timed out': () => {
    world.emulator.faults.add({ on: 'vault', action: { kind: 'hang' } });
    return said({ objects: a, flags: ['--custom-user-agent=hangs'] }, 4000);
  },
  'so it is not the JSON asked for; check proxies between node and vault': () =>
    answered(200, '<html>sign in</html>', { 'content-type': 'text/html' }),
  '500 for': () => answered(500, {}),
  'keyvaultName is not provided': () => inVault(''),
  "the request uses the node's own identity, and only the SecretProviderClass may then set": () =>
    said({ objects: a, parameters: { useVMManagedIdentity: 'true' } }),
  'the content is neither PKCS#12 nor PEM nor DER': () => named('a', { files: { privateKey: 'tls.key' } }),
  'the files of this volume have more than 4194304 bytes together': () =>
    said({
      objects: Array.from({ length: 170 }, (_, i) => ({
        objectName: 'big',
        objectType: 'secret',
        objectAlias: `${i}`,
      })),
    }),
  'the provider cannot compare its parameters with SecretProviderClass': async () => {
    cluster.allowed = false;
    const failed = await said({
      objects: a,
      parameters: { useVMManagedIdentity: 'true' },
      flags: ['--custom-user-agent=none'],
    });
    cluster.allowed = true;
    return failed;
  },
  'failed to unmarshal file permission': () => said({ objects: a, permission: 'rw' }),
  'the provider has no memory for this volume': async () => {
    const budget = new MemoryBudget(2 ** 20);
    const never = new AbortController();
    const size = { vaultUrl: 'https://kv', objects: 20, requestBytes: 200_000 };
    const begin = () => new MountMemory(budget, manualClock()).begin(size, never.signal);
    await begin();
    budget.charge(2 ** 20);
    const waiting = begin().catch(() => {});
    const failed = await failureOf(begin());
    never.abort(new Error('over'));
    await waiting;
    return failed;
  },
  'the caller cancelled the mount': async () => {
    world.emulator.faults.add({ on: 'vault', action: { kind: 'hang' } });
    const client = await world.provider(['--custom-user-agent=cancelled']);
    const abort = new AbortController();
    const asked = () => world.emulator.requests.filter(({ kind }) => kind === 'vault').length;
    const before = asked();
    const called = client.mount(requestOf({ objects: a }), { signal: abort.signal }).catch(() => {});
    await expect.poll(asked).toBeGreaterThan(before);
    abort.abort();
    await called;
    const line = () => world.log.find((one) => one.includes('ERR_CANCELLED'));
    await expect.poll(line).toBeDefined();
    return { message: line() ?? '', code: 'ERR_CANCELLED' };
  },
  'the provider failed unexpectedly; its log says more': async () => {
    const object = { type: 'secret', name: 'a', version: '', operation: 'read' } as const;
    return vaultError({ ...object, vaultName: 'kv', host: 'kv', identity: 'i' }, new Error('a defect'));
  },
};

/** The headings of the third level between two of the second, without backticks. */
const printed = headings(PAGE)
  .slice(headings(PAGE).indexOf('The provider: credentials'), headings(PAGE).indexOf('After the start'))
  .filter((heading) => heading.startsWith('`'))
  .map((heading) => heading.replaceAll('`', ''));

it('has a heading for each text that is made here', () => {
  expect(printed.toSorted()).toEqual(Object.keys(MAKERS).toSorted());
});

describe.each(printed)('%s', (heading) => {
  it('is printed, with the error code of the section', async () => {
    const { message, code } = await (MAKERS[heading]?.() ?? Promise.reject(new Error('nothing makes this text')));
    expect(message).toContain(heading);
    expect(section(PAGE, `\`${heading}\``)).toContain(`\`${code}\``);
  });
});

it('has a section for each error code of a Mount', () => {
  const listed = firstColumn(section('docs/errors.md', 'Error codes')).filter((code) => code !== 'ERR_USAGE');
  expect(listed).toHaveLength(Object.keys(STATUS_OF).length - 1);
  expect(listed.filter((code) => !textOf(PAGE).includes(`\`${code}\``))).toEqual([]);
});
