import { describe, expect, it } from 'vitest';
import { checkManifests } from '../../src/spc/check.ts';
import { DEFAULTS, NO_CLOUD_FILE, TENANT } from '../support/spc.ts';

const CLIENT = '33333333-3333-4333-8333-333333333333';
const HEAD = `apiVersion: secrets-store.csi.x-k8s.io/v1
kind: SecretProviderClass
metadata:
  name: app
spec:
  provider: azure
`;
const OBJECTS = `    objects: |
      array:
        - |
          objectName: db-password
          objectType: secret
          objectVersion: ""
`;
const COMMON = `    keyvaultName: "contoso-kv"
    tenantId: "${TENANT}"
`;
const SECRET = (data: string, type = 'Opaque') => `  secretObjects:
  - secretName: app-secret
    type: ${type}
    data:
${data}`;
const ENTRY = (key: string, objectName: string) => `    - key: ${key}\n      objectName: ${objectName}\n`;

const object = (...lines: readonly string[]) => `        - |\n${lines.map((line) => `          ${line}\n`).join('')}`;
const objects = (...all: readonly string[]) => `    objects: |\n      array:\n${all.join('')}`;
const parameters = (...parts: readonly string[]) => `  parameters:\n${parts.join('')}`;

/** Manifests as in tutorials, charts and clusters. None of them has findings. */
const SHAPES: Readonly<Record<string, string>> = {
  'a service principal': HEAD + parameters('    usePodIdentity: "false"\n', COMMON, OBJECTS),
  'pod identity': HEAD + parameters('    usePodIdentity: "true"\n', COMMON, OBJECTS),
  'workload identity':
    HEAD + parameters('    usePodIdentity: "false"\n', `    clientID: "${CLIENT}"\n`, COMMON, OBJECTS),
  'a managed identity':
    HEAD + parameters('    useVMManagedIdentity: "true"\n', `    userAssignedIdentityID: ${CLIENT}\n`, COMMON, OBJECTS),
  'the system-assigned identity':
    HEAD + parameters('    useVMManagedIdentity: "true"\n    userAssignedIdentityID: ""\n', COMMON, OBJECTS),
  'identity binding':
    HEAD + parameters('    useAzureTokenProxy: "true"\n', `    clientID: ${CLIENT}\n`, COMMON, OBJECTS),
  tenantID: HEAD + parameters(COMMON.replace('tenantId', 'tenantID'), OBJECTS),
  'every parameter of old':
    HEAD +
    parameters(
      '    usePodIdentity: "false"\n    useVMManagedIdentity: "false"\n    userAssignedIdentityID: ""\n    cloudName: ""\n    cloudEnvFileName: ""\n',
      COMMON,
      '    resourceGroup: "rg"\n    subscriptionId: "s"\n',
      OBJECTS,
    ),
  'a cloud': HEAD + parameters('    cloudName: AzureUSGovernmentCloud\n', COMMON, OBJECTS),
  'secret, key and certificate':
    HEAD +
    parameters(
      COMMON,
      objects(
        object('objectName: secret1', 'objectType: secret'),
        object('objectName: key1', 'objectType: key'),
        object('objectName: cert1', 'objectType: cert'),
      ),
    ),
  'aliases in folders':
    HEAD +
    parameters(
      COMMON,
      objects(object('objectName: a', 'objectAlias: conf/a.txt', 'objectType: secret', 'filePermission: "0640"')),
    ),
  'aliases of odd signs':
    HEAD +
    parameters(
      COMMON,
      objects(
        object('objectName: a', 'objectAlias: ConnectionStrings__Default', 'objectType: secret'),
        object('objectName: b', 'objectAlias: my_file.$1~', 'objectType: secret'),
        object('objectName: c', "objectAlias: 'a@b%20c #1'", 'objectType: secret'),
      ),
    ),
  'comments and a version':
    HEAD +
    parameters(
      COMMON,
      objects(
        object(
          'objectName: secret1 # ours',
          'objectType: secret # object types: secret, key, or cert',
          'objectVersion: 5a1b2c3d4e5f60718293a4b5c6d7e8f9 # [OPTIONAL]',
        ),
      ),
    ),
  'a history':
    HEAD +
    parameters(COMMON, objects(object('objectName: a', 'objectType: secret', 'objectVersionHistory: 3'))) +
    SECRET(ENTRY('now', 'a/0') + ENTRY('before', 'a/1')),
  'maps without blocks':
    HEAD + parameters(COMMON, '    objects: |\n      array:\n        - objectName: a\n          objectType: secret\n'),
  'objects in quotes':
    HEAD + parameters(COMMON, '    objects: "array:\\n  - |\\n    objectName: a\\n    objectType: secret\\n"\n'),
  'a synced Secret': HEAD + SECRET(ENTRY('password', 'db-password')) + parameters(COMMON, OBJECTS),
  'a synced Secret with labels':
    HEAD +
    SECRET(ENTRY('password', 'db-password')).replace(
      '    type',
      '    labels:\n      environment: "test"\n    annotations:\n      a: b\n    type',
    ) +
    parameters(COMMON, OBJECTS),
  'keys in quotes': HEAD + SECRET(ENTRY('"1"', '"db-password"')) + parameters(COMMON, OBJECTS),
  'a tls Secret of one certificate':
    HEAD +
    SECRET(ENTRY('tls.key', 'ingress') + ENTRY('tls.crt', 'ingress'), 'kubernetes.io/tls') +
    parameters(COMMON, objects(object('objectName: ingress', 'objectType: secret'))),
  'a tls Secret of an alias':
    HEAD +
    SECRET(ENTRY('tls.key', 'cert.pem') + ENTRY('tls.crt', 'cert.pem'), 'kubernetes.io/tls') +
    parameters(COMMON, objects(object('objectName: ingress', 'objectAlias: cert.pem', 'objectType: secret'))),
  'docker credentials':
    HEAD +
    SECRET(ENTRY('.dockerconfigjson', 'registry'), 'kubernetes.io/dockerconfigjson') +
    parameters(COMMON, objects(object('objectName: registry', 'objectType: secret'))),
  'basic-auth':
    HEAD +
    SECRET(ENTRY('username', 'u') + ENTRY('password', 'p'), 'kubernetes.io/basic-auth') +
    parameters(
      COMMON,
      objects(object('objectName: u', 'objectType: secret'), object('objectName: p', 'objectType: secret')),
    ),
  'two Secrets of one file':
    HEAD +
    SECRET(ENTRY('a', 'db-password')) +
    SECRET(ENTRY('a', 'db-password')).replace('  secretObjects:\n', '').replace('app-secret', 'other') +
    parameters(COMMON, OBJECTS),
  'a cluster’s own fields':
    HEAD.replace(
      '  name: app',
      '  name: app\n  namespace: shop\n  creationTimestamp: "2024-01-01T00:00:00Z"\n  generation: 2\n  resourceVersion: "1"\n  uid: a\n  annotations:\n    kubectl.kubernetes.io/last-applied-configuration: |\n      {"a":null}',
    ) +
    parameters(COMMON, OBJECTS) +
    'status: {}\n',
  'a template that was rendered': `---\n# Source: app/templates/spc.yaml\n${HEAD}${parameters(COMMON, OBJECTS)}`,
  'names that look like words of placeholders':
    HEAD +
    parameters(
      COMMON.replace('contoso-kv', 'your-vault-kv'),
      objects(
        object('objectName: replace-me', 'objectType: secret'),
        object('objectName: YOUR-SECRET', 'objectType: secret'),
      ),
    ),
  JSON: JSON.stringify({
    kind: 'SecretProviderClass',
    metadata: { name: 'a' },
    spec: {
      provider: 'azure',
      parameters: {
        keyvaultName: 'contoso-kv',
        tenantId: TENANT,
        objects: 'array:\n  - |\n    objectName: a\n    objectType: secret\n',
      },
    },
  }),
};

describe('manifests as they are in the field', () => {
  it.each(Object.entries(SHAPES))('%s', async (_, text) => {
    const context = { defaults: DEFAULTS, readCloudFile: NO_CLOUD_FILE, providerNames: ['azure'] };
    const { findings, manifests } = await checkManifests(text, context);
    expect(manifests).toHaveLength(1);
    expect([...findings, ...manifests.flatMap((manifest) => manifest.findings)]).toEqual([]);
  });
});
