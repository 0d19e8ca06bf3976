/** Mounts objects of several vaults through the built gRPC server, and counts the requests of each vault. */
import { status } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { TENANT } from '../../src/cli/demo/fixtures.ts';
import { runOnClass } from '../support/class-command.ts';
import { APP_IDENTITY, mountInto, startWorld, type World } from '../support/e2e.ts';

const OTHER_TENANT = '7c9e6679-7425-40de-944b-e07fc1f90ae7';
const vault = (name: string, tenant: string, value: string) => `
  - name: ${name}
    tenant: "${tenant}"
    grants: [{identity: app, secrets: [get, list]}]
    secrets:
      - {name: db-password, value: ${value}}
      - {name: old, value: of 2025, expires: 2026-01-01T00:00:00Z}`;
const SEED = `
tenants:
  - {id: "${TENANT}", identities: [${APP_IDENTITY}]}
  - {id: "${OTHER_TENANT}", identities: [${APP_IDENTITY}]}
vaults:${vault('kv-west', TENANT, 'west')}${vault('kv-shared', TENANT, 'shared')}${vault('kv-other', OTHER_TENANT, 'other')}
  - {name: kv-closed, tenant: "${TENANT}", secrets: [{name: db-password, value: closed}]}
`;

let world: World;
beforeAll(async () => {
  world = await startWorld({ seed: SEED });
});
afterEach(() => world.emulator.faults.clear());
afterAll(() => world?.close());

type Fields = Readonly<Record<string, unknown>>;
const item = (alias: string, more: Fields = {}) => ({
  objectName: 'db-password',
  objectType: 'secret',
  objectAlias: alias,
  ...more,
});
const classic = (items: readonly Fields[], more: Fields = {}): Readonly<Record<string, string>> => ({
  keyvaultName: 'kv-west',
  tenantID: TENANT,
  objects: JSON.stringify({ array: items }),
  ...more,
});

/** Mounts, and returns the files, the versions, and the requests of each vault and of the login service. */
async function mount(name: string, parameters: Readonly<Record<string, string>>) {
  world.emulator.requests.clear();
  const { files, objectVersions } = await mountInto(world, name, parameters);
  return {
    files: Object.fromEntries(files.map(({ path, contents }) => [path, contents.toString()])),
    ids: objectVersions.map(({ id }) => id),
    asked: world.emulator.requests.filter(({ kind }) => kind === 'vault').map(({ host }) => host.split('.')[0]),
  };
}

describe('an object of another vault', () => {
  const several = classic([
    item('west'),
    item('same', { vault: 'KV-WEST' }),
    item('shared', { vault: 'kv-shared', metadata: 'shared.json' }),
    item('other', { vault: { name: 'kv-other', tenantID: OTHER_TENANT } }),
  ]);

  it('is read there, and its id names the vault', async () => {
    const { files, ids, asked } = await mount('several', several);
    const { 'shared.json': about = '', ...values } = files;
    expect(values).toEqual({ west: 'west', same: 'west', shared: 'shared', other: 'other' });
    expect(JSON.parse(about)).toMatchObject({ vault: 'kv-shared' });
    expect(ids).toEqual([
      'secret/db-password',
      'kv-shared/secret/db-password',
      'metadata/shared.json',
      'kv-other/secret/db-password',
    ]);
    expect(asked.toSorted()).toEqual(['kv-other', 'kv-shared', 'kv-west']);
  });

  it('is one of the keyVault form too', async () => {
    const credentials = { servicePrincipalLocalSecretName: 'sp' };
    const keyVault = {
      vault: { name: 'kv-west', directoryId: TENANT, credentials },
      vaultSecret: { name: 'db-password', vault: { name: 'kv-other', directoryId: OTHER_TENANT } },
    };
    const { files, asked } = await mount('key-vault-form', { keyVault: JSON.stringify(keyVault) });
    expect([files, asked]).toEqual([{ 'db-password': 'other' }, ['kv-other']]);
  });

  it('may be missing there, while the vault of the volume has it', async () => {
    world.emulator.setEnabled('kv-shared', { kind: 'secrets', name: 'db-password' }, false);
    const parameters = classic([item('a'), item('b', { vault: 'kv-shared', optional: 'true' })]);
    const { files } = await mount('missing', parameters);
    expect(files).toEqual({ a: 'west' });
    world.emulator.setEnabled('kv-shared', { kind: 'secrets', name: 'db-password' }, true);
  });

  it('that is refused fails the Mount, which names vault and identity', async () => {
    const refused = mount('refused', classic([item('a'), item('b', { vault: 'kv-closed' })]));
    await expect(refused).rejects.toMatchObject({
      cause: {
        code: status.PERMISSION_DENIED,
        details: expect.stringMatching(/Cannot read from vault "kv-closed": 403 Forbidden\S* for service principal/),
      },
    });
  });

  it('of the wrong tenant is not logged in for', async () => {
    const wrong = mount('wrong', classic([item('a', { vault: 'kv-other' })]));
    await expect(wrong).rejects.toMatchObject({
      cause: {
        code: status.UNAUTHENTICATED,
        details: expect.stringContaining(`vault "kv-other" trusts tenant ${OTHER_TENANT}, and the manifest names`),
      },
    });
  });
});

describe('a fallback vault', () => {
  const fallback = classic([item('a', { optional: 'true' })], { fallbackVaults: 'kv-closed, kv-shared' });
  const away = (vault: string) =>
    world.emulator.faults.add({ on: 'vault', vault, action: { kind: 'answer', status: 503 } });
  const lines = () =>
    world.provider
      .log()
      .split('\n')
      .filter((line) => line.includes('Answered by a fallback vault'));

  it('is not asked while the vault answers', async () => {
    const { files, asked } = await mount('fallback', fallback);
    expect([files, asked]).toEqual([{ a: 'west' }, ['kv-west']]);
  });

  it('answers under the id of the vault, and the log says so', async () => {
    away('kv-west');
    const { files, ids, asked } = await mount('fallback', fallback);
    expect([files, ids]).toEqual([{ a: 'shared' }, ['secret/db-password']]);
    expect([...new Set(asked)]).toEqual(['kv-west', 'kv-closed', 'kv-shared']);
    await expect.poll(() => lines().length).toBe(1);
    // A busy machine may take longer for the tries than a Mount waits for them.
    expect(lines()[0]).toMatch(/vault=kv-west fallback=kv-shared objects=db-password code=ERR_(VAULT|TIMEOUT) /);
  });

  it('leaves the file in place if none answers, also that of an optional object', async () => {
    away('kv-west');
    away('kv-shared');
    await expect(mount('fallback', { ...fallback, maxAge: '0s' })).rejects.toMatchObject({
      cause: { details: expect.stringMatching(/vault "kv-west": .*; Cannot read from vault "kv-shared": 503/) },
    });
  });
});

describe('the commands', () => {
  const run = (command: readonly string[], parameters: Readonly<Record<string, string>>) =>
    runOnClass(world, command, parameters);

  it('read objects of several vaults, and say which object has expired', async () => {
    const old = { objectName: 'old', objectType: 'secret', validity: 'warn', vault: 'kv-shared' };
    const parameters = classic([item('west'), old]);
    const mounted = await run(['mount', '--direct'], parameters);
    expect(mounted).toContain('kv-shared/secret/old');
    const warning = /kv-shared\/secret\/old: version [0-9a-f]{32} expired at 2026-01-01T00:00:00Z/;
    expect(mounted).toMatch(warning);
    expect(await run(['check', '--fetch'], parameters)).toMatch(warning);
  });

  it('are answered by a fallback vault, and say by which and why', async () => {
    const parameters = classic([item('west')], { fallbackVaults: 'kv-shared' });
    world.emulator.faults.add({ on: 'vault', vault: 'kv-west', action: { kind: 'answer', status: 503 } });
    expect(await run(['mount', '--direct'], parameters)).toMatch(
      /warning: Answered by a fallback vault: vault=kv-west fallback=kv-shared .*503/,
    );
  });
});
