/** Mounts parts of JSON and YAML secrets through the built gRPC server, and writes the volumes as the driver does. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TENANT, VAULT } from '../../src/cli/demo/fixtures.ts';
import { mountInto, seedOf, startWorld, type World } from '../support/e2e.ts';

const APP = { database: { user: 'app', password: 'hunter2', port: 5432 }, tls: { crt: 'C', key: 'K' } };
const SEED = seedOf(`    secrets:
      - {name: app, value: '${JSON.stringify(APP)}'}
      - {name: broken, value: '{"hidden": hidden: 1}'}
`);

let world: World;
beforeAll(async () => {
  world = await startWorld({ seed: SEED });
});
afterAll(() => world?.close());

type Fields = Readonly<Record<string, unknown>>;
const classic = (...items: readonly Fields[]) => ({
  keyvaultName: VAULT,
  tenantID: TENANT,
  objects: JSON.stringify({ array: items }),
});
const app = (extract: Fields, more: Fields = {}) => ({ objectName: 'app', objectType: 'secret', extract, ...more });
const keyVault = (extract: Fields) => ({
  keyVault: JSON.stringify({
    vault: { name: VAULT, directoryId: TENANT, credentials: { servicePrincipalLocalSecretName: 'sp' } },
    vaultSecret: { name: 'app', extract },
  }),
});
const asked = () => world.emulator.requests.filter(({ kind }) => kind === 'vault').length;
const EXTRACT = {
  'db/password': 'database.password',
  'db/port': { jmesPath: 'database.port', filePermission: '0400' },
  'tls/{key}': 'tls',
};

describe.each([
  ['classic', classic(app(EXTRACT))],
  ['keyVault', keyVault(EXTRACT)],
])('parts of a secret in the %s form', (form, parameters) => {
  it('are files of one version, made of one read', async () => {
    const before = asked();
    const { targetDir, files, objectVersions } = await mountInto(world, form, parameters);
    expect(asked() - before).toBeLessThanOrEqual(1);
    expect(files.map(({ path, mode }) => `${path} ${mode.toString(8)}`)).toEqual([
      'db/password 644',
      'db/port 400',
      'tls/crt 644',
      'tls/key 644',
    ]);
    expect(readFileSync(join(targetDir, 'db/password'), 'utf8')).toBe('hunter2');
    expect(objectVersions.map(({ id }) => id)).toEqual(['secret/app']);
  });
});

it('follow a new version of the secret, with the keys that it has', async () => {
  const parameters = { ...classic(app({ '{key}': 'tls' })), maxAge: '0s' };
  const before = await mountInto(world, 'follow', parameters);
  const version = world.emulator.setSecret(VAULT, 'app', JSON.stringify({ ...APP, tls: { ca: 'A' } }));
  const after = await mountInto(world, 'follow', parameters);
  world.emulator.setSecret(VAULT, 'app', JSON.stringify(APP));
  expect(before.files.map(({ path }) => path)).toEqual(['crt', 'key']);
  expect(after.files.map(({ path }) => path)).toEqual(['ca']);
  expect(after.objectVersions).toEqual([{ id: 'secret/app', version }]);
});

it('leave a volume empty if all are optional and absent, and take the last one away', async () => {
  const parameters = { ...classic(app({ flag: { jmesPath: 'flag', optional: 'true' } })), maxAge: '0s' };
  const empty = await mountInto(world, 'absent', parameters);
  expect(empty.files).toEqual([]);
  expect(empty.objectVersions.map(({ id }) => id)).toEqual(['secret/app']);
  world.emulator.setSecret(VAULT, 'app', JSON.stringify({ ...APP, flag: 'on' }));
  expect((await mountInto(world, 'absent', parameters)).files.map(({ path }) => path)).toEqual(['flag']);
  world.emulator.setSecret(VAULT, 'app', JSON.stringify(APP));
  expect((await mountInto(world, 'absent', parameters)).files.map(({ path }) => path)).toEqual(['.missing']);
});

it.each<[string, Fields, string, RegExp]>([
  ['a wrong expression', app({ a: 'my-key' }), 'ERR_BAD_PARAMETERS', /"my-key" is not JMESPath/],
  ['a missing key', app({ a: 'database.pasword' }), 'ERR_BAD_CONTENT', /finds nothing in the value/],
  [
    'no JSON',
    { ...app({ a: 'a' }), objectName: 'broken' },
    'ERR_BAD_CONTENT',
    /cannot be read as JSON or YAML: line 1, column \d+/,
  ],
])('are refused for %s, without anything of the value', async (name, item, code, message) => {
  const refused = mountInto(world, name.replaceAll(' ', '-'), classic(item));
  await expect(refused).rejects.toMatchObject({ code });
  await expect(refused).rejects.toThrow(message);
  await expect(refused).rejects.not.toThrow(/hidden|hunter2/);
});
