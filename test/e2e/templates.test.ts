/** Mounts files of several secrets through the built gRPC server, and writes the volumes as the driver does. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TENANT, VAULT } from '../../src/cli/demo/fixtures.ts';
import { runOnClass } from '../support/class-command.ts';
import { mountInto, seedOf, startWorld, type World } from '../support/e2e.ts';

const SEED = seedOf(`    secrets:
      - {name: db-user, value: app}
      - {name: db-password, value: "it's"}
      - {name: config, value: '{"port": 5432}'}
`);

let world: World;
beforeAll(async () => {
  world = await startWorld({ seed: SEED });
});
afterAll(() => world?.close());

type Fields = Readonly<Record<string, unknown>>;
const item = (objectName: string, more: Fields = {}) => ({
  objectName,
  objectType: 'secret',
  templateOnly: 'true',
  ...more,
});
const classic = (templates: Fields, ...items: readonly Fields[]) => ({
  keyvaultName: VAULT,
  tenantID: TENANT,
  maxAge: '0s',
  objects: JSON.stringify({ array: items }),
  templates: JSON.stringify(templates),
});
const ITEMS = [
  item('db-user'),
  item('db-password'),
  item('config', { extract: { port: 'port' } }),
  item('license', { optional: 'true' }),
];
const TEMPLATES = {
  'conf/app': '{{db-user}}:{{db-password | shell}}@{{port}}{{#license}}!{{license}}{{/license}}\n',
  all: { format: 'json', objects: ['*'] },
};

it('are made of secrets and parts of them that are not written', async () => {
  const { targetDir, files, objectVersions } = await mountInto(world, 'templates', classic(TEMPLATES, ...ITEMS));
  expect(files.map(({ path }) => path)).toEqual(['conf/app', 'all']);
  expect(readFileSync(join(targetDir, 'conf/app'), 'utf8')).toBe("app:'it'\\''s'@5432\n");
  expect(JSON.parse(readFileSync(join(targetDir, 'all'), 'utf8'))).toEqual({
    'db-user': 'app',
    'db-password': "it's",
    port: '5432',
  });
  expect(objectVersions.map(({ id }) => id)).toEqual([
    'template/conf/app',
    'template/all',
    'secret/db-user',
    'secret/db-password',
    'secret/config',
    'secret/license',
  ]);
});

it('change with the objects in them, and when an optional one appears', async () => {
  const parameters = classic(TEMPLATES, ...ITEMS);
  const versionsOf = async () => {
    const { files, objectVersions } = await mountInto(world, 'change', parameters);
    const text = files[0]?.contents.toString();
    return { text, version: objectVersions.find(({ id }) => id === 'template/conf/app')?.version };
  };
  const first = await versionsOf();
  expect(await versionsOf()).toEqual(first);
  world.emulator.setSecret(VAULT, 'license', 'L');
  const second = await versionsOf();
  expect(second.text).toBe("app:'it'\\''s'@5432!L\n");
  expect(second.version).not.toBe(first.version);
});

it('are refused with the nearest name, before a vault is asked', async () => {
  const before = world.emulator.requests.length;
  const templates = 'f: |\n  {{db-user}}\n  {{db-pasword}}\n';
  await expect(mountInto(world, 'mistake', { ...classic({}, ...ITEMS.slice(0, 2)), templates })).rejects.toThrow(
    /templates\.f: "db-pasword" is no file or object of this volume; did you mean "db-password"\?/,
  );
  expect(world.emulator.requests.length).toBe(before);
});

it('are mounted by mount --direct, with the languages of the built program', async () => {
  const output = await runOnClass(world, ['mount', '--direct'], classic(TEMPLATES, ...ITEMS));
  expect(output).toMatch(/conf\/app[\s\S]*template\/all/);
});
