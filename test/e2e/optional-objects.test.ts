/** Mounts optional objects through the built gRPC server, and writes the volumes as the driver does. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { TENANT, VAULT } from '../../src/cli/demo/fixtures.ts';
import { mountInto, seedOf, startWorld, type World } from '../support/e2e.ts';

const SEED = seedOf(`    secrets:
      - {name: db-password, value: hunter2}
      - {name: off, value: hidden, enabled: false}
`);

let world: World;
beforeAll(async () => {
  world = await startWorld({ seed: SEED });
});
afterEach(() => world.emulator.faults.clear());
afterAll(() => world?.close());

type Fields = Readonly<Record<string, unknown>>;
const item = (objectName: string, more: Fields = {}) => ({ objectName, objectType: 'secret', ...more });
const classic = (...items: readonly Fields[]) => ({
  keyvaultName: VAULT,
  tenantID: TENANT,
  objects: JSON.stringify({ array: items }),
});
const optional = (objectName: string, more: Fields = {}) => item(objectName, { optional: 'true', ...more });

/** Mounts into the directory of this name, and returns what a pod sees there, and the versions of the driver. */
async function mount(name: string, parameters: Readonly<Record<string, string>>) {
  const { targetDir, objectVersions } = await mountInto(world, name, parameters);
  const names = existsSync(targetDir) ? readdirSync(targetDir).filter((one) => !one.startsWith('..')) : [];
  const files = Object.fromEntries(names.map((one) => [one, readFileSync(join(targetDir, one), 'utf8')]));
  return { files, versions: objectVersions.map(({ id, version }) => `${id} ${version}`) };
}

const disable = (name: string) => world.emulator.setEnabled(VAULT, { kind: 'secrets', name }, false);
const linesWith = (text: string) =>
  world.provider
    .log()
    .split('\n')
    .filter((line) => line.includes(text));
const missingLines = () => linesWith('Optional objects are missing');

describe('a missing object', () => {
  it.each<[string, string, Fields, Readonly<Record<string, string>>, RegExp]>([
    ['no file', 'none', {}, {}, /^secret\/none missing$/],
    ['no file, for a disabled one', 'off', {}, {}, /^secret\/off missing$/],
    ['an empty file', 'none', { ifMissing: 'empty' }, { none: '' }, /^secret\/none missing$/],
    ['a text', 'none', { default: 'info\n' }, { none: 'info\n' }, /^secret\/none missing-[0-9a-f]{16}$/],
    ['a text under its own name', 'none', { default: 'x', objectAlias: 'y' }, { y: 'x' }, /^secret\/none missing-/],
    ['no history', 'none', { objectVersionHistory: 3 }, {}, /^secret\/none missing$/],
    ['no history of disabled versions', 'off', { objectVersionHistory: 3 }, {}, /^secret\/off missing$/],
    ['no certificate', 'none', { files: { ca: 'ca.crt' } }, {}, /^secret\/none missing$/],
    [
      'no version',
      'db-password',
      { objectVersion: 'f'.repeat(32), objectAlias: 'old' },
      {},
      /^secret\/db-password missing$/,
    ],
  ])('gives %s', async (_, name, fields, expected, version) => {
    const { files, versions } = await mount(
      `one ${JSON.stringify([name, fields])}`.replaceAll(/\W+/g, '-'),
      classic(item('db-password', { objectAlias: 'db' }), optional(name, fields)),
    );
    expect(files).toEqual({ db: 'hunter2', ...expected });
    expect(versions.filter((one) => one.includes('missing'))).toEqual([expect.stringMatching(version)]);
  });

  it('is one of the keyVault form too', async () => {
    const vault = { name: VAULT, directoryId: TENANT, credentials: { servicePrincipalLocalSecretName: 'sp' } };
    const keyVault = (more: Fields) =>
      JSON.stringify({ vault, vaultSecret: { name: 'none', optional: true, ...more } });
    expect(await mount('key-vault-skip', { keyVault: keyVault({}) })).toEqual({
      files: {},
      versions: ['secret/none missing'],
    });
    expect((await mount('key-vault-default', { keyVault: keyVault({ default: 'x' }) })).files).toEqual({ none: 'x' });
  });

  it('is logged once for a volume', async () => {
    const before = missingLines().length;
    for (let i = 0; i < 2; i++) await mount('logged', classic(item('db-password'), optional('none')));
    await mount('logged', classic(item('db-password'), optional('none'), optional('other-none')));
    await expect.poll(() => missingLines().length).toBe(before + 2);
    expect(
      missingLines()
        .map((line) => /objects=("[^"]*"|\S+)/.exec(line)?.[1])
        .slice(before),
    ).toEqual(['none', '"none other-none"']);
  });
});

describe('a failure that is no absence', () => {
  const parameters = classic(optional('db-password'));
  it.each<[string, Parameters<World['emulator']['faults']['add']>[0]['action'], status]>([
    [
      '403',
      { kind: 'answer', status: 403, body: JSON.stringify({ error: { code: 'Forbidden', message: 'no' } }) },
      status.PERMISSION_DENIED,
    ],
    ['404 of a proxy', { kind: 'answer', status: 404, body: '<html>not here</html>' }, status.NOT_FOUND],
    [
      '404 of a gateway or vault that is not there, in the form of Azure',
      { kind: 'answer', status: 404, body: JSON.stringify({ error: { code: 'VaultNotFound', message: 'no' } }) },
      status.NOT_FOUND,
    ],
    [
      '403 since something else than the object is disabled',
      {
        kind: 'answer',
        status: 403,
        body: JSON.stringify({ error: { code: 'Forbidden', message: 'no', innererror: { code: 'AccountDisabled' } } }),
      },
      status.PERMISSION_DENIED,
    ],
    ['503', { kind: 'answer', status: 503 }, status.UNKNOWN],
    ['a connection that is cut', { kind: 'drop' }, status.UNKNOWN],
  ])('fails the mount: %s', async (_, action, code) => {
    world.emulator.faults.add({ on: 'vault', action });
    await expect(mountInto(world, 'failure', parameters)).rejects.toMatchObject({ cause: { code } });
  });
});

describe('a volume over time', () => {
  it('gets the object that appears, and loses the file of one that goes', async () => {
    const parameters = classic(item('db-password'), optional('comes'));
    expect((await mount('over-time', parameters)).files).toEqual({ 'db-password': 'hunter2' });
    world.emulator.setSecret(VAULT, 'comes', 'here', { version: 'a'.repeat(32) });
    expect((await mount('over-time', parameters)).files).toEqual({ 'db-password': 'hunter2', comes: 'here' });
    disable('comes');
    expect((await mount('over-time', parameters)).files).toEqual({ 'db-password': 'hunter2' });
    const changes = () => linesWith('object=secret/comes').map((line) => /from=(\S+) to=(\S+)/.exec(line)?.slice(1));
    await expect.poll(changes).toEqual([
      ['missing', 'a'.repeat(32)],
      ['a'.repeat(32), 'missing'],
    ]);
  });

  it('of optional objects alone is empty, and loses its last file by a mark', async () => {
    const parameters = classic(optional('last'), optional('other'));
    expect(await mount('alone', parameters)).toEqual({
      files: {},
      versions: ['secret/last missing', 'secret/other missing'],
    });
    world.emulator.setSecret(VAULT, 'last', 'here');
    expect((await mount('alone', parameters)).files).toEqual({ last: 'here' });
    disable('last');
    for (let i = 0; i < 2; i++)
      expect((await mount('alone', parameters)).files).toEqual({ '.missing': 'last\nother\n' });
    world.emulator.setSecret(VAULT, 'other', 'there');
    expect((await mount('alone', parameters)).files).toEqual({ other: 'there' });
  });
});
