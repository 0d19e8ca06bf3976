import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { PKCS12_FORMS, writePkcs12 } from '../../src/pki/pkcs12-write.ts';
import { render } from '../../src/render/render.ts';
import { openWorld, type ParityWorld, seedWith, TENANT, VAULT } from '../support/parity.ts';
import { issue, issueChain, keyPem, newKey, pemOf } from '../support/pki.ts';

/** The contents of the vault: a certificate with its chain and root, one without, CA certificates, and plain secrets. */
const { leaf, certificates } = await issueChain({ keyType: 'rsa-2048' });
const [own, intermediate, root] = certificates;
if (own === undefined || intermediate === undefined || root === undefined) throw new Error('a short chain');
const alone = await issue({ name: 'alone', issuer: { certificate: root, key: newKey('p-256') } });
const pfx = await writePkcs12(
  { key: leaf.key, certificates },
  { ...PKCS12_FORMS.keyVault, password: null, seed: Buffer.from('x') },
);

let world: ParityWorld;
beforeAll(async () => {
  world = await openWorld(seedWith({ vault: '\n    secrets: [{name: db, value: content}]' }));
  world.certificateSecret('certificate', pfx.toString('base64'), 'application/x-pkcs12');
  world.certificateSecret('bare', keyPem(alone.key) + pemOf([alone.certificate]), 'application/x-pem-file');
  world.emulator.setSecret(VAULT, 'authorities', pemOf([intermediate, root]));
});
afterAll(() => world.close());

const vault = { name: VAULT, directoryId: TENANT, credentials: { servicePrincipalLocalSecretName: 'aio-akv-sp' } };
const secret = { vaultSecret: { name: 'db' } };
const certificate = { vaultCert: { name: 'certificate', version: 'latest' } };
const chain = { vaultCaChainSecret: { name: 'authorities' } };

interface Expected {
  /** The name of the class without kind and name of the resource. */
  readonly role: string;
  /** `file mode` for each file that the driver receives. */
  readonly files: readonly string[];
  /** `name suffix: type key, key` for each Secret that the driver creates. */
  readonly synced: readonly string[];
}

const TLS = ['tls.crt 644', 'tls.key 644'];
const CLIENT = ['client_cert.pem 644', 'client_key.pem 644'];

/**
 * The places of `keyVault` in the schema of IoT MQ and in its first documentation, with the objects that they allow.
 */
const PLACES: readonly (readonly [place: string, path: string, field: object, expected: Expected])[] = [
  [
    'BrokerListener',
    'spec.tls',
    certificate,
    { role: 'tls', files: [...TLS, 'ca.crt 644'], synced: ['kubernetes.io/tls tls.crt tls.key'] },
  ],
  [
    'BrokerListener',
    'spec.tls',
    { ...certificate, ...chain },
    { role: 'tls', files: [...TLS, 'ca.crt 644'], synced: ['kubernetes.io/tls tls.crt tls.key', '-ca Opaque ca.crt'] },
  ],
  [
    'BrokerListener',
    'spec.tls.manual',
    { vaultSecret: { name: 'certificate' } },
    { role: 'tls', files: ['tls.crt 644', 'ca.crt 644', 'tls.key 644'], synced: ['kubernetes.io/tls tls.crt tls.key'] },
  ],
  [
    'BrokerListener',
    'spec.tls.manual',
    { vaultSecret: { name: 'bare' } },
    { role: 'tls', files: TLS, synced: ['kubernetes.io/tls tls.crt tls.key'] },
  ],
  [
    'BrokerAuthentication',
    'spec.authenticationMethods.0.usernamePassword',
    secret,
    { role: 'username-password', files: ['passwords.toml 644'], synced: ['Opaque passwords.toml'] },
  ],
  [
    'BrokerAuthentication',
    'spec.authenticationMethods.0.x509.attributes',
    secret,
    { role: 'x509-attributes', files: ['x509Attributes.toml 644'], synced: ['Opaque x509Attributes.toml'] },
  ],
  [
    'BrokerAuthentication',
    'spec.authenticationMethods.0.custom.auth.x509',
    certificate,
    { role: 'custom-x509', files: [...TLS, 'ca.crt 644'], synced: ['kubernetes.io/tls tls.crt tls.key'] },
  ],
  [
    'MqttBridgeConnector',
    'spec.remoteBrokerConnection.authentication.x509',
    certificate,
    {
      role: 'x509',
      files: [...CLIENT, 'client_intermediate_certs.pem 644'],
      synced: ['Opaque client_cert.pem client_key.pem'],
    },
  ],
  [
    'MqttBridgeConnector',
    'spec.remoteBrokerConnection.authentication.x509',
    { ...certificate, ...chain },
    {
      role: 'x509',
      files: [...CLIENT, 'client_intermediate_certs.pem 644'],
      synced: ['Opaque client_cert.pem client_key.pem client_intermediate_certs.pem'],
    },
  ],
  [
    'MqttBridgeConnector',
    'spec.remoteBrokerConnection.authentication.x509',
    { vaultSecret: { name: 'certificate' } },
    {
      role: 'x509',
      files: ['client_intermediate_certs.pem 644', ...CLIENT],
      synced: ['Opaque client_cert.pem client_key.pem'],
    },
  ],
  [
    'MqttBridgeConnector',
    'spec.remoteBrokerConnection.authentication.x509',
    { vaultSecret: { name: 'bare' } },
    { role: 'x509', files: CLIENT, synced: ['Opaque client_cert.pem client_key.pem'] },
  ],
  [
    'MqttBridgeConnector',
    'spec.remoteBrokerConnection.authentication.x509',
    { vaultSecret: { name: 'bare' }, ...chain },
    {
      role: 'x509',
      files: ['client_intermediate_certs.pem 644', ...CLIENT],
      synced: ['Opaque client_intermediate_certs.pem client_cert.pem client_key.pem'],
    },
  ],
  [
    'KafkaConnector',
    'spec.kafkaConnection.authentication.authType.x509',
    certificate,
    { role: 'x509', files: [...TLS, 'ca.crt 644'], synced: ['kubernetes.io/tls tls.crt tls.key'] },
  ],
  [
    'KafkaConnector',
    'spec.kafkaConnection.authentication.authType.sasl.token',
    { username: '$ConnectionString', ...secret },
    { role: 'sasl-token', files: ['password 644', 'username 644'], synced: ['Opaque password username'] },
  ],
];

/** Returns a resource with the field at a path such as `spec.list.0.tls`. */
function resource(kind: string, path: string, keyVault: object): string {
  const spec = path
    .split('.')
    .reduceRight<object>((inner, key) => (key === '0' ? [inner] : { [key]: inner }), { keyVault });
  return stringify({ apiVersion: 'mq.iotoperations.azure.com/v1beta1', kind, metadata: { name: 'it' }, ...spec });
}

describe('a place of keyVault gives the files, and the Secret, that are read there', () => {
  it.each(PLACES)('%s %s %j', async (kind, path, field, { role, files, synced }) => {
    const text = resource(kind, path, { vault, ...field });
    const { volumes, remarks } = render([{ name: 'it.yaml', text }], { syncSecrets: true });
    expect(remarks.filter(({ severity }) => severity === 'error')).toEqual([]);
    const [volume] = volumes;
    const kebab = kind.replace(/(?<=[a-z])(?=[A-Z])/g, '-').toLowerCase();
    const name = `${kebab}-it-${role}`;
    expect(volume?.name).toBe(name);
    const secrets = volume?.secretObjects.map(({ secretName, type, data }) =>
      [secretName.slice(name.length), type, ...data.map(({ key }) => key)].join(' ').trim(),
    );
    expect(secrets).toEqual(synced);
    const parameters = { keyvaultName: undefined, tenantID: undefined, ...volume?.parameters };
    const outcome = await world.mount({ parameters });
    expect(outcome).toMatchObject({ kind: 'mounted' });
    if (outcome.kind !== 'mounted') return;
    const written = outcome.response.files.map(({ path, mode }) => `${path} ${mode.toString(8)}`);
    expect(written).toEqual(files);
    // Each synced file must exist: the driver syncs no key of a Secret that names a missing file.
    const paths = outcome.response.files.map(({ path }) => path);
    const objects = volume?.secretObjects.flatMap(({ data }) => data.map(({ objectName }) => objectName)) ?? [];
    expect(paths).toEqual(expect.arrayContaining(objects));
  });
});

describe('a certificate without alternative names', () => {
  let objects = 0;
  it.each([
    ['BrokerListener', 'spec.tls', 'vaultCert', 1],
    ['BrokerListener', 'spec.tls.manual', 'vaultSecret', 1],
    ['BrokerAuthentication', 'spec.authenticationMethods.0.custom.auth.x509', 'vaultCert', 0],
    ['BrokerAuthentication', 'spec.authenticationMethods.0.custom.auth.x509', 'vaultSecret', 0],
    ['MqttBridgeConnector', 'spec.remoteBrokerConnection.authentication.x509', 'vaultCert', 0],
    ['MqttBridgeConnector', 'spec.remoteBrokerConnection.authentication.x509', 'vaultSecret', 0],
    ['KafkaConnector', 'spec.kafkaConnection.authentication.authType.x509', 'vaultCert', 0],
    ['KafkaConnector', 'spec.kafkaConnection.authentication.authType.x509', 'vaultSecret', 0],
  ])('%s %s %s: a warning where it is a server’s only', async (kind, path, reference, warnings) => {
    const { certificate: nameless, key } = await issue({ name: 'nameless', dnsNames: [] });
    const object = `nameless-${++objects}`;
    world.certificateSecret(object, keyPem(key) + pemOf([nameless]), 'application/x-pem-file');
    const text = resource(kind, path, { vault, [reference]: { name: object } });
    const [volume] = render([{ name: 'it.yaml', text }], {}).volumes;
    const before = world.log.length;
    const outcome = await world.mount({
      parameters: { keyvaultName: undefined, tenantID: undefined, ...volume?.parameters },
    });
    expect(outcome).toMatchObject({ kind: 'mounted' });
    expect(world.log.slice(before).filter((line) => line.includes('"no_san"'))).toHaveLength(warnings);
  });
});
