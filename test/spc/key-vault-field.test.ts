import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { ObjectSpec } from '../../src/spc/model.ts';
import { isPlaceholder } from '../../src/spc/placeholder.ts';
import { type Asked, read, TENANT } from '../support/spc.ts';

const VAULT = `vault:
  name: kv1
  directoryId: ${TENANT}
  credentials:
    servicePrincipalLocalSecretName: aio-akv-sp
`;

type Siblings = Readonly<Record<string, string>>;

function errorsOf(keyVault: string, siblings: Siblings = {}, asked: Asked = {}): readonly string[] {
  return read({ ...siblings, keyVault }, asked).errors;
}

function volumeOf(keyVault: string, siblings: Siblings = {}, asked: Asked = {}) {
  const { volume, error } = read({ ...siblings, keyVault }, asked);
  if (volume === undefined) throw error ?? new Error('no volume');
  return volume;
}

function objectsOf(references: string, siblings: Siblings = {}): readonly ObjectSpec[] {
  return volumeOf(`${VAULT}${references}`, siblings).objects;
}

/** Returns the files of an object: output, path, and whether it is required. */
function outputsOf(object: ObjectSpec | undefined): readonly string[] {
  if (object?.content.kind !== 'outputs') throw new Error('no outputs');
  return object.content.outputs.map(({ output, path, presence }) => `${output} ${path} ${presence}`);
}

describe('the vault', () => {
  it('is name, tenant and service principal', () => {
    const volume = volumeOf(`${VAULT}vaultSecret: {name: db}`);
    expect(volume).toMatchObject({
      vaultName: 'kv1',
      tenantId: TENANT,
      vaultUrl: 'https://kv1.vault.azure.net',
      identity: { kind: 'service-principal', tenantId: TENANT, clientId: 'app-1' },
    });
  });

  it('may be written in JSON', () => {
    const json = JSON.stringify(parse(`${VAULT}vaultSecret: {name: db}`), undefined, '\t');
    expect(volumeOf(json)).toEqual(volumeOf(`${VAULT}vaultSecret:\n  name: db`));
  });

  it('may stand in another cloud', () => {
    expect(volumeOf(`${VAULT}vaultSecret: {name: db}`, { cloudName: 'AzureChinaCloud' }).vaultUrl).toBe(
      'https://kv1.vault.azure.cn',
    );
  });

  it.each([
    ['workloadIdentity: {clientId: c-1}', { kind: 'workload-identity', tenantId: TENANT, clientId: 'c-1' }],
    ['managedIdentity: {clientId: c-1}', { kind: 'managed-identity', clientId: 'c-1' }],
    ['managedIdentity: {}', { kind: 'managed-identity', clientId: '' }],
    ['managedIdentity:', { kind: 'managed-identity', clientId: '' }],
  ])('may be asked as %s', (credentials, identity) => {
    const keyVault = `${VAULT.replace(/servicePrincipal.*/, credentials)}vaultSecret: {name: db}`;
    const attributes = { 'csi.storage.k8s.io/serviceAccount.tokens': '{"api://AzureADTokenExchange":{"token":"t"}}' };
    expect(volumeOf(keyVault, {}, { attributes, secrets: 'null' }).identity).toMatchObject(identity);
  });

  it('says which volume field brings missing credentials', () => {
    const keyVault = `${VAULT}vaultSecret: {name: db}`;
    expect(errorsOf(keyVault, {}, { secrets: 'null' })).toEqual([
      expect.stringContaining('add "nodePublishSecretRef: {name: aio-akv-sp}" to the pod\'s csi volume'),
    ]);
    expect(errorsOf(keyVault, {}, { secrets: '{}' })).toEqual([
      expect.stringMatching(/add the key "clientid" to the Secret that .* names "aio-akv-sp"/),
    ]);
  });
});

describe('objects', () => {
  it.each([
    ['name: db', ''],
    ['{name: db, version: latest}', ''],
    ['{name: db, version: Latest}', ''],
    ['{name: db, version: }', ''],
    ['{name: db, version: 0123}', '0123'],
  ])('version of %s', (reference, version) => {
    const references = reference.startsWith('{') ? `vaultSecret: ${reference}` : `vaultSecret:\n  ${reference}`;
    expect(objectsOf(references)[0]).toMatchObject({ name: 'db', version, type: 'secret', history: 1 });
  });

  it('names an object by its field in messages', () => {
    const [db, cert] = objectsOf('vaultSecret: {name: db}\nvaultCert: {name: front, version: v1}');
    expect([db?.label, cert?.label]).toEqual([
      'keyVault.vaultSecret (secret "db")',
      'keyVault.vaultCert (secret "front", version "v1")',
    ]);
  });

  it('a vaultSecret is one file, as it is', () => {
    expect(objectsOf('vaultSecret: {name: db}')[0]?.content).toEqual({
      kind: 'value',
      path: 'db',
      mode: 0o644,
      format: '',
      encoding: 'utf-8',
      split: false,
      orderChain: true,
    });
    expect(objectsOf('vaultSecret: {name: db}', { fileName: 'passwords.toml' })[0]?.content).toMatchObject({
      path: 'passwords.toml',
    });
  });

  it.each([
    [
      'tls',
      'vaultCert: {name: c}',
      [['fullChain tls.crt required', 'privateKey tls.key required', 'ca ca.crt if-present']],
    ],
    [
      'client',
      'vaultCert: {name: c}',
      [
        [
          'fullChain client_cert.pem required',
          'privateKey client_key.pem required',
          'chain client_intermediate_certs.pem if-present',
        ],
      ],
    ],
    [
      'tls',
      'vaultCert: {name: c}\nvaultCaChainCert: {name: r}',
      [['fullChain tls.crt required', 'privateKey tls.key required'], ['ca ca.crt required']],
    ],
    [
      'client',
      'vaultCert: {name: c}\nvaultCaChainSecret: {name: r}',
      [
        [
          'fullChain client_cert.pem required',
          'privateKey client_key.pem required',
          'chain client_intermediate_certs.pem if-present',
        ],
        [],
      ],
    ],
    [
      'tls',
      'vaultCaChainCert: {name: r}',
      [['fullChain tls.crt with-key', 'privateKey tls.key with-key', 'ca ca.crt beside-key']],
    ],
    [
      'client',
      'vaultCaChainSecret: {name: r}',
      [
        [
          'fullChain client_cert.pem with-key',
          'privateKey client_key.pem with-key',
          'chain client_intermediate_certs.pem beside-key',
        ],
      ],
    ],
  ])('layout %s of %s', (fileLayout, references, outputs) => {
    const objects = objectsOf(references, { fileLayout: fileLayout.toUpperCase() });
    expect(objects.map(outputsOf)).toEqual(outputs);
    if (fileLayout === 'tls') expect(objectsOf(references)).toEqual(objects);
  });

  it.each([
    [{}, false],
    [{ fileLayout: 'client' }, true],
    [{ certificateUse: 'Client' }, true],
    [{ fileLayout: 'client', certificateUse: 'server' }, false],
  ])('are those of a client as %j says', (siblings, forClient) => {
    for (const references of [
      'vaultCert: {name: c}',
      'vaultCert: {name: c, files: {fullChain: x}}',
      'vaultCaChainCert: {name: r}',
    ])
      expect(objectsOf(references, siblings)[0]?.content, references).toMatchObject({ forClient });
  });

  it('a certificate is completed by the chain secret beside it', () => {
    const objects = objectsOf('vaultSecret: {name: db}\nvaultCert: {name: c}\nvaultCaChainCert: {name: r}');
    expect(objects.map(({ name }) => name)).toEqual(['db', 'c', 'r']);
    expect(objects[1]?.content).toMatchObject({ role: 'certificate', chainFrom: 2 });
    expect(objects[2]?.content).toMatchObject({ role: 'chain', chainFrom: undefined });
  });

  it.each([
    ['the request’s permission', {}, [0o640, 0o640]],
    ['filePermission', { filePermission: '0600' }, [0o600, 0o600]],
  ])('have the mode of %s', (_, siblings, modes) => {
    const { objects } = volumeOf(`${VAULT}vaultSecret: {name: db}\nvaultCaChainCert: {name: r}`, siblings, {
      mode: 0o640,
    });
    expect(
      objects.map(({ content }) =>
        content.kind === 'outputs' ? content.outputs[0]?.mode : content.kind === 'value' && content.mode,
      ),
    ).toEqual(modes);
  });

  it('may have a mode and a key format of their own', () => {
    const [db, cert] = objectsOf(
      'vaultSecret: {name: db, filePermission: "0400"}\nvaultCert: {name: c, filePermission: 0440, keyFormat: PKCS1}',
    );
    expect(db?.content).toMatchObject({ mode: 0o400 });
    const modes =
      cert?.content.kind === 'outputs' && cert.content.outputs.map(({ mode, keyFormat }) => [mode, keyFormat]);
    expect(modes).toEqual([
      [0o440, 'pkcs1'],
      [0o440, 'pkcs1'],
      [0o440, 'pkcs1'],
    ]);
  });

  it('may choose files of their own', () => {
    const [cert, chain] = objectsOf('vaultCert: {name: c, files: {combined: all.pem}}\nvaultCaChainCert: {name: r}');
    expect(outputsOf(cert)).toEqual(['combined all.pem required']);
    expect(cert?.content).toMatchObject({ role: 'certificate', chainFrom: 1 });
    expect(outputsOf(chain)).toEqual(['ca ca.crt required']);
    expect(outputsOf(objectsOf('vaultSecret: {name: s, files: {pfx: a.pfx}}')[0])).toEqual(['pfx a.pfx required']);
  });

  it('a vaultSecret with files is a certificate: a chain secret completes it, as it does a vaultCert', () => {
    const files = 'vaultSecret: {name: s, files: {fullChain: a, privateKey: b}}\nvaultCaChainCert: {name: r}';
    const [cert, chain] = objectsOf(files);
    expect(cert?.content).toMatchObject({ role: 'certificate', chainFrom: 1 });
    expect(outputsOf(chain)).toEqual(['ca ca.crt required']);
    expect(outputsOf(objectsOf(files, { fileLayout: 'client' })[1])).toEqual([]);
    const password = objectsOf('vaultSecret: {name: s, files: {}}\nvaultCaChainCert: {name: r, passwordFrom: s}');
    expect(password[0]?.content).toMatchObject({ chainFrom: undefined });
    expect(outputsOf(password[1])).toEqual(outputsOf(objectsOf('vaultCaChainCert: {name: r}')[0]));
    const both = objectsOf(
      'vaultSecret: {name: s, files: {pfx: a}}\nvaultCert: {name: c}\nvaultCaChainCert: {name: r}',
    );
    expect(both.map(({ content }) => content.kind === 'outputs' && content.chainFrom)).toEqual([
      undefined,
      2,
      undefined,
    ]);
  });

  it('takes the user name that stands beside a Kafka connector’s token', () => {
    const volume = volumeOf(`${VAULT}username: me\nvaultSecret: {name: token}`, { filePermission: '0400' });
    expect(volume.objects).toHaveLength(1);
    expect(volume.literals).toEqual([{ label: 'keyVault.username', path: 'username', mode: 0o400, text: 'me' }]);
  });
});

describe('the three resources of the documentation', () => {
  it.each([
    ['broker-authentication', 'spec.authenicationMethods.0.usernamePassword.keyVault', {}, ['my-username-password-db']],
    ['broker-listener', 'spec.tls.keyVault', {}, ['my-server-certificate']],
    [
      'mqtt-bridge-connector',
      'spec.remoteBrokerConnection.authentication.x509.keyVault',
      { fileLayout: 'client' },
      ['my-remote-broker-certificate'],
    ],
  ])('%s', (file, path, siblings, names) => {
    const resource: unknown = parse(readFileSync(`examples/${file}.yaml`, 'utf8'));
    const field = path.split('.').reduce<unknown>((at, key) => (at as Record<string, unknown>)[key], resource);
    const text = JSON.stringify(field);
    expect(errorsOf(text, siblings)).toEqual([
      'keyVault.vault.directoryId is still the placeholder "<AKV directory ID>": put the Microsoft Entra tenant ID (directory ID) of the Key Vault there',
    ]);
    const { objects } = volumeOf(text.replace('<AKV directory ID>', TENANT), siblings);
    expect(objects.map(({ name }) => name)).toEqual(names);
  });
});

it.each([
  ['<AKV directory ID>', true],
  [' <x> ', true],
  ['<>', true],
  ['<x', false],
  ['x>', false],
  ['a<x>', false],
  ['<a><b>', false],
])('%j is a placeholder: %s', (text, expected) => expect(isPlaceholder(text)).toBe(expected));
