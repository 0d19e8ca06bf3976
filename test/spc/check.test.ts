import { describe, expect, it } from 'vitest';
import { checkManifests } from '../../src/spc/check.ts';
import { DEFAULTS, NO_CLOUD_FILE, TENANT } from '../support/spc.ts';

const CONTEXT = { defaults: DEFAULTS, readCloudFile: NO_CLOUD_FILE, providerNames: ['azure'] };

const HEAD = `apiVersion: secrets-store.csi.x-k8s.io/v1
kind: SecretProviderClass
metadata:
  name: web
  namespace: prod
spec:
  provider: azure
  parameters:
`;
const GOOD = `${HEAD}    keyvaultName: kv1
    tenantID: "${TENANT}"
    objects: |
      array:
        - |
          objectName: a
          objectType: secret
`;

/** Returns the findings of one manifest as `line severity path: message`. */
async function found(text: string): Promise<readonly string[]> {
  const { findings, manifests } = await checkManifests(text, CONTEXT);
  const all = [...findings, ...manifests.flatMap((manifest) => manifest.findings)];
  return all.map(({ line, severity, path, message }) => `${line} ${severity} ${path}: ${message}`);
}

describe('what a manifest leaves out of its identity', () => {
  const keyVault = (credentials: string, tenant = '') =>
    `${HEAD}    keyVault: |\n      vault:\n        name: kv1\n${tenant}        credentials: {${credentials}}\n      vaultSecret: {name: a}\n`;
  const directory = `        directoryId: ${TENANT}\n`;

  it.each<[string, string, readonly string[]]>([
    ['a tenant', GOOD.replace(/ {4}tenantID.*\n/, ''), ['9 note tenantID: tenantID is not set: the tenant is learnt']],
    ['a misspelt tenant', GOOD.replace('tenantID', 'tenantid'), ['10 error tenantID: tenantId is not provided']],
    ['a tenant that is not needed', GOOD.replace(/tenantID.*/, 'useVMManagedIdentity: "true"'), []],
    [
      'a tenant of keyVault',
      keyVault('servicePrincipalLocalSecretName: sp'),
      ['11 note keyVault.vault.directoryId: keyVault.vault.directoryId is not set: the tenant is learnt'],
    ],
    [
      'a misspelt tenant of keyVault',
      keyVault('servicePrincipalLocalSecretName: sp', directory.replace('Id', 'ID')),
      ['12 error keyVault.vault.directoryID: keyVault.vault.directoryID is unknown; did you mean "directoryId"?'],
    ],
    ['a tenant of keyVault that is not needed', keyVault('managedIdentity: {}'), []],
    [
      'a client ID of keyVault',
      keyVault('workloadIdentity: {}', directory),
      [
        '13 note keyVault.vault.credentials.workloadIdentity: keyVault.vault.credentials.workloadIdentity names no clientId',
      ],
    ],
    [
      'a misspelt client ID of keyVault',
      keyVault('workloadIdentity: {clientID: x}', directory),
      [
        '13 error keyVault.vault.credentials.workloadIdentity.clientID: keyVault.vault.credentials.workloadIdentity.clientID is unknown; did you mean "clientId"?',
      ],
    ],
  ])('%s is told with its line', async (_, text, expected) => {
    const all = await found(text);
    expect(all).toEqual(expected.map((begin) => expect.stringContaining(begin)));
  });
});

describe('a manifest', () => {
  it('of either form passes without a request: credentials and tokens are not asked for', async () => {
    const keyVault = `${HEAD}    keyVault: |
      vault:
        name: kv1
        directoryId: ${TENANT}
        credentials: {servicePrincipalLocalSecretName: sp}
      vaultCert: {name: front}
`;
    for (const text of [GOOD, keyVault, GOOD.replace('keyvaultName', `clientID: ${TENANT}\n    keyvaultName`)]) {
      expect(await found(text)).toEqual([]);
    }
  });

  it('is told by name, namespace and line', async () => {
    const { manifests, others } = await checkManifests(`kind: Pod\n---\n${GOOD}`, CONTEXT);
    expect(manifests).toEqual([{ name: 'web', namespace: 'prod', line: 3, findings: [] }]);
    expect(others).toBe(1);
  });

  it('may stand in a list', async () => {
    const item = `- ${GOOD.trimEnd().replaceAll('\n', '\n  ')}\n`;
    for (const kind of ['List', 'SecretProviderClassList']) {
      const { manifests, others } = await checkManifests(`kind: ${kind}\nitems:\n- kind: Pod\n${item}`, CONTEXT);
      expect({ names: manifests.map(({ name }) => name), others }).toEqual({ names: ['web'], others: 1 });
    }
  });

  it.each(['', '# nothing\n', '---\n---\n'])('is none in %j', async (text) => {
    expect(await checkManifests(text, CONTEXT)).toEqual({ findings: [], manifests: [], others: 0 });
  });
});

describe('findings have the line of the file', () => {
  it.each([
    [
      'of a parameter',
      GOOD.replace('kv1', 'k_v'),
      '9 error keyvaultName: failed to get vault: Invalid vault name: "k_v"',
    ],
    [
      'of a field inside objects',
      GOOD.replace('objectType: secret', 'objectType: Secret'),
      '15 error objects[0].objectType: ',
    ],
    ['of bad YAML inside objects', `${GOOD}        - |\n          a: b: c\n`, '17 error objects[1]: unmarshal failed'],
    [
      'below blank lines',
      GOOD.replace('objects: |\n', 'objects: |\n\n\n').replace('secret\n', 'x\n'),
      '17 error objects[0].objectType: ',
    ],
    [
      'in chomped text',
      GOOD.replace('objects: |', 'objects: |-').replace('secret\n', 'x\n'),
      '15 error objects[0].objectType: ',
    ],
    [
      'of text in quotes',
      `${HEAD}    keyvaultName: kv1\n    tenantID: t\n    objects: "array:\\n- |\\n  objectName: a\\n  objectType: x"\n`,
      '11 error objects[0].objectType: ',
    ],
    [
      'of the parameters, where one is missing',
      GOOD.replace(/ {4}keyvaultName.*\n/, ''),
      '9 error keyvaultName: keyvaultName is not provided',
    ],
    [
      'of an unknown parameter',
      GOOD.replace('keyvaultName', 'foo: x\n    keyvaultName'),
      '9 note foo: parameter "foo" is unknown',
    ],
    ['of a bad name', GOOD.replace('objectName: a', 'objectName: a_b'), '14 warning objects[0].objectName: '],
    [
      'of paths that collide',
      `${GOOD}        - |\n          objectName: a\n          objectType: secret\n`,
      '17 error objects[1]: file "a" is written by both',
    ],
    [
      'of a keyVault field',
      `${HEAD}    keyVault: |\n      vault:\n        nmae: kv1\n`,
      '11 error keyVault.vault.nmae: keyVault.vault.nmae is unknown',
    ],
    [
      'of a clientID that is missing',
      GOOD.replace('keyvaultName', 'useAzureTokenProxy: "true"\n    keyvaultName'),
      '9 error clientID: failed to build auth config for mode AzureTokenProxy: clientID is required',
    ],
  ])('%s', async (_, text, finding) => {
    expect(await found(text)).toEqual(expect.arrayContaining([expect.stringContaining(finding)]));
  });

  it('reports everything, errors and remarks', async () => {
    const text = GOOD.replace('kv1', 'k_v')
      .replace('tenantID', 'tenantId')
      .replace('secret\n', 'x\n          filePermission: 9\n');
    expect((await found(text)).map((one) => one.split(':')[0])).toEqual([
      '15 error objects[0].objectType',
      '16 error objects[0].filePermission',
      '9 error keyvaultName',
    ]);
  });
});

describe('what the API server would refuse', () => {
  it.each([
    ['a boolean', 'usePodIdentity: false', 'spec.parameters.usePodIdentity must be text; put false in quotes'],
    ['a YAML 1.1 boolean', 'usePodIdentity: no', 'spec.parameters.usePodIdentity must be text; put no in quotes'],
    ['a number', 'filePermission: 0644', 'spec.parameters.filePermission must be text; put 0644 in quotes'],
    ['a hexadecimal number', 'filePermission: 0x1F', 'spec.parameters.filePermission must be text; put 0x1F in quotes'],
  ])('%s without quotes', async (_, parameter, message) => {
    expect(await found(GOOD.replace('keyvaultName', `${parameter}\n    keyvaultName`))).toContain(
      `9 error spec.parameters.${parameter.split(':')[0]}: ${message}`,
    );
  });

  it.each(['', ' null', ' ~'])('a parameter without a value (%j)', async (nothing) => {
    expect(await found(GOOD.replace('keyvaultName', `clientID:${nothing}\n    keyvaultName`))).toEqual([
      '9 error spec.parameters.clientID: spec.parameters.clientID must be text, not null; put "" there, or leave it out',
    ]);
  });

  it.each([
    ['objects', 'array: []', 'a map'],
    ['objects', '- a', 'a list'],
    ['keyVault', 'vault: {}', 'a map'],
  ])('%s that holds YAML instead of text, once', async (name, yaml, kind) => {
    const text = `${HEAD}    ${name === 'keyVault' ? '' : 'keyvaultName: kv1\n    tenantID: t\n    '}${name}:\n      ${yaml}\n`;
    expect(await found(text)).toEqual([
      expect.stringContaining(
        `spec.parameters.${name} must be text, not ${kind}; write "${name}: |" and the YAML indented below it`,
      ),
    ]);
  });

  it.each([
    [
      'no parameters',
      HEAD.replace(/ {2}parameters.*\n/, ''),
      '7 error spec.parameters: spec.parameters must be a map of texts; it is missing',
    ],
    ['parameters of nothing', HEAD, '8 error spec.parameters: spec.parameters must be a map of texts; it is nothing'],
    [
      'a list of parameters',
      `${HEAD}    - a\n`,
      '9 error spec.parameters: spec.parameters must be a map of texts; it is a list',
    ],
    ['no name', GOOD.replace('  name: web\n', ''), '1 error metadata.name: metadata.name is required'],
    ['no provider', GOOD.replace('  provider: azure\n', ''), '7 error spec.provider: spec.provider is required'],
    ['no spec', GOOD.replace(/spec:[\s\S]*/, ''), '1 error spec.provider: spec.provider is required'],
  ])('%s', async (_, text, finding) => expect(await found(text)).toEqual([expect.stringContaining(finding)]));
});

describe('the provider', () => {
  const foreign = GOOD.replace('keyvaultName: kv1', 'vaultAddress: x').replace('objects', 'secrets');

  it.each(['vault', 'gcp', 'azure-next'])('%s, with parameters of its own, is left alone', async (name) => {
    expect(await found(foreign.replace('azure', name))).toEqual([
      `7 note spec.provider: spec.provider is "${name}", not "azure"; not checked further`,
    ]);
  });

  it.each(['Azure', 'AZURE', 'azrue', 'azur', 'aZure'])(
    '%s is an error, for the driver looks for its socket',
    async (name) => {
      const wrong = `7 error spec.provider: spec.provider is "${name}", not "azure": the driver looks for the socket ${name}.sock; did you mean "azure"?`;
      expect(await found(GOOD.replace('azure', name))).toEqual([wrong]);
      expect(await found(GOOD.replace('azure', name).replace('kv1', 'k_v'))).toHaveLength(2);
    },
  );

  it('Azure is an error whatever the parameters are', async () => {
    expect((await found(foreign.replace('azure', 'Azure')))[0]).toContain('did you mean "azure"?');
  });

  it.each(['azure-next', 'azure2', 'vault', 'akv'])(
    '%s is checked where its parameters are this provider’s',
    async (name) => {
      const hint = `7 warning spec.provider: spec.provider is "${name}", not "azure": the driver looks for the socket ${name}.sock; if a provider runs under that name, give --provider-name ${name}`;
      const text = GOOD.replace('azure', name);
      expect(await found(text)).toEqual([hint]);
      expect(await found(text.replace('kv1', 'k_v'))).toEqual([hint, expect.stringContaining('Invalid vault name')]);
      const known = await checkManifests(text, { ...CONTEXT, providerNames: ['azure', name] });
      expect(known.manifests[0]?.findings).toEqual([]);
    },
  );
});

describe('the line of a tenant', () => {
  it.each([
    ['tenantID', 'tenantID: "<id>"', '12 error tenantID: failed to get keyvault client: invalid tenantID'],
    ['tenantId', 'tenantId: "<id>"', '12 error tenantId: failed to get keyvault client: invalid tenantID'],
    ['tenantId beside an empty tenantID', 'tenantID: ""\n    tenantId: "<id>"', '13 error tenantId: '],
  ])('is that of %s', async (_, written, message) => {
    const text = `${HEAD}    keyvaultName: kv1\n    cloudName: AzureCloud\n    usePodIdentity: "false"\n    ${written}\n    objects: "[{objectName: a, objectType: secret}]"\n`;
    expect(await found(text)).toEqual([expect.stringContaining(message)]);
  });
});

describe('fields of a class that stand in a wrong place', () => {
  it.each([
    [
      'secretObjects among the parameters',
      GOOD.replace('keyvaultName', 'secretObjects:\n    - a: b\n    keyvaultName'),
      'error spec.parameters.secretObjects: spec.parameters.secretObjects must be text, not a list; put it next to "parameters", below spec',
    ],
    [
      'a parameter beside them',
      GOOD.replace('  provider', '  keyvaultName: kv1\n  provider'),
      'error spec.keyvaultName: spec.keyvaultName is a parameter: put it below spec.parameters',
    ],
    [
      'a misspelt field',
      GOOD.replace('  provider', '  secretObject: []\n  provider'),
      'warning spec.secretObject: spec.secretObject is unknown and ignored; did you mean "secretObjects"?',
    ],
    [
      'a name that nobody filled in',
      GOOD.replace('name: web', 'name: <app>'),
      '<app>" is a placeholder that was not replaced',
    ],
    [
      'a bad name',
      GOOD.replace('name: web', 'name: My_App'),
      'error metadata.name: metadata.name "My_App" cannot be a name in Kubernetes',
    ],
    [
      'a bad namespace',
      GOOD.replace('prod', 'a.b'),
      'error metadata.namespace: metadata.namespace "a.b" cannot be a namespace',
    ],
  ])('%s', async (_, text, message) => {
    expect(await found(text)).toEqual(expect.arrayContaining([expect.stringContaining(message)]));
  });
});

it('says where a text cannot be read', async () => {
  expect(await found(`${GOOD}---\na: b: c\n`)).toEqual([
    expect.stringMatching(/^17 error : mapping values are not allowed/),
  ]);
});

it('may hold large manifests of other kinds', async () => {
  const crd = `kind: CustomResourceDefinition\nspec:\n${'  - name: x\n'.repeat(8_000)}`;
  expect(await checkManifests(`${crd}---\n${GOOD}`, CONTEXT)).toMatchObject({
    others: 1,
    manifests: [{ findings: [] }],
  });
});
