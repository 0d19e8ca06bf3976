/** Mounts manifests that leave out the tenant, through a provider process and over gRPC, and counts the requests. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { TENANT } from '../../src/cli/demo/fixtures.ts';
import { readManifests } from '../../src/driver/manifests.ts';
import { runOnClass } from '../support/class-command.ts';
import { APP_IDENTITY, mountInto, startWorld, type World } from '../support/e2e.ts';
import { codeBlocks, section } from '../support/markdown.ts';

const OTHER_TENANT = '99999999-9999-9999-9999-999999999999';
const VAULTS = ['my-key-vault', 'kv-away', 'kv-command', 'kv-form', 'kv-direct', 'kv-fault', 'kv-many', 'kv-foreign'];
const SEED = `
tenants:
  - {id: "${TENANT}", identities: [${APP_IDENTITY}]}
  - {id: "${OTHER_TENANT}", identities: []}
vaults:
${VAULTS.map(
  (name) =>
    `  - {name: ${name}, tenant: "${name === 'kv-foreign' ? OTHER_TENANT : TENANT}", grants: ${name === 'kv-foreign' ? '[]' : '[{identity: app, secrets: [get]}]'}, secrets: [{name: db-password, value: hunter2}]}`,
).join('\n')}
`;

let world: World;
beforeAll(async () => {
  world = await startWorld({ seed: SEED });
});
beforeEach(() => world.emulator.requests.clear());
afterEach(() => world.emulator.faults.clear());
afterAll(() => world?.close());

const objects = 'array:\n  - {objectName: db-password, objectType: secret}';
const classic = (keyvaultName: string, more = {}) => ({ keyvaultName, objects, ...more });
const sent = () =>
  world.emulator.requests.map(({ kind, method, path, authenticated }) =>
    [authenticated ? 'with token' : 'without', kind, method, path].join(' '),
  );

async function contentOf(name: string, parameters: Readonly<Record<string, string>>): Promise<string> {
  const { targetDir } = await mountInto(world, name, parameters);
  return readFileSync(join(targetDir, 'db-password'), 'utf8');
}

describe('a manifest without a tenant', () => {
  it('of the documents mounts: the vault is asked once, and then read with a token of its tenant', async () => {
    const [text = ''] = codeBlocks(section('docs/identity-modes.md', 'A manifest without a tenant'), 'yaml');
    const [spc] = readManifests(text, 'identity-modes.md').classes;
    expect(spc?.parameters).not.toHaveProperty('tenantID');
    expect(await contentOf('documented', spc?.parameters ?? {})).toBe('hunter2');
    expect(sent().filter((line) => !line.includes('entra GET'))).toEqual([
      'without vault GET /secrets',
      `with token entra POST /${TENANT}/oauth2/v2.0/token`,
      'with token vault GET /secrets/db-password/',
    ]);
    world.emulator.requests.clear();
    expect(await contentOf('documented', spc?.parameters ?? {})).toBe('hunter2');
    expect(sent()).toEqual(['with token vault GET /secrets/db-password/']);
  });

  it('may be of the keyVault form', async () => {
    const vault = { name: 'kv-form', credentials: { servicePrincipalLocalSecretName: 'sp' } };
    const keyVault = JSON.stringify({ vault, vaultSecret: { name: 'db-password' } });
    expect(await contentOf('form', { keyVault })).toBe('hunter2');
    expect(sent().filter((line) => line.startsWith('without vault'))).toEqual(['without vault GET /secrets']);
  });

  it('costs one request for all volumes of the vault that come at a time', async () => {
    const names = Array.from({ length: 12 }, (_, index) => `many-${index}`);
    await Promise.all(names.map((name) => contentOf(name, classic('kv-many'))));
    expect(sent().filter((line) => line.startsWith('without vault'))).toEqual(['without vault GET /secrets']);
  });

  it('is asked for no object and with no credential where the challenge leads elsewhere', async () => {
    const header = `Bearer authorization="https://login.evil.example/${TENANT}", resource="https://vault.azure.net"`;
    const action = { kind: 'answer', status: 401, headers: { 'www-authenticate': header } } as const;
    world.emulator.faults.add({ on: 'vault', unauthenticated: true, action });
    await expect(mountInto(world, 'fault', classic('kv-fault'))).rejects.toMatchObject({
      cause: {
        code: status.UNAUTHENTICATED,
        details: expect.stringMatching(/tenantId is not provided: .*login\.evil\.example.*nothing was sent there/),
      },
    });
    expect(sent()).toEqual(['without vault GET /secrets']);
  });

  it('logs in at the tenant of the vault, which refuses an identity of another one', async () => {
    await expect(mountInto(world, 'foreign', classic('kv-foreign'))).rejects.toMatchObject({
      cause: { code: status.UNAUTHENTICATED, details: expect.stringContaining(OTHER_TENANT) },
    });
    expect(world.emulator.requests.filter(({ kind, authenticated }) => kind === 'entra' && authenticated)).toEqual([]);
  });

  it('is no request without a tenant name that is misspelt', async () => {
    await expect(mountInto(world, 'misspelt', classic('kv-fault', { tenantid: TENANT }))).rejects.toMatchObject({
      cause: {
        code: status.INVALID_ARGUMENT,
        details: expect.stringMatching(/tenantId is not provided.*did you mean it by "tenantid"\?/),
      },
    });
    expect(sent()).toEqual([]);
  });

  it('is served last known values while its vault is away, since the tenant is kept', async () => {
    expect(await contentOf('away', classic('kv-away'))).toBe('hunter2');
    world.emulator.faults.add({ on: 'vault', unauthenticated: true, action: { kind: 'drop' } });
    expect(await contentOf('of-another-pod', classic('kv-away'))).toBe('hunter2');
    await expect.poll(() => world.provider.log()).toContain('Mounted with last known values');
  });

  it('is mounted by mount --direct and read by check --fetch; check alone asks nobody and notes it', async () => {
    const run = (...command: readonly string[]) => runOnClass(world, command, classic('kv-command'));
    expect(await run('check')).toContain('note: tenantID is not set: the tenant is learnt from the vault');
    expect(world.emulator.requests).toEqual([]);
    expect(await run('mount', '--direct')).toContain('secret/db-password');
    expect(await run('check', '--fetch')).toContain('0 errors');
    expect(sent().filter((line) => line.startsWith('without vault'))).toHaveLength(2);
  });

  it('that names one asks no vault for it', async () => {
    expect(await contentOf('named', classic('kv-direct', { tenantID: TENANT }))).toBe('hunter2');
    expect(sent().filter((line) => line.startsWith('without vault'))).toEqual([]);
  });
});
