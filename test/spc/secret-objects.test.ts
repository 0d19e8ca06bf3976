import { describe, expect, it } from 'vitest';
import { checkManifests } from '../../src/spc/check.ts';
import { DEFAULTS, NO_CLOUD_FILE, TENANT } from '../support/spc.ts';

const CONTEXT = { defaults: DEFAULTS, readCloudFile: NO_CLOUD_FILE, providerNames: ['azure'] };

const HEAD = `kind: SecretProviderClass
metadata: {name: web}
spec:
  provider: azure
  parameters:
`;
const CLASSIC = `${HEAD}    keyvaultName: kv1
    tenantID: ${TENANT}
    objects: |
      array:
        - {objectName: plain, objectType: secret}
        - {objectName: db-password, objectType: secret, objectAlias: db/password.txt}
        - {objectName: history, objectType: secret, objectVersionHistory: 3}
        - {objectName: leaf, objectType: cert}
        - {objectName: signing, objectType: key}
        - {objectName: store, objectType: secret, objectFormat: pfx}
        - {objectName: binary, objectType: secret, objectFormat: pfx, objectEncoding: base64}
        - objectName: web
          objectType: secret
          files:
            fullChain: web.crt
            privateKey: web.key
            combined: web.pem
            der: web.der
            ca: {path: ca.crt, optional: "true"}
            pfx: web.pfx
        - objectName: old
          objectType: secret
          files: {pfx: {path: old.pfx, format: legacy}}
        - objectName: locked
          objectType: secret
          files: {pfx: {path: locked.pfx, format: legacy, passwordFrom: plain}}
`;

/** Returns the `keyVault` form with the given references, in flow style. */
function keyVault(references: string, siblings = ''): string {
  return `${HEAD}${siblings}    keyVault: |
      vault: {name: kv1, directoryId: ${TENANT}, credentials: {servicePrincipalLocalSecretName: sp}}
      ${references}
`;
}

/** Returns the findings about the Secrets of a class, as `severity field: message` without the path. */
async function found(secrets: string, manifest = CLASSIC): Promise<readonly string[]> {
  const { manifests } = await checkManifests(`${manifest}  secretObjects:\n${secrets}`, CONTEXT);
  const all = manifests.flatMap(({ findings }) => findings);
  return all
    .filter(({ path }) => path.startsWith('spec.secretObjects'))
    .map(
      ({ severity, path, message }) => `${severity} ${message.replace(path, path.replace('spec.secretObjects', ''))}`,
    );
}

const opaque = (...files: readonly string[]) =>
  `    - {secretName: a, type: Opaque, data: [${files.map((file, i) => `{key: k${i}, objectName: ${file}}`).join(', ')}]}\n`;
const tls = (crt: string, key: string, more = '') =>
  `    - {secretName: a, type: kubernetes.io/tls, data: [{key: tls.crt, objectName: ${crt}}, {key: tls.key, objectName: ${key}}${more}]}\n`;

describe('files that a Secret is made of', () => {
  it.each([
    ['names and aliases', CLASSIC, opaque('plain', 'db/password.txt', '" plain "')],
    ['versions of a history', CLASSIC, opaque('history/0', 'history/2')],
    ['outputs', CLASSIC, opaque('web.crt', 'web.key', 'web.pem', 'web.pfx', 'web.der')],
    ['a keyVault form’s certificate', keyVault('vaultCert: {name: front}'), tls('tls.crt', 'tls.key')],
    [
      'a client’s certificate',
      keyVault('vaultCert: {name: front}', '    fileLayout: client\n'),
      opaque('client_cert.pem', 'client_key.pem'),
    ],
    [
      'a user name',
      keyVault('{username: me, vaultSecret: {name: token}}'.slice(1, -1).replace(', ', '\n      ')),
      opaque('username', 'token'),
    ],
    [
      'a file name of its own',
      keyVault('vaultSecret: {name: db}', '    fileName: passwords.toml\n'),
      opaque('passwords.toml'),
    ],
    ['a certificate in one PEM', CLASSIC, tls('web.pem', 'web.pem')],
    ['certificate and key', CLASSIC, tls('web.crt', 'web.key')],
    ['a secret as it is', CLASSIC, tls('plain', 'plain')],
    ['a certificate object, and the secret of it', CLASSIC, tls('leaf', 'plain')],
    ['a PFX in legacy form', CLASSIC, tls('old.pfx', 'old.pfx')],
    ['a PFX as bytes', CLASSIC, tls('binary', 'binary')],
  ])('may be %s', async (_, manifest, secrets) => expect(await found(secrets, manifest)).toEqual([]));

  it.each([
    ['plian', 'is not a file of this mount; did you mean "plain"?'],
    ['db-password', 'is not a file of this mount; the file of the object "db-password" is "db/password.txt"'],
    ['web', 'is not a file of this mount; the file of the object "web" is "web.crt"'],
    ['history', 'is not a file of this mount; its versions are files of a directory; the newest is "history/0"'],
    ['history/3', 'is not a file of this mount; did you mean "history/0"?'],
    ['history/00', 'is not a file of this mount; did you mean "history/0"?'],
    ['plain/0', 'is not a file of this mount; did you mean "plain"?'],
    ['Plain', 'is not a file of this mount; did you mean "plain"?'],
    ['something-else-entirely', 'is not a file of this mount; the volume holds "plain", "db/password.txt", '],
  ])('are not %j', async (name, message) => {
    expect(await found(opaque(name))).toEqual([
      expect.stringContaining(`error [0].data[0].objectName ${JSON.stringify(name)} ${message}`),
    ]);
  });

  it.each([
    ['plain.crt', '"plain.crt" is a file only if the provider runs with --write-cert-and-key-in-separate-files'],
    ['history/1.key', '"history/1.key" is a file only if the provider runs with'],
    ['ca.crt', '"ca.crt" is a file only if the object brings CA certificates along; the driver makes nothing'],
  ])('may be missing: %s', async (name, message) => {
    expect(await found(opaque(name))).toEqual([expect.stringContaining(`warning [0].data[0].objectName ${message}`)]);
  });

  it.each<[string, readonly string[]]>([
    [
      'optional: true',
      [expect.stringContaining('warning [0].data[0].objectName "store" is of an optional object; while that')],
    ],
    ['optional: true, ifMissing: empty', []],
    ['optional: true, default: x', []],
  ])('may be missing with %s', async (fields, findings) => {
    const manifest = CLASSIC.replace('objectName: store,', `objectName: store, ${fields},`);
    expect(manifest).not.toBe(CLASSIC);
    expect(await found(opaque('store'), manifest)).toEqual(findings);
  });

  it.each<[string, string, readonly unknown[]]>([
    ['{a: b}', 'a', []],
    [
      '{a: b}',
      'store',
      [expect.stringContaining('"store" is not a file of this mount; the file of the object "store" is "a"')],
    ],
    [
      '{a: {jmesPath: b, optional: true}}',
      'a',
      [expect.stringContaining('warning [0].data[0].objectName "a" is a file only if its')],
    ],
    ['{"x/{key}": b}', 'x/any', [expect.stringContaining('"x/any" is a file only if the secret holds this key')]],
    ['{a: b}, objectAlias: whole', 'whole', []],
    ['{a: b}, objectAlias: whole', 'whole.crt', [expect.stringContaining('"whole.crt" is not a file of this mount')]],
    ['{"x/{key}": b}', 'y/any', [expect.stringContaining('"y/any" is not a file of this mount')]],
  ])('may be a part of a secret: %s, %s', async (extract, name, findings) => {
    const manifest = CLASSIC.replace('objectName: store,', `objectName: store, extract: ${extract},`);
    expect(await found(opaque(name), manifest)).toEqual(findings);
  });

  it('may be templates, whose content is not known', async () => {
    const manifest = `${CLASSIC.trimEnd()}\n    templates: |\n      app.pem: "{{plain}}"\n`;
    expect(await found(opaque('app.pem', 'plain'), manifest)).toEqual([]);
    expect(await found(tls('app.pem', 'app.pem'), manifest)).toEqual([]);
    expect(await found(opaque('app.pen'), manifest)).toEqual([expect.stringContaining('did you mean "app.pem"?')]);
  });

  it('may be metadata, which are no certificate and no key', async () => {
    const manifest = CLASSIC.replace('objectName: store,', 'objectName: store, metadata: about.json,');
    expect(await found(opaque('about.json'), manifest)).toEqual([]);
    expect(await found(tls('about.json', 'about.json'), manifest)).toEqual([
      expect.stringContaining('it holds no certificate'),
      expect.stringContaining('it holds no private key'),
    ]);
    const optional = manifest.replace('store, metadata:', 'store, optional: true, ifMissing: empty, metadata:');
    expect(await found(opaque('about.json', 'store'), optional)).toEqual([
      expect.stringContaining('"about.json" is of an optional object; while that is missing'),
    ]);
  });

  it('are not looked at where a mistake keeps them unknown', async () => {
    for (const manifest of [
      CLASSIC.replace('objectType: secret', 'objectType: secret, objectAlias: ../x'),
      CLASSIC.replace('fullChain', 'fulchain'),
      CLASSIC.replace('array:', 'array: ]'),
      CLASSIC.slice(0, CLASSIC.indexOf('    objects:')),
      keyVault('vaultCrt: {name: front}'),
    ])
      expect(await found(opaque('x'), manifest)).toEqual([]);
  });

  it('are looked at whatever else is wrong', async () => {
    for (const manifest of [CLASSIC.replace('kv1', 'k_v'), CLASSIC.replace('objectType: key', 'objectType: kee')])
      expect(await found(opaque('x'), manifest)).toHaveLength(1);
  });
});

describe('a Secret of type kubernetes.io/tls', () => {
  it.each([
    [
      'a PFX in modern form',
      tls('web.pfx', 'web.key'),
      'the driver cannot read a PFX in modern form; set format: legacy',
    ],
    ['a PFX with a password', tls('locked.pfx', 'web.key'), 'the driver opens a PFX with the empty password only'],
    [
      'a PFX as base64 text',
      tls('store', 'web.key'),
      'the driver cannot read a PFX as base64 text; add objectEncoding',
    ],
    ['DER', tls('web.der', 'web.key'), 'the driver reads PEM, or a PFX'],
    ['a key as certificate', tls('web.key', 'web.key'), 'it holds no certificate; take the output fullChain'],
    ['a certificate as key', tls('web.crt', 'web.crt'), 'it holds no private key; take the output privateKey'],
    [
      'a certificate object as key',
      tls('web.crt', 'leaf'),
      'objectType: cert gives the certificate without its private key',
    ],
    ['a key object', tls('web.crt', 'signing'), 'objectType: key gives the public key'],
  ])('cannot be made of %s', async (_, secrets, message) => {
    expect(await found(secrets)).toEqual([
      expect.stringMatching(/^error \[0\]\.data\[[01]\]\.objectName ".*" cannot become tls\.(crt|key): /),
    ]);
    expect((await found(secrets))[0]).toContain(message);
  });

  it('has no other keys', async () => {
    expect(await found(tls('web.crt', 'web.key', ', {key: ca.crt, objectName: plain}'))).toEqual([
      expect.stringMatching(/^error \[0\]\.data\[2\]\.key "ca\.crt" is not supported: the driver takes only/),
    ]);
  });

  it('has both keys', async () => {
    expect(
      await found('    - {secretName: a, type: kubernetes.io/tls, data: [{key: tls.crt, objectName: web.crt}]}\n'),
    ).toEqual(['error [0].data lacks "tls.key": the API server refuses a Secret of type kubernetes.io/tls without']);
  });
});

describe('the form of a Secret', () => {
  const ENTRY = '{key: a, objectName: plain}';
  it.each([
    ['no map of secretObjects', '    a: b\n', ' must be a list, not a map'],
    ['an entry that is no map', '    - a\n', '[0] must be a map, not a text'],
    ['no name', `    - {type: Opaque, data: [${ENTRY}]}\n`, '[0].secretName is required'],
    ['no type', `    - {secretName: a, data: [${ENTRY}]}\n`, '[0].type is required'],
    ['no data', '    - {secretName: a, type: Opaque}\n', '[0].data must hold at least one entry'],
    ['empty data', '    - {secretName: a, type: Opaque, data: []}\n', '[0].data must hold at least one entry'],
    [
      'data that is a map',
      '    - {secretName: a, type: Opaque, data: {key: a}}\n',
      '[0].data must be a list, not a map',
    ],
    [
      'a bad name',
      `    - {secretName: App_Secret, type: Opaque, data: [${ENTRY}]}\n`,
      '[0].secretName "App_Secret" cannot be a name',
    ],
    [
      'a name that is a number',
      `    - {secretName: 12, type: Opaque, data: [${ENTRY}]}\n`,
      '[0].secretName must be text; put 12 in quotes',
    ],
    [
      'a bad key',
      '    - {secretName: a, type: Opaque, data: [{key: a/b, objectName: plain}]}\n',
      '[0].data[0].key "a/b" cannot be a key',
    ],
    ['no key', '    - {secretName: a, type: Opaque, data: [{objectName: plain}]}\n', '[0].data[0].key is required'],
    ['no file', '    - {secretName: a, type: Opaque, data: [{key: a}]}\n', '[0].data[0].objectName is required'],
    [
      'a key twice',
      `    - {secretName: a, type: Opaque, data: [${ENTRY}, ${ENTRY}]}\n`,
      '[0].data[1].key "a" is used twice in this Secret',
    ],
    ['a Secret twice', `${opaque('plain')}${opaque('plain')}`, '[1].secretName "a" is used twice'],
    [
      'a label that is no text',
      `    - {secretName: a, type: Opaque, labels: {b: true}, data: [${ENTRY}]}\n`,
      '[0].labels.b must be text; put true in quotes',
    ],
    [
      'a docker config without its key',
      `    - {secretName: a, type: kubernetes.io/dockerconfigjson, data: [${ENTRY}]}\n`,
      '[0].data lacks ".dockerconfigjson"',
    ],
    [
      'basic-auth without its keys',
      `    - {secretName: a, type: kubernetes.io/basic-auth, data: [${ENTRY}]}\n`,
      '[0].data needs "username" or "password"',
    ],
  ])('%s is an error', async (_, secrets, message) => {
    expect(await found(secrets)).toEqual([expect.stringContaining(`error ${message}`)]);
  });

  it.each([
    ['opaque', 'Opaque'],
    ['kubernetes.io/TLS', 'kubernetes.io/tls'],
    ['tls', 'kubernetes.io/tls'],
    ['kubernetes.io/dockerconfigjs', 'kubernetes.io/dockerconfigjson'],
  ])('the type %s is questioned', async (type, known) => {
    expect(await found(`    - {secretName: a, type: ${type}, data: [${ENTRY}]}\n`)).toEqual([
      `warning [0].type "${type}" is not a type of Kubernetes; did you mean "${known}"?`,
    ]);
  });

  it('types of one’s own, labels and annotations pass', async () => {
    const more = 'labels: {a: "true"}, annotations: {b: c}';
    for (const type of ['example.com/own', 'constructor'])
      expect(await found(`    - {secretName: a, type: ${type}, ${more}, data: [${ENTRY}]}\n`)).toEqual([]);
  });

  it('unknown fields are told with the nearest one', async () => {
    expect(await found(`    - {secretName: a, type: Opaque, label: {a: b}, data: [${ENTRY}]}\n`)).toEqual([
      'warning [0].label is unknown and ignored; did you mean "labels"?',
    ]);
  });
});

it('ends at a hundred errors', async () => {
  const entries = Array.from({ length: 5000 }, (_, i) => `{key: k${i}, objectName: none-${i}}`).join(', ');
  expect(await found(`    - {secretName: a, type: Opaque, data: [${entries}]}\n`)).toHaveLength(100);
});
