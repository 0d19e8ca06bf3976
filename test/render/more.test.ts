import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { PAUSE_IMAGE } from '../../src/render/more/holder.ts';
import { type MoreOptions, moreOf, needsSecrets } from '../../src/render/more/more.ts';
import { printManifests } from '../../src/render/print.ts';
import { formatRemark } from '../../src/render/remark.ts';
import { render } from '../../src/render/render.ts';

const TENANT = '11111111-1111-1111-1111-111111111111';
const EXAMPLES = ['broker-listener', 'broker-authentication', 'mqtt-bridge-connector'].map((name) => {
  const path = `examples/${name}.yaml`;
  return { name: path, text: readFileSync(path, 'utf8') };
});

const VAULT = { name: 'my-vault', directoryId: TENANT, credentials: { servicePrincipalLocalSecretName: 'sp' } };
const WORKLOAD = { ...VAULT, credentials: { workloadIdentity: { clientId: TENANT } } };
const CERTIFICATE = { vault: VAULT, vaultCert: { name: 'front' } };
const SECRET = { vault: VAULT, vaultSecret: { name: 'db' } };

function more(sources: readonly { name: string; text: string }[], options: MoreOptions) {
  const rendered = render(sources, { syncSecrets: needsSecrets(options), directoryId: TENANT });
  const result = moreOf(sources, rendered.volumes, options);
  const text = printManifests(result.volumes, result.objects, result.documents);
  return { ...result, text, remarks: result.remarks.map(formatRemark) };
}

function moreOfText(text: string, options: MoreOptions) {
  return more([{ name: 'a.yaml', text }], options);
}

/** Returns a resource with the field at a path such as `spec.list.0.tls`. */
function resource(kind: string, path: string, keyVault: object): Record<string, unknown> {
  const spec = path
    .split('.')
    .reduceRight<object>((inner, key) => (key === '0' ? [inner] : { [key]: inner }), { keyVault });
  return { apiVersion: 'mq.iotoperations.azure.com/v1beta1', kind, metadata: { name: 'it', namespace: 'ns' }, ...spec };
}

const HOLDER = { image: PAUSE_IMAGE };

it.each<[string, MoreOptions]>([
  ['holders', { holder: { ...HOLDER, serviceAccount: 'broker' } }],
  ['secret-names', { secretNames: true }],
])('the examples: %s', async (name, options) => {
  const { objects, documents } = more(EXAMPLES, options);
  await expect(printManifests([], objects, documents)).toMatchFileSnapshot(`golden/${name}.yaml`);
});

it('the examples with workload identity: SecretSyncs', async () => {
  const sources = EXAMPLES.map(({ name, text }) => ({
    name,
    text: text.replace('servicePrincipalLocalSecretName: aio-akv-sp', `workloadIdentity: {clientId: ${TENANT}}`),
  }));
  const { text, remarks } = more(sources, { syncServiceAccount: 'broker' });
  expect(remarks).toEqual([]);
  await expect(text).toMatchFileSnapshot('golden/secret-syncs.yaml');
});

describe('secretName in place of keyVault', () => {
  it.each([
    ['BrokerListener', 'spec.tls', CERTIFICATE, 'spec.tls.manual', 'tls'],
    ['BrokerListener', 'spec.tls.manual', CERTIFICATE, 'spec.tls.manual', 'tls'],
    [
      'BrokerAuthentication',
      'spec.authenticationMethods.0.usernamePassword',
      SECRET,
      'spec.authenticationMethods.0.usernamePassword',
      'username-password',
    ],
    [
      'BrokerAuthentication',
      'spec.authenticationMethods.0.x509.attributes',
      SECRET,
      'spec.authenticationMethods.0.x509.attributes',
      'x509-attributes',
    ],
    [
      'BrokerAuthentication',
      'spec.authenticationMethods.0.custom.auth.x509',
      CERTIFICATE,
      'spec.authenticationMethods.0.custom.auth.x509',
      'custom-x509',
    ],
    [
      'MqttBridgeConnector',
      'spec.remoteBrokerConnection.authentication.x509',
      CERTIFICATE,
      'spec.remoteBrokerConnection.authentication.x509',
      'x509',
    ],
    [
      'KafkaConnector',
      'spec.kafkaConnection.authentication.authType.x509',
      CERTIFICATE,
      'spec.kafkaConnection.authentication.authType.x509',
      'x509',
    ],
    [
      'KafkaConnector',
      'spec.kafkaConnection.authentication.authType.sasl.token',
      { ...SECRET, username: 'me' },
      'spec.kafkaConnection.authentication.authType.sasl.token',
      'sasl-token',
    ],
  ])('%s %s, in each form of the text', (kind, path, field, place, role) => {
    const given = resource(kind, path, field);
    const list = { apiVersion: 'v1', kind: 'List', items: [given, { kind: 'Pod', metadata: { name: 'p' } }] };
    const secretName = `${kind.replace(/(?<=[a-z])(?=[A-Z])/g, '-').toLowerCase()}-it-${role}`;
    const expected = parse(stringify(resource(kind, place, {})).replace('keyVault: {}', `secretName: ${secretName}`));
    for (const [text, wanted] of [
      [stringify(given), expected],
      [stringify(given).replaceAll('\n', '\r\n'), expected],
      [`\uFEFF---\n${stringify(given)}`, expected],
      [JSON.stringify(given), expected],
      [JSON.stringify(given, null, 2), expected],
      [stringify(given, { collectionStyle: 'flow' }), expected],
      [stringify(list), { ...list, items: [expected, list.items[1]] }],
    ] as const) {
      const { documents, remarks, volumes } = moreOfText(text, { secretNames: true, holder: HOLDER });
      expect(remarks).toEqual([]);
      expect(documents.map((document) => parse(document))).toEqual([wanted]);
      expect(volumes.flatMap(({ secretObjects }) => secretObjects.map((one) => one.secretName))).toContain(secretName);
    }
  });

  it('leaves every other character of the document, and leaves out documents without a field', () => {
    const before = '# ours\napiVersion: v1 # first\nkind: BrokerListener\nmetadata: {name: a}\nspec:\n  tls:\n    ';
    const field = `keyVault: # gone\n      vault: {name: v12, credentials: {servicePrincipalLocalSecretName: sp}}\n      vaultCert: {name: c}`;
    const after = ' # stays\n  port:   8883\n\n  # last\n';
    const pod = 'kind: Pod\nmetadata: {name: p}\n';
    const { documents } = moreOfText(`${pod}---\n${before}${field}${after}---\n${pod}`, { secretNames: true });
    expect(documents).toEqual([`${before}manual: {secretName: broker-listener-a-tls}${after}`]);
  });

  it('replaces all fields of a document', () => {
    const given = resource('BrokerAuthentication', 'spec.methods.0.usernamePassword', SECRET);
    const both = `${stringify(given)}    - x509:\n        attributes:\n          keyVault: ${JSON.stringify(SECRET)}\n`;
    const { documents } = moreOfText(both, { secretNames: true });
    expect(documents.map((document) => parse(document).spec.methods)).toEqual([
      [
        { usernamePassword: { secretName: 'broker-authentication-it-username-password' } },
        { x509: { attributes: { secretName: 'broker-authentication-it-x509-attributes-1' } } },
      ],
    ]);
  });

  it.each([
    ['at an unknown place', stringify(resource('Thing', 'spec.a', SECRET)), 'is at a place that is not in the schema'],
    ['outside of a resource', stringify({ tls: { keyVault: CERTIFICATE } }), 'is not in a Kubernetes resource'],
    [
      'in an ARM template',
      JSON.stringify({
        resources: [{ type: 'A/b/listener', name: 'a/b', properties: { tls: { keyVault: CERTIFICATE } } }],
      }),
      'is not in a Kubernetes resource',
    ],
    [
      'next to a secretName',
      stringify(resource('KafkaConnector', 'spec.authType.x509', CERTIFICATE)).replace(
        /( *)keyVault/,
        '$1secretName: own\n$1keyVault',
      ),
      'has "secretName" next to it; remove one of the two',
    ],
    [
      'next to tls.manual',
      stringify(resource('BrokerListener', 'spec.tls', CERTIFICATE)).replace(
        /( *)keyVault/,
        '$1manual: {secretName: own}\n$1keyVault',
      ),
      'has "manual" next to it; remove one of the two',
    ],
    [
      'with an anchor that others use',
      `${stringify(resource('BrokerListener', 'spec.tls', CERTIFICATE)).replace('vault:', 'vault: &v')}more: *v\n`,
      'has an alias of an anchor in it; write the alias out',
    ],
    [
      'that is an alias',
      `x: &f ${JSON.stringify(CERTIFICATE)}\nkind: BrokerListener\nmetadata: {name: a}\nspec: {tls: {keyVault: *f}}\n`,
      'is an alias; write the field out',
    ],
  ])('a field %s is an error', (_, text, problem) => {
    const { remarks, documents } = moreOfText(text, { secretNames: true, holder: HOLDER });
    expect(documents).toEqual([]);
    expect(remarks).toEqual([expect.stringMatching(/^a\.yaml:\d+: error: .*keyVault: /)]);
    expect(remarks.join()).toContain(problem);
  });

  it('without a holder comes with a note on the life of the Secret', () => {
    const { remarks } = moreOfText(stringify(resource('BrokerListener', 'spec.tls', CERTIFICATE)), {
      secretNames: true,
    });
    expect(remarks).toEqual([
      expect.stringMatching(/note: .* the driver makes the Secret while a pod mounts the class, and deletes it after/),
    ]);
  });
});

describe('holders', () => {
  it('have names of at most 63 characters, which differ', () => {
    const text = ['a', 'b']
      .map((end) => ({
        ...resource('BrokerListener', 'spec.tls', CERTIFICATE),
        metadata: { name: `${'x'.repeat(60)}${end}` },
      }))
      .map((one) => stringify(one))
      .join('---\n');
    const { objects } = moreOfText(text, { holder: HOLDER });
    const names = objects.map((object) => ('metadata' in object ? Object(object.metadata).name : ''));
    expect(new Set(names).size).toBe(2);
    for (const name of names) expect(name).toMatch(/^[a-z0-9][-a-z0-9]{0,61}[a-z0-9]$/);
  });

  it('with workload identity need the ServiceAccount, or come with a note', () => {
    const text = stringify(resource('BrokerListener', 'spec.tls', { ...CERTIFICATE, vault: WORKLOAD }));
    expect(moreOfText(text, { holder: HOLDER }).remarks).toEqual([
      expect.stringContaining('ServiceAccount "default" of its namespace; --account-name names another one'),
    ]);
    const named = moreOfText(text, { holder: { ...HOLDER, serviceAccount: 'broker' } });
    expect(named.remarks).toEqual([]);
    expect(parseAllDocuments(named.text)[1]?.toJS().spec.template.spec.serviceAccountName).toBe('broker');
  });
});

describe('SecretSyncs', () => {
  it.each([
    ['a service principal', VAULT, 'uses a service principal; the sync controller sends the provider no Secret'],
    [
      'a managed identity',
      { ...VAULT, credentials: { managedIdentity: {} } },
      'uses a managed identity; with the sync controller that is the identity of the node',
    ],
  ])('are refused for %s', (_, vault, problem) => {
    const text = stringify(resource('BrokerListener', 'spec.tls', { ...CERTIFICATE, vault }));
    expect(moreOfText(text, { syncServiceAccount: 'broker' }).remarks).toEqual([
      expect.stringMatching(`a.yaml:\\d+: error: BrokerListener it, spec.tls.keyVault: ${problem}.*--sync-secrets`),
    ]);
  });

  it.each(['tls/a.crt', 'a..b', '-a', 'a b', 'x.y', 'ü'])(
    'are refused for a file %j, which they cannot name',
    (path) => {
      const vaultCert = { name: 'c', files: { fullChain: path, privateKey: 'b.key' } };
      const text = stringify(resource('BrokerListener', 'spec.tls', { vault: WORKLOAD, vaultCert }));
      expect(moreOfText(text, { syncServiceAccount: 'broker' }).remarks).toEqual([
        expect.stringContaining(`gives the file ${JSON.stringify(path)}, which a SecretSync cannot name`),
      ]);
    },
  );

  it('name files that the pattern of their CRD takes', () => {
    const { objects, remarks } = moreOfText(
      stringify(resource('KafkaConnector', 'spec.authType.sasl.token', { ...SECRET, vault: WORKLOAD, username: 'me' })),
      { syncServiceAccount: 'broker' },
    );
    expect(remarks).toEqual([]);
    expect(objects).toMatchObject([
      {
        kind: 'SecretSync',
        spec: {
          secretObject: { data: ['password', 'username'].map((name) => ({ sourcePath: name, targetKey: name })) },
        },
      },
    ]);
  });
});
