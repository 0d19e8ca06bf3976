import { beforeAll, describe, expect, it } from 'vitest';
import { checkManifests } from '../../src/spc/check.ts';
import { loadLanguages } from '../../src/spc/languages.ts';
import { block, CLASSIC, DEFAULTS, keyVaultWith, NO_CLOUD_FILE, read, TENANT } from '../support/spc.ts';

type Parameters = Readonly<Record<string, string>>;
const OBJECTS = block(
  'objectName: db-user\nobjectType: secret',
  'objectName: db-password\nobjectType: secret\nobjectAlias: db/password\ntemplateOnly: "true"',
  'objectName: app\nobjectType: secret\nextract: {a.txt: a, "all/{key}": "@"}',
  'objectName: web\nobjectType: secret\nfiles: {fullChain: tls.crt}',
  'objectName: signer\nobjectType: key',
);
const classic = (templates: string, objects = OBJECTS): Parameters => ({ ...CLASSIC, objects, templates });
const keyVault = (templates: string): Parameters => ({
  ...keyVaultWith({ name: 'db-user', templateOnly: true }),
  templates,
});
const USES_ALL = 'used: "{{db-password}}"\n';

beforeAll(loadLanguages);

describe('templates', () => {
  it('are files with references by file and by name', () => {
    const { volume, errors } = read(
      classic(
        'conf: |\n  {{db-user}} {{ db/password | json }} {{db-password}} {{a.txt}}\nb: {format: json, objects: ["db*"], filePermission: "0400"}',
      ),
    );
    expect(errors).toEqual([]);
    const [conf, json] = volume?.templates ?? [];
    expect(Object.fromEntries(conf?.refs ?? [])).toEqual({
      'db-user': { object: 0, path: 'db-user' },
      'db/password': { object: 1, path: 'db/password' },
      'db-password': { object: 1, path: 'db/password' },
      'a.txt': { object: 2, path: 'a.txt' },
    });
    expect(json).toMatchObject({ path: 'b', mode: 0o400, body: { kind: 'json' } });
    expect(json?.entries.map(({ name, key }) => `${name} ${key}`)).toEqual([
      'db-user db-user',
      'db/password db/password',
    ]);
    expect(volume?.objects.map(({ templateOnly }) => templateOnly)).toEqual([
      undefined,
      true,
      undefined,
      undefined,
      undefined,
    ]);
  });

  it('work in the keyVault form', () => {
    const { volume, errors } = read(keyVault('conf: "user={{db-user}}"'));
    expect(errors).toEqual([]);
    expect(volume?.templates?.[0]?.refs.get('db-user')).toEqual({ object: 0, path: 'db-user' });
  });

  it('go through all texts of the volume, and know their keys', () => {
    const { volume } = read(classic('conf: "{{#objects}}{{key}}{{/objects}}"'));
    expect(volume?.templates?.[0]?.entries.map(({ name, key }) => `${name} ${key}`)).toEqual([
      'db-user DB_USER',
      'db/password DB_PASSWORD',
      'a.txt A_TXT',
    ]);
  });

  it.each([
    ['{{db-usr}}', 'templates.f: "db-usr" is no file or object of this volume; did you mean "db-user"?'],
    [
      '{{something}}',
      'templates.f: "something" is no file or object of this volume; there are "db-user", "db/password", "a.txt"',
    ],
    ['{{web}}', 'templates.f: "web" is no text of a secret'],
    ['{{signer}}', 'templates.f: "signer" is no text of a secret'],
    ['{{app}}', 'templates.f: "app" is no text of a secret'],
    ['{{db-user | jsn}}', 'templates.f uses the unknown filter "jsn"; did you mean "json"?'],
    ['{{db-user | trim | trim | trim | trim | trim}}', 'templates.f has more than 4 filters in one tag'],
    ['{{}}', 'templates.f has an empty tag'],
    ['{{db-user', 'templates.f has a tag that is not closed'],
    ['{{#db-user}}', 'templates.f has a section that is not closed'],
    ['{{/db-user}}', 'templates.f closes a section that is not open'],
    ['{{> other}}', 'templates.f includes another template'],
    ['{{=<% %>=}}', 'templates.f changes the marks of tags; set "delimiters"'],
    ['{{^objects}}{{/objects}}', 'templates.f has {{^objects}}'],
    ['{{#objects}}{{#objects}}{{/objects}}{{/objects}}', 'templates.f has {{#objects}} in {{#objects}}'],
    [
      '{{#db-user}}{{#db-user}}{{#db-user}}{{#db-user}}{{/db-user}}{{/db-user}}{{/db-user}}{{/db-user}}',
      'nested deeper than 3',
    ],
    ['x'.repeat(33_000), 'templates.f is longer than 32768 bytes'],
    ['{{db-user}}'.repeat(2001), 'templates.f has more than 2000 tags'],
    [`{{${' '.repeat(30_000)}`, 'templates.f holds 1000 blanks in a row'],
  ])('that hold %.40s are refused', (template, message) => {
    const { errors } = read(classic(`${USES_ALL}f: ${JSON.stringify(template)}`));
    expect(errors).toEqual([expect.stringContaining(message)]);
  });

  it.each([
    ['f: ', 'templates.f must be a template or a map with "template" or "format", not nothing'],
    ['f: [a]', 'must be a template or a map with "template" or "format", not a list'],
    ['f: {}', 'templates.f must have either "template" or "format"'],
    ['f: {template: a, format: json}', 'templates.f must have either "template" or "format"'],
    ['f: {template: [a]}', 'templates.f.template must be text, not a list'],
    ['f: {format: xml, objects: [db-user]}', 'templates.f.format "xml" must be "dotenv", "properties" or "json"'],
    ['f: {format: json}', 'templates.f.objects is required next to format'],
    ['f: {format: json, objects: []}', 'templates.f.objects must be a list of references'],
    ['f: {format: json, objects: [[a]]}', 'templates.f.objects must hold references, not a list'],
    ['f: {format: json, objects: ["x*"]}', 'templates.f: "x*" fits no file of this volume'],
    ['f: {format: json, objects: {k: "db*"}}', 'templates.f: "db*" is a glob, and the key "k" can have one text'],
    ['f: {format: json, objects: ["db[ab]*"]}', 'templates.f: "db[ab]*" holds "["'],
    ['f: {format: dotenv, objects: {"a b": db-user}}', 'templates.f: "a b" cannot be the name of a variable'],
    ['f: {format: properties, objects: {"a b": db-user}}', 'templates.f: "a b" cannot be a key'],
    [
      'f: {format: dotenv, objects: {A: db-user}, delimiters: "<% %>"}',
      'templates.f.delimiters has no meaning next to format',
    ],
    ['f: {template: x, delimiters: "<%"}', 'templates.f.delimiters "<%" must be two marks of 2 to 4 signs'],
    ['f: {template: x, delimiters: "== =="}', 'must be two marks of 2 to 4 signs'],
    [
      'f: {template: x, objects: [db-user]}',
      'templates.f: "objects" is what {{#objects}} goes through, and the template has none',
    ],
    ['f: {template: x, mode: "0400"}', 'templates.f.mode is unknown'],
    ['../f: x', "templates.../f is not a usable path: file name must not contain '..'"],
    ['db-user: x', 'templates.db-user: file "db-user" is written by both'],
    ['db-user/x: x', '"db-user" is a file of'],
    ['a.txt: x', 'templates.a.txt: file "a.txt" is written by both'],
  ])('%s is refused', (templates, message) => {
    const { errors } = read(classic(`${USES_ALL}${templates}`));
    expect(errors).toEqual([expect.stringContaining(message)]);
  });

  it.each([
    ['[a]', 'templates must hold a map from files to templates, not a list'],
    ['a: [', 'templates cannot be read as YAML: line 1'],
    ['x'.repeat(130 * 1024), 'templates is longer than 131072 bytes'],
    [`a: ${'['.repeat(41_000)}`, 'templates holds more than 40000 lines'],
    [Array.from({ length: 51 }, (_, i) => `f${i}: x`).join('\n'), 'templates has 51 files, more than 50'],
  ])('of %.20s are refused', (templates, message) => {
    expect(read(classic(templates, block('objectName: a\nobjectType: secret'))).errors).toEqual([
      expect.stringContaining(message),
    ]);
  });

  it('name two secrets of one name by their files', () => {
    const objects = block(
      'objectName: a\nobjectType: secret\nobjectAlias: x',
      'objectName: a\nobjectType: secret\nobjectAlias: y\nobjectVersion: 0123456789abcdef0123456789abcdef',
    );
    expect(read(classic('f: "{{x}}{{y}}"', objects)).errors).toEqual([]);
    expect(read(classic('f: "{{a}}"', objects)).errors).toEqual([expect.stringContaining('"a" fits two objects')]);
    const both = block('objectName: a-b\nobjectType: secret', 'objectName: a.b\nobjectType: secret\nobjectAlias: a_b');
    expect(read(classic('f: {format: dotenv, objects: ["a*"]}', both)).errors).toEqual([
      expect.stringContaining('two secrets get the key "A_B"'),
    ]);
  });

  it('use each object that has templateOnly, which keys and certificates cannot have', () => {
    expect(read({ ...CLASSIC, objects: OBJECTS }).errors).toEqual([expect.stringContaining('no template uses')]);
    const objects = block(
      'objectName: a\nobjectType: key\ntemplateOnly: "true"',
      'objectName: b\nobjectType: secret\nfiles: {fullChain: x}\ntemplateOnly: "true"',
    );
    const { errors } = read({ ...CLASSIC, objects });
    expect(errors.filter((error) => error.includes('templateOnly is only for secrets that are texts'))).toHaveLength(2);
  });

  it('may have the path of an object that is not written', () => {
    expect(read(classic('db/password: "{{db-password}}"')).errors).toEqual([]);
  });
});

it('check names the line of a mistake in a template', async () => {
  const manifest = `apiVersion: secrets-store.csi.x-k8s.io/v1
kind: SecretProviderClass
metadata: {name: a}
spec:
  provider: azure
  parameters:
    keyvaultName: kv1
    tenantID: ${TENANT}
    objects: |
      array:
        - {objectName: a, objectType: secret}
    templates: |
      f: |
        {{a}}
        {{#a}}{{b}}{{/a}}
      g:
        template: |
          {{a}}
          {{a | nothing}}
`;
  const context = { defaults: DEFAULTS, providerNames: ['azure'], readCloudFile: NO_CLOUD_FILE };
  const { manifests } = await checkManifests(manifest, context);
  const errors = manifests.flatMap(({ findings }) => findings).filter(({ severity }) => severity === 'error');
  expect(errors.map(({ line, path }) => `${line} ${path}`)).toEqual(['19 templates.g.template', '15 templates.f']);
});
