import { beforeAll, describe, expect, it } from 'vitest';
import { checkManifests } from '../../src/spc/check.ts';
import { loadLanguages } from '../../src/spc/languages.ts';
import type { VolumeSpec } from '../../src/spc/model.ts';
import { nameInPath, objectNamed } from '../../src/spc/name-pattern.ts';
import { selects } from '../../src/spc/selection.ts';
import { block, CLASSIC, DEFAULTS, type Fields, NO_CLOUD_FILE, read, SECRET, VAULT } from '../support/spc.ts';

beforeAll(loadLanguages);

const item = (fields: Fields) => JSON.stringify({ objectType: 'secret', ...fields });
const classic = (fields: Fields, ...others: readonly string[]) => ({
  ...CLASSIC,
  objects: block(item(fields), ...others),
});
const keyVault = (vaultSecret: Fields, more: Fields = {}, parameters = {}) => ({
  keyVault: JSON.stringify({ vault: VAULT, vaultSecret, ...more }),
  ...parameters,
});
const selectionOf = (volume: VolumeSpec | undefined) => {
  const [selection] = volume?.selections ?? [];
  if (selection === undefined) throw new Error('no selection');
  return selection;
};

describe('a selection', () => {
  it.each<[string, Readonly<Record<string, string>>]>([
    ['classic', classic({ objectNames: 'db-*', objectTags: { env: 'prod' }, objectAlias: 'db/{name}' })],
    ['keyVault', keyVault({ names: 'db-*', tags: { env: 'prod' } }, {}, { fileName: 'db/{name}' })],
  ])('is the same in the %s form', (_, parameters) => {
    const { volume, errors, warnings } = read(parameters);
    expect([errors, warnings]).toEqual([[], []]);
    expect(volume?.objects).toEqual([]);
    const { names, tags, pattern } = selectionOf(volume);
    expect({ names, tags }).toEqual({ names: ['db-*'], tags: [{ name: 'env', value: 'prod' }] });
    expect(objectNamed(pattern, 'db-a')).toMatchObject({
      type: 'secret',
      name: 'db-a',
      version: '',
      content: { kind: 'value', path: 'db/db-a', mode: 0o644 },
    });
  });

  it('takes the fields of its files', () => {
    const fields = {
      objectNames: ['a-?', 'b'],
      objectEncoding: 'base64',
      filePermission: '0400',
      metadata: 'about/{name}/{name}.json',
      optional: true,
    };
    const { pattern, names } = selectionOf(read(classic(fields)).volume);
    expect(names).toEqual(['a-?', 'b']);
    const { content, metadata, ifMissing } = objectNamed(pattern, 'b');
    expect(content).toMatchObject({ path: 'b', mode: 0o400, encoding: 'base64' });
    expect(metadata).toEqual({ path: 'about/b/b.json', mode: 0o400 });
    expect(ifMissing).toEqual({ kind: 'skip' });
  });

  it('takes certificates with their files, and keys', () => {
    const files = { fullChain: '{name}/tls.crt', privateKey: { path: '{name}/tls.key', filePermission: '0400' } };
    const { pattern } = selectionOf(read(classic({ objectNames: '*', files })).volume);
    expect(objectNamed(pattern, 'web').content).toMatchObject({
      kind: 'outputs',
      outputs: [{ path: 'web/tls.crt' }, { path: 'web/tls.key', mode: 0o400 }],
    });
    expect(selectionOf(read(classic({ objectType: 'key', objectTags: { a: '*' } })).volume).pattern.type).toBe('key');
    const chained = read(keyVault({ names: '*', files }, { vaultCaChainCert: { name: 'ca' } })).volume;
    expect(chained?.objects.map(({ name }) => name)).toEqual(['ca']);
    expect(selectionOf(chained).pattern.content).toMatchObject({ chainFrom: 0 });
  });

  it('leaves the places of named objects as they are', () => {
    const files = { pfx: { path: 'web.pfx', passwordFrom: 'secret1' } };
    const web = item({ objectName: 'web', files });
    const { volume, errors } = read(classic({ objectNames: 'x-*' }, SECRET, web));
    expect(errors).toEqual([]);
    expect(volume?.objects.map(({ name }) => name)).toEqual(['secret1', 'web']);
    expect(volume?.objects[1]?.content).toMatchObject({ outputs: [{ passwordFrom: 0 }] });
  });

  it.each<[Fields, string]>([
    [{ objectNames: '' }, 'objects[0].objectNames is wrong: must not be empty'],
    [{ objectNames: [] }, 'objects[0].objectNames must be a glob such as "db-*", or a list of globs'],
    [
      { objectNames: { a: 'b' } },
      'objects[0].objectNames must be a glob such as "db-*", or a list of globs, not a map',
    ],
    [{ objectNames: [['a']] }, 'objects[0].objectNames must be a glob such as "db-*"'],
    [{ objectNames: '^db-.*$' }, 'objects[0].objectNames is wrong: "^db-.*$" matches no name'],
    [{ objectNames: 'db-{a,b}' }, 'objects[0].objectNames is wrong: "db-{a,b}" holds "{"'],
    [{ objectNames: Array(21).fill('a') }, 'objects[0].objectNames holds more than 20 globs or 256 characters'],
    [{ objectNames: ['a'.repeat(200), 'b'.repeat(57)] }, 'objectNames holds more than 20 globs or 256 characters'],
    [{ objectTags: {} }, 'objects[0].objectTags must hold at least one tag'],
    [{ objectTags: 'env=prod' }, 'objects[0].objectTags must be a map, not a text'],
    [{ objectTags: { env: null } }, 'objects[0].objectTags.env is wrong: the value of the tag "env" must not be empty'],
    [{ objectTags: { env: ['a'] } }, 'objects[0].objectTags.env must be text, not a list'],
    [
      { objectTags: Object.fromEntries(Array.from({ length: 21 }, (_, i) => [`t${i}`, 'x'])) },
      'objects[0].objectTags holds more than 20 tags',
    ],
    [{ objectNames: '*', objectName: 'a' }, 'objects[0].objectName cannot stand next to objectNames'],
    [{ objectTags: { a: '*' }, objectVersion: 'x' }, 'objects[0].objectVersion is about one object'],
    [{ objectNames: '*', objectVersionHistory: 2 }, 'objects[0].objectVersionHistory is about one object'],
    [{ objectNames: '*', passwordFrom: 'x', files: { ca: '{name}' } }, 'objects[0].passwordFrom is about one object'],
    [
      { objectNames: '*', optional: true, default: 'x' },
      'objects[0].default replaces one file, and objectNames decides',
    ],
    [
      { objectNames: '*', objectAlias: 'all' },
      'objects[0].objectAlias needs a path with the placeholder {name}: "all" is the same for all objects',
    ],
    [
      { objectNames: '*', objectAlias: '{name}.{type}' },
      'objects[0].objectAlias needs a path with the placeholder {name}: "{name}.{type}" holds another brace',
    ],
    [{ objectNames: '*', objectAlias: '../{name}' }, "file name must not contain '..'"],
    [{ objectNames: '*', objectAlias: `${'x'.repeat(255)}{name}` }, 'has an element over 255 bytes'],
    [{ objectNames: '*', metadata: 'about.json' }, 'objects[0].metadata needs a path with the placeholder {name}'],
    [
      { objectNames: '*', files: { ca: 'ca.crt' } },
      'objects[0].files needs a path with the placeholder {name}: "ca.crt" is the same for all objects',
    ],
    [{ objectNames: '*', files: {} }, 'objects[0].files gives no file; name a path with {name}'],
    [{ objectNames: '*', objectType: 'secrets' }, 'Invalid vaultObjectTypes'],
  ])('%j is refused', (fields, message) => {
    const { errors, volume } = read(classic(fields));
    expect(volume).toBeUndefined();
    expect(errors.join('\n')).toContain(message);
  });

  it.each([classic({ objectNames: '*', extract: { part: '@' } }), keyVault({ names: '*', extract: { part: '@' } })])(
    'an extract is refused with one error: %j',
    (parameters) => {
      expect(read(parameters).errors).toEqual([expect.stringContaining('extract is about one object')]);
    },
  );

  it.each<[Readonly<Record<string, string>>, string]>([
    [keyVault({ names: '*', name: 'a' }), 'keyVault.vaultSecret.name cannot stand next to names'],
    [keyVault({ tags: { a: 'b' }, version: 'a' }), 'keyVault.vaultSecret.version is about one object'],
    [
      keyVault({ names: '*' }, {}, { fileName: 'all' }),
      'keyVault.vaultSecret.names needs a path with the placeholder {name}',
    ],
    [
      keyVault({ name: 'a' }, { vaultCert: { names: '*' } }),
      'keyVault.vaultCert.names selects objects, which only vaultSecret can',
    ],
    [keyVault({ nmaes: '*' }), 'did you mean "names"?'],
  ])('%j is refused', (parameters, message) => {
    expect(read(parameters).errors.join('\n')).toContain(message);
  });

  it('is twenty times in a manifest at most', () => {
    const many = Array.from({ length: 21 }, () => item({ objectNames: '*' }));
    expect(read({ ...CLASSIC, objects: block(...many) }).errors.join()).toContain('21 selections, more than 20');
  });

  it('is named where a glob stands in objectName', () => {
    const { warnings } = read(classic({ objectName: 'db-*' }));
    expect(warnings.join()).toContain('objectNames selects several objects by a glob');
    expect(read(classic({ names: 'a', objectName: 'b' })).warnings.join()).toContain('did you mean "objectNames"?');
  });
});

describe('an object', () => {
  const tags = [
    { name: 'env', value: 'prod' },
    { name: 'team', value: '*' },
  ];
  it.each([
    [{ names: [], tags: [] }, { name: 'any' }, true],
    [{ names: ['db-*'], tags: [] }, { name: 'DB-Main' }, true],
    [{ names: ['DB-*', 'x'], tags: [] }, { name: 'db-main' }, true],
    [{ names: ['db-*'], tags: [] }, { name: 'mail' }, false],
    [{ names: [], tags }, { name: 'a', tags: { env: 'prod', team: '' } }, true],
    [{ names: [], tags }, { name: 'a', tags: { env: 'prod' } }, false],
    [{ names: [], tags }, { name: 'a', tags: { env: 'PROD', team: 'x' } }, false],
    [{ names: ['b'], tags }, { name: 'a', tags: { env: 'prod', team: 'x' } }, false],
    [{ names: [], tags: [{ name: 'constructor', value: '*' }] }, { name: 'a', tags: {} }, false],
  ])('of %j: %j is selected: %j', (choice, object, expected) => {
    expect(selects(choice, object)).toBe(expected);
  });
});

describe('check', () => {
  const checkedOf = async (objectName: string) => {
    const spec = {
      provider: 'azure',
      parameters: {
        ...CLASSIC,
        objects: block(SECRET, item({ objectNames: 'db-*', objectAlias: 'db/{name}', metadata: '{name}-{name}.json' })),
      },
      secretObjects: [{ secretName: 'app', type: 'Opaque', data: [{ objectName, key: 'x' }] }],
    };
    const text = JSON.stringify({ kind: 'SecretProviderClass', metadata: { name: 'a' }, spec });
    const context = { defaults: DEFAULTS, readCloudFile: NO_CLOUD_FILE, providerNames: ['azure'] };
    const [checked] = (await checkManifests(text, context)).manifests;
    return checked?.findings.filter(({ severity }) => severity === 'error').map(({ message }) => message);
  };
  it.each(['db/db-a', 'db/DB-1', 'db-a-db-a.json', 'secret1'])('knows that %s may be a file', async (objectName) => {
    expect(await checkedOf(objectName)).toEqual([]);
  });
  it.each(['db/mail', 'db-a', 'db/db-a/0', 'db-a-db-b.json'])('knows that %s is none', async (objectName) => {
    expect(await checkedOf(objectName)).toEqual([expect.stringContaining('is not a file of this mount')]);
  });
  it('lists the patterns', async () => {
    expect((await checkedOf('quite-another'))?.join()).toContain('the volume holds "db/{name}", "{name}-{name}.json"');
  });
});

describe('a path of a selection', () => {
  it.each([
    ['{name}', 'a', 'a'],
    ['db/{name}', 'db/a', 'a'],
    ['{name}/{name}.pem', 'web/web.pem', 'web'],
    ['{name}/{name}.pem', 'web/wab.pem', undefined],
    ['{name}', 'a/b', undefined],
    ['x{name}', 'x', undefined],
  ])('%s gives %s for the name %s', (pattern, path, name) => {
    expect(nameInPath(pattern, path)).toBe(name);
  });
});
