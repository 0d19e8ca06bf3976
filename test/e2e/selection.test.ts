/** Mounts selections through the built gRPC server, and writes the volumes as the driver does. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { TENANT, VAULT } from '../../src/cli/demo/fixtures.ts';
import { runOnClass } from '../support/class-command.ts';
import { mountInto, seedOf, startWorld, type World } from '../support/e2e.ts';

const LARGE = 'large-vault';
const COUNT = 200;
const numbered = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, i) => {
    const name = `${prefix}-${String(i).padStart(3, '0')}`;
    return `      - {name: ${name}, value: value of ${name}, created: 2026-01-01T00:00:00Z}`;
  }).join('\n');
const SEED = seedOf(
  `    certificates:
      - {name: web, subject: CN=web, key: {kty: EC}}
    keys: [{name: signer, kty: EC}]
    secrets:
      - {name: db-password, value: hunter2, created: 2026-01-01T00:00:00Z, tags: {env: prod, team: a}}
      - {name: DB-User, value: app, created: 2026-01-01T00:00:00Z, tags: {env: prod}}
      - {name: db-old, value: old, enabled: false, tags: {env: prod}}
      - {name: shared-a, value: of the first, created: 2026-01-01T00:00:00Z}
      - {name: mail, value: m, created: 2026-01-01T00:00:00Z, tags: {env: test}}
  - name: ${LARGE}
    tenant: "${TENANT}"
    grants: [{identity: app, secrets: [get, list]}]
    secrets:
      - {name: shared-a, value: of the fallback, created: 2026-01-01T00:00:00Z}
${numbered('s', COUNT)}
${numbered('more', 300)}
`,
  'secrets: [get, list], keys: [get, list], certificates: [get, list]',
);

let world: World;
beforeAll(async () => {
  world = await startWorld({ seed: SEED });
});
afterEach(() => world.emulator.faults.clear());
afterAll(() => world?.close());

type Fields = Readonly<Record<string, unknown>>;
const classic = (items: readonly Fields[], keyvaultName = VAULT, more = {}) => ({
  keyvaultName,
  tenantID: TENANT,
  objects: JSON.stringify({ array: items.map((item) => ({ objectType: 'secret', ...item })) }),
  ...more,
});

/** Mounts into the directory of this name, and returns what a pod sees there, and the versions of the driver. */
async function mount(name: string, parameters: Readonly<Record<string, string>>) {
  world.emulator.requests.clear();
  const { targetDir, objectVersions } = await mountInto(world, name, parameters);
  const paths = existsSync(targetDir) ? readdirSync(targetDir, { recursive: true, encoding: 'utf8' }) : [];
  const seen = paths.filter((one) => !one.startsWith('..') && statSync(join(targetDir, one)).isFile());
  const files = Object.fromEntries(seen.sort().map((one) => [one, readFileSync(join(targetDir, one), 'utf8')]));
  return { files, versions: objectVersions.map(({ id }) => id), requests: vaultPaths() };
}

const vaultPaths = () => world.emulator.requests.filter(({ kind }) => kind === 'vault').map(({ path }) => path);
const failure = (name: string, parameters: Readonly<Record<string, string>>) =>
  mountInto(world, name, parameters).then(
    () => 'no failure',
    ({ message }: Error) => message,
  );

describe('a selection', () => {
  it('gives a file for each object that matches and is enabled, in the order of their names', async () => {
    const { files, versions, requests } = await mount('names', classic([{ objectNames: 'db-*' }]));
    expect(files).toEqual({ 'DB-User': 'app', 'db-password': 'hunter2' });
    expect(versions).toEqual(['secret/DB-User', 'secret/db-password']);
    expect(requests).toEqual(['/secrets', '/secrets/DB-User/', '/secrets/db-password/']);
  });

  it.each<[string, Fields, readonly string[]]>([
    ['tags', { objectTags: { env: 'prod' } }, ['DB-User', 'db-password']],
    ['all tags', { objectTags: { env: 'p*', team: '*' } }, ['db-password']],
    ['names and tags', { objectNames: ['*-user', 'mail'], objectTags: { env: 'prod' } }, ['DB-User']],
    ['a pattern', { objectNames: 'mail', objectAlias: 'a/{name}/{name}.txt' }, ['a/mail/mail.txt']],
    ['metadata', { objectNames: 'mail', metadata: '{name}.json' }, ['mail', 'mail.json']],
    [
      'certificates',
      { objectNames: 'web', files: { fullChain: '{name}.crt', privateKey: '{name}.key' } },
      ['web.crt', 'web.key'],
    ],
    ['the secrets of certificates', { objectNames: 'w*' }, ['web']],
    ['keys', { objectNames: '*', objectType: 'key', objectAlias: 'keys/{name}' }, ['keys/signer', 'keys/web']],
    ['the certificates themselves', { objectNames: '*', objectType: 'cert' }, ['web']],
  ])('takes %s', async (name, fields, expected) => {
    const { files } = await mount(name.replaceAll(' ', '-'), classic([fields]));
    expect(Object.keys(files)).toEqual(expected);
  });

  it('works in the keyVault form', async () => {
    const vault = { name: VAULT, directoryId: TENANT, credentials: { servicePrincipalLocalSecretName: 'sp' } };
    const keyVault = JSON.stringify({ vault, vaultSecret: { names: 'db-*', tags: { env: 'prod' } } });
    const { files } = await mount('key-vault', { keyVault, fileName: 'db/{name}' });
    expect(Object.keys(files)).toEqual(['db/DB-User', 'db/db-password']);
  });

  it('lets an object that is named decide on its file', async () => {
    const named = { objectName: 'db-password', filePermission: '0400' };
    const { targetDir, files } = await mountInto(world, 'named', classic([{ objectNames: 'db-*' }, named]));
    expect(files.map(({ path }) => path)).toEqual(['db-password', 'DB-User']);
    expect(statSync(join(targetDir, 'db-password')).mode & 0o777).toBe(0o400);
    const twice = await mount('twice', classic([{ objectNames: 'mail' }, { objectName: 'mail', objectAlias: 'post' }]));
    expect(twice.files).toEqual({ mail: 'm', post: 'm' });
  });

  it('names both objects that have one path', async () => {
    const two = [{ objectNames: 'db-*' }, { objectTags: { env: 'prod' } }];
    expect(await failure('collision', classic(two))).toMatch(
      /file "DB-User" is written by both objectType:secret, objectName:DB-User, selected by objects\[0\] \(db-\*\) and .* selected by objects\[1\] \(\* with the tags env=prod\); give one/,
    );
    const other = [{ objectNames: 'mail' }, { objectName: 'db-password', objectAlias: 'mail' }];
    expect(await failure('collision-2', classic(other))).toMatch(
      /"mail" is written by both .*db-password.* and .*mail/,
    );
  });

  it('fails where it takes nothing, unless it is optional', async () => {
    const none = { objectNames: 'none-*' };
    expect(await failure('none', classic([none]))).toMatch(
      /objects\[0\] \(none-\*\).*none of the 6 objects of this type in the vault matches none-\*; check globs and tags/,
    );
    expect(await failure('disabled', classic([{ objectNames: 'db-old' }]))).toContain('besides 1 that are disabled');
    const optional = await mount('optional', classic([{ ...none, optional: true }, { objectName: 'mail' }]));
    expect(optional).toMatchObject({ files: { mail: 'm' }, versions: ['secret/mail', 'secret/none-*'] });
    const alone = await mount('alone', classic([{ ...none, optional: true }]));
    expect(alone).toMatchObject({ files: {}, versions: ['secret/none-*'] });
  });

  it('leaves templates their objects', async () => {
    const templates = JSON.stringify({ 'app.conf': 'user={{ DB-User }} mail={{ mail }}' });
    const named = [{ objectName: 'DB-User', templateOnly: 'true' }, { objectName: 'mail' }];
    const { files } = await mount('templates', classic([{ objectNames: 'db-*' }, ...named], VAULT, { templates }));
    expect(files).toMatchObject({ 'app.conf': 'user=app mail=m', 'db-password': 'hunter2', mail: 'm' });
  });

  it('lists the vault of its item', async () => {
    const { files, versions, requests } = await mount(
      'other-vault',
      classic([{ objectNames: 'more-00?', vault: LARGE }]),
    );
    expect(Object.keys(files)).toHaveLength(10);
    expect(versions[0]).toBe(`${LARGE}/secret/more-000`);
    expect(requests.filter((path) => path === '/secrets')).toHaveLength(21);
  });

  it('follows the vault: an object comes, changes, goes, and the last one leaves a mark', async () => {
    const parameters = classic([{ objectNames: 'live-*', optional: true }]);
    expect((await mount('live', parameters)).files).toEqual({});
    world.emulator.setSecret(VAULT, 'live-a', 'one');
    expect((await mount('live', parameters)).files).toEqual({ 'live-a': 'one' });
    world.emulator.setSecret(VAULT, 'live-b', 'two');
    world.emulator.setSecret(VAULT, 'live-a', 'three');
    expect((await mount('live', parameters)).files).toEqual({ 'live-a': 'three', 'live-b': 'two' });
    world.emulator.deleteObject(VAULT, 'secrets', 'live-a');
    expect((await mount('live', parameters)).files).toEqual({ 'live-b': 'two' });
    world.emulator.setEnabled(VAULT, { kind: 'secrets', name: 'live-b' }, false);
    expect((await mount('live', parameters)).files).toEqual({ '.missing': 'live-*\n' });
    const log = world.provider.log();
    expect(log).toMatch(/Object added to the volume.*object=secret\/live-b/);
    expect(log).toMatch(/Object removed from the volume.*object=secret\/live-a/);
  });

  it('leaves out an object that goes between the listing and its read', async () => {
    const gone = { error: { code: 'SecretNotFound', message: 'gone' } };
    const action = { kind: 'answer', status: 404, body: gone } as const;
    world.emulator.setSecret(VAULT, 'short-lived', 'x');
    world.emulator.faults.add({ on: 'vault', path: '/secrets/short-lived', action });
    const { files, versions } = await mount('gone', classic([{ objectNames: ['short-lived', 'db-*'] }]));
    world.emulator.deleteObject(VAULT, 'secrets', 'short-lived');
    expect(Object.keys(files)).toEqual(['DB-User', 'db-password']);
    expect(versions).toContain('secret/short-lived');
  });

  it('names the role if the vault refuses the listing, and the object if it refuses a read', async () => {
    world.emulator.revoke(VAULT, 'app');
    world.emulator.grant(VAULT, { identity: 'app', secrets: ['get'] });
    const refused = await failure('refused', classic([{ objectNames: '*' }]));
    world.emulator.grant(VAULT, { identity: 'app', secrets: ['get', 'list'] });
    expect(refused).toContain('failed to get objects[0] (*): Cannot list the secrets of vault "my-key-vault": 403');
    expect(refused).toContain('grant it "Key Vault Secrets User" on the vault');
    world.emulator.setSecret(VAULT, 'closed', 'x');
    world.emulator.faults.add({ on: 'vault', path: '/secrets/closed', action: { kind: 'answer', status: 403 } });
    const closed = await failure('refused-2', classic([{ objectNames: 'closed' }]));
    world.emulator.deleteObject(VAULT, 'secrets', 'closed');
    expect(closed).toContain('objectName:closed, selected by objects[0] (closed)');
  });
});

describe('the commands', () => {
  const run = (command: readonly string[], item: Fields) => runOnClass(world, command, classic([item]));

  it('mount --direct and check --fetch ask the vault for what matches', async () => {
    expect(await run(['mount', '--direct'], { objectNames: 'db-*' })).toMatch(/DB-User[\s\S]*db-password/);
    expect(await run(['check', '--fetch'], { objectNames: 'db-*' })).toContain('0 errors');
    expect(await run(['check', '--fetch'], { objectNames: 'none-*' })).toContain(
      'matches none-*; check globs and tags',
    );
    expect(await run(['check'], { objectNames: 'none-*' })).toContain('0 errors');
    expect(await run(['check'], { objectNames: 'db-(a|b)' })).toContain(
      'class.json:1: error: objects[0].objectNames is wrong',
    );
  });
});

describe('a large selection', () => {
  const parameters = classic([{ objectNames: 's-*' }], LARGE);

  it('costs pages and reads first, and the pages alone when nothing has changed', async () => {
    const pages = Array.from({ length: Math.ceil((COUNT + 301) / 25) }, () => '/secrets');
    const first = await mount('large', parameters);
    expect(Object.keys(first.files)).toHaveLength(COUNT);
    expect(first.requests).toHaveLength(pages.length + COUNT);
    for (const name of ['large', 'of-another-pod']) {
      const again = await mount(name, parameters);
      expect(again.files).toEqual(first.files);
      expect(again.requests).toEqual(pages);
    }
    world.emulator.setSecret(LARGE, 's-007', 'new');
    const changed = await mount('large', parameters);
    expect(changed.files['s-007']).toBe('new');
    expect(changed.requests).toEqual([...pages, '/secrets/s-007/']);
  });

  it('of more than 500 objects is refused with their number, before one is read', async () => {
    world.emulator.requests.clear();
    const message = await failure('too-many', classic([{ objectNames: '*' }], LARGE));
    expect(message).toMatch(
      /the volume has 501 objects with those of objects\[0\] \(\*\), and 500 is the most; use narrower/,
    );
    expect(vaultPaths().every((path) => path === '/secrets')).toBe(true);
  });

  // A vault that was away is asked again after a pause: this test and the next are the last ones.
  it('takes listing and values of a fallback vault while its vault is away, also where their dates are the same', async () => {
    const parameters = classic([{ objectNames: 'shared-*' }], VAULT, { fallbackVaults: LARGE });
    expect((await mount('fallback', parameters)).files).toEqual({ 'shared-a': 'of the first' });
    world.emulator.faults.add({ on: 'vault', vault: VAULT, action: { kind: 'drop' } });
    expect((await mount('fallback', parameters)).files).toEqual({ 'shared-a': 'of the fallback' });
  });

  it('is served from last known values while the vault is away', async () => {
    const { files } = await mount('away', parameters);
    world.emulator.faults.add({ on: 'vault', action: { kind: 'drop' } });
    expect((await mount('away', parameters)).files).toEqual(files);
    expect(world.provider.log()).toContain('Mounted with last known values');
  });
});
