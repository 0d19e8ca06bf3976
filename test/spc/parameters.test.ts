import { describe, expect, it } from 'vitest';
import { parseAttributes } from '../../src/spc/attributes.ts';
import { parseParameters } from '../../src/spc/parameters.ts';
import { unknownBesideKeyVault, unknownInClassic } from '../../src/spc/unknown-parameters.ts';
import { type Asked, CLASSIC, DEFAULTS, OBJECTS, read, TENANT } from '../support/spc.ts';

type Parameters = Readonly<Record<string, string | undefined>>;

const KEY_VAULT = `vault:\n  name: kv1\n  directoryId: ${TENANT}\n  credentials: {servicePrincipalLocalSecretName: sp}\nvaultSecret: {name: db}\n`;

/** Returns the first mistake of the classic parameters with these changes. */
function firstError(changes: Parameters, asked?: Asked): string {
  return read({ ...CLASSIC, ...changes }, asked).error?.message ?? 'no error';
}

describe('the classic form', () => {
  it('becomes one typed value', () => {
    const { volume, notes, warnings } = read(CLASSIC);
    expect({ notes, warnings }).toEqual({ notes: [], warnings: [] });
    expect(volume).toMatchObject({
      pod: { name: 'web-0', namespace: 'prod' },
      cloud: { name: 'AzurePublicCloud' },
      tenantId: TENANT,
      vaultName: 'kv1',
      vaultUrl: 'https://kv1.vault.azure.net',
      identity: { kind: 'service-principal', tenantId: TENANT, clientId: 'app-1' },
      objects: [{ type: 'secret', name: 'secret1', version: '', history: 1 }],
    });
  });

  it('trims every value', () => {
    const padded = Object.fromEntries(Object.entries(CLASSIC).map(([name, value]) => [name, ` \n${value}\t `]));
    expect(read({ ...padded, cloudName: ' AzureChinaCloud ', usePodIdentity: ' false ' }).volume).toMatchObject({
      vaultUrl: 'https://kv1.vault.azure.cn',
      tenantId: TENANT,
    });
  });

  it.each([
    ['keyvaultName', { keyvaultName: '' }, 'keyvaultName is not provided'],
    ['keyvaultName of blanks', { keyvaultName: ' ' }, 'keyvaultName is not provided'],
    ['objects', { objects: undefined }, 'objects is not set'],
    ['objects of blanks', { objects: ' \n ' }, 'objects is not set'],
  ])('needs %s', (_, changes, text) => {
    expect(firstError(changes)).toMatch(new RegExp(`^failed to mount objects, error: ${text}`));
  });

  it.each([
    ['csi.storage.k8s.io/pod.name', 'pod name is not provided'],
    ['csi.storage.k8s.io/pod.namespace', 'pod namespace is not provided'],
  ])('needs %s', (name, text) => {
    expect(firstError({}, { attributes: { [name]: ' ' } })).toBe(`failed to mount objects, error: ${text}`);
    expect(firstError({}, { attributes: { [name]: undefined } })).toBe(`failed to mount objects, error: ${text}`);
  });
});

describe('tenant', () => {
  it.each(['.', '..', '-'])('%j is none', (tenantID) => {
    expect(read({ ...CLASSIC, tenantID }).error?.message).toContain('must be a GUID or a domain name');
  });

  it.each([[undefined], [''], ['\n']])('%j is learnt from the vault', (tenantID) => {
    const { volume, notes, errors } = read({ ...CLASSIC, tenantID });
    expect(errors).toEqual([]);
    expect(volume).toMatchObject({ tenantId: '', identity: { tenantId: '' } });
    expect(notes).toEqual([expect.stringContaining('tenantID is not set: the tenant is learnt from the vault')]);
  });

  it.each(['useVMManagedIdentity', 'usePodIdentity'])('none is needed with %s, nor asked for', (flag) => {
    const { volume, notes } = read({ ...CLASSIC, tenantID: undefined, [flag]: 'true' });
    expect(volume?.identity).not.toHaveProperty('tenantId');
    expect(notes).toEqual([]);
  });

  it('tenantID wins over tenantId', () => {
    expect(read({ ...CLASSIC, tenantId: 'other' }).volume?.tenantId).toBe(TENANT);
  });

  it('tenantId is used if tenantID is missing', () => {
    const { volume, notes } = read({ ...CLASSIC, tenantID: ' ', tenantId: 'contoso.onmicrosoft.com' });
    expect(volume?.tenantId).toBe('contoso.onmicrosoft.com');
    expect(notes).toEqual([]);
  });

  it.each(['adfs', 'common', 'a.b-C.9'])('may be %s', (tenantID) => {
    expect(read({ ...CLASSIC, tenantID }).volume?.tenantId).toBe(tenantID);
  });

  it.each(['a b', '<AKV directory ID>', 'a/b', 'ä', 'a_b'])('may not be %s', (tenantID) => {
    expect(firstError({ tenantID })).toContain(
      `failed to get keyvault client: invalid tenantID: tenant ID "${tenantID}"`,
    );
  });

  it.each(['useVMManagedIdentity', 'usePodIdentity'])('may be anything with %s, which does not use it', (mode) => {
    expect(read({ ...CLASSIC, tenantID: 'not used', [mode]: 'true' }).volume?.tenantId).toBe('not used');
  });
});

describe('vault name', () => {
  it.each([
    ['ab', 'must be between 3 and 24 chars'],
    ['x'.repeat(25), 'must be between 3 and 24 chars'],
    ['my_vault', 'must match [-a-zA-Z0-9]{3,24}'],
    ['kv1.vault', 'must match [-a-zA-Z0-9]{3,24}; give only its name: kv1'],
    ['https://kv1', 'must match [-a-zA-Z0-9]{3,24}; give only its name: kv1'],
    ['https://my-kv.vault.azure.net/', 'must be between 3 and 24 chars; give only its name: my-kv'],
    ['my-kv.vault.azure.net', 'must match [-a-zA-Z0-9]{3,24}; give only its name: my-kv'],
    ['//kv1.vault.azure.cn:443/', 'must be between 3 and 24 chars; give only its name: kv1'],
    [
      '/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/kv1',
      'must be between 3 and 24 chars; give only its name: kv1',
    ],
    ['https://a.vault.azure.net', 'must be between 3 and 24 chars'],
    ['\x24{VAULT}', 'must match [-a-zA-Z0-9]{3,24}; "\x24{VAULT}" is a placeholder that was not replaced'],
    ['éé', 'must match [-a-zA-Z0-9]{3,24}'],
    ['xn--a', 'no host can have this name'],
  ])('%s', (keyvaultName, rule) => {
    expect(firstError({ keyvaultName })).toBe(
      `failed to mount objects, error: failed to get vault: Invalid vault name: "${keyvaultName}", ${rule}`,
    );
  });

  it.each(['abc', 'A-1', '---', 'x'.repeat(24)])('may be %s', (keyvaultName) => {
    expect(read({ ...CLASSIC, keyvaultName }).volume?.vaultName).toBe(keyvaultName);
  });

  it('is looked at after the objects, as upstream does', () => {
    const { errors } = read({ ...CLASSIC, keyvaultName: 'ab', objects: 'array: [' });
    expect(errors.map((text) => text.slice(0, 20))).toEqual(['failed to yaml unmar', 'failed to get vault:']);
  });
});

describe('booleans are Go’s', () => {
  it.each(['1', 't', 'T', 'TRUE', 'true', 'True'])('%s is true', (word) => {
    expect(read({ ...CLASSIC, useVMManagedIdentity: word }).volume?.identity.kind).toBe('managed-identity');
  });

  it.each(['0', 'f', 'F', 'FALSE', 'false', 'False', '', ' '])('%j is false', (word) => {
    expect(read({ ...CLASSIC, useVMManagedIdentity: word }).volume?.identity.kind).toBe('service-principal');
  });

  it.each(
    ['usePodIdentity', 'useVMManagedIdentity', 'useAzureTokenProxy'].flatMap((name) =>
      ['yes', 'tru', 'TrUe', 'on', '2'].map((word) => [name, word] as const),
    ),
  )('%s: %s is neither', (name, word) => {
    expect(firstError({ [name]: word })).toContain(
      `failed to mount objects, error: failed to parse ${name} flag, error: strconv.ParseBool: parsing "${word}": invalid syntax`,
    );
  });
});

describe('identity modes', () => {
  it.each([
    ['usePodIdentity', 'useVMManagedIdentity'],
    ['usePodIdentity', 'useAzureTokenProxy'],
    ['useVMManagedIdentity', 'useAzureTokenProxy'],
  ])('%s excludes %s', (a, b) => {
    expect(firstError({ [a]: 'true', [b]: '1', clientID: 'c' })).toContain(
      'only one identity mode can be enabled at a time: usePodIdentity, useVMManagedIdentity, or useAzureTokenProxy',
    );
  });

  it('names a clientID that has no meaning with useVMManagedIdentity', () => {
    const { volume, warnings } = read({ ...CLASSIC, useVMManagedIdentity: 'true', clientID: 'c' });
    expect(volume?.identity).toEqual({ kind: 'managed-identity', clientId: '' });
    expect(warnings).toEqual([expect.stringContaining('userAssignedIdentityID')]);
  });

  it('takes userAssignedIdentityID', () => {
    const { volume, warnings } = read({
      ...CLASSIC,
      useVMManagedIdentity: 'true',
      userAssignedIdentityID: ` ${TENANT} `,
      clientID: 'c',
    });
    expect(volume?.identity).toEqual({ kind: 'managed-identity', clientId: TENANT });
    expect(warnings).toEqual([]);
  });
});

describe('unknown parameters', () => {
  it.each([
    ['keyvaultName', 'keyVaultName'],
    ['tenantID', 'tenantid'],
    ['objects', 'object'],
  ])('one that may mean a missing %s is reported once, with its own line', (name, typo) => {
    const { [name as keyof typeof CLASSIC]: value, ...others } = CLASSIC;
    const attributes = parseAttributes(JSON.stringify({ ...others, [typo]: value }));
    const { findings } = parseParameters(attributes, { defaults: DEFAULTS, lines: new Map([[typo, 7]]) });
    expect(findings.all).toEqual([
      expect.objectContaining({
        path: name,
        line: 7,
        message: expect.stringContaining(`did you mean it by "${typo}"?`),
      }),
    ]);
  });

  it.each([
    ['nonsense', 'parameter "nonsense" is unknown and ignored'],
    ['tenantid', 'parameter "tenantid" is unknown and ignored; did you mean "tenantID"?'],
    ['KeyVaultName', 'parameter "KeyVaultName" is unknown and ignored; did you mean "keyvaultName"?'],
    ['keyvault', 'parameter "keyvault" is unknown and ignored; did you mean "keyVault"?'],
    ['filePermission', 'parameter "filePermission" has a meaning only next to keyVault; it is ignored'],
  ])('%s is noted', (name, note) => {
    const { volume, notes } = read({ ...CLASSIC, [name]: 'x' });
    expect(volume).toBeDefined();
    expect(notes).toEqual([note]);
  });

  it.each([
    'resourceGroup',
    'subscriptionId',
    'secretProviderClass',
    'example.com/mine',
    'csi.storage.k8s.io/ephemeral',
    'providerName',
  ])('%s is ignored in silence', (name) => expect(read({ ...CLASSIC, [name]: 'x' }).notes).toEqual([]));

  it.each([
    ['keyVaultName', 'keyvaultName', 'keyvaultName is not provided'],
    ['keyvaultname', 'keyvaultName', 'keyvaultName is not provided'],
    ['tenantid', 'tenantID', 'tenantId is not provided'],
    ['Objects', 'objects', 'objects is not set'],
    ['object', 'objects', 'objects is not set'],
  ])('%s instead of %s is named in the error', (typo, name, text) => {
    const message = firstError({ [name]: undefined, [typo]: 'x' });
    expect(message).toContain(text);
    expect(message).toContain(`did you mean it by "${typo}"?`);
  });

  // If each were compared with all others, or with all known ones, this would take minutes.
  it.each<[string, (parameters: ReadonlyMap<string, string>) => readonly { readonly message: string }[]]>([
    ['in the classic form', unknownInClassic],
    ['next to keyVault', (parameters) => unknownBesideKeyVault(parameters, [])],
  ])('of many, the first hundred are compared with known ones: %s', (_, unknownIn) => {
    const names = Array.from({ length: 20_000 }, (_, i) => `objectVersionHistor${i}`);
    const found = unknownIn(new Map(names.map((name) => [name, 'x'])));
    expect(found).toHaveLength(names.length);
    expect(found.at(-1)?.message).toContain(`parameter "${names.at(-1)}" is unknown`);
  });

  it('do not say what their value is', () => {
    expect(JSON.stringify(read({ ...CLASSIC, clientSecret: 'hunter2' }).notes)).not.toContain('hunter2');
  });
});

describe('the keyVault form beside other parameters', () => {
  it.each([['keyvaultName'], ['objects']])('%s is an error naming both', (name) => {
    const { errors } = read({ keyVault: KEY_VAULT, [name]: name === 'objects' ? OBJECTS : 'kv1' });
    expect(errors).toEqual([
      `keyVault and ${name} are two forms of the same thing; remove ${name}, or remove keyVault`,
    ]);
  });

  it.each([
    [
      'tenantID',
      'next to keyVault only fileLayout, certificateUse, fileName, filePermission, templates, maxAge, validity, fallbackVaults, cloudName, cloudEnvFileName are allowed',
    ],
    ['usePodIdentity', 'next to keyVault only'],
    ['filelayout', 'did you mean "fileLayout"?'],
    ['fileNmae', 'did you mean "fileName"?'],
    ['nonsense', 'next to keyVault only'],
  ])('%s is refused', (name, hint) => {
    const { errors } = read({ keyVault: KEY_VAULT, [name]: 'x' });
    expect(errors).toEqual([expect.stringContaining(`parameter "${name}" is unknown; ${hint}`)]);
  });

  it.each([
    ['fileLayout', 'nginx', 'fileLayout "nginx" must be "tls"'],
    ['certificateUse', 'both', 'certificateUse "both" must be "server" or "client"'],
    ['fileName', '../x', "fileName is not a usable path: file name must not contain '..'"],
    ['fileName', 'a//b', 'fileName is not a usable path'],
    ['filePermission', '0999', 'file permission must be a valid octal number'],
    ['cloudName', 'Moon', 'cloudName moon is not valid'],
  ])('%s: %s is refused', (name, value, text) => {
    const { errors } = read({ keyVault: KEY_VAULT, [name]: value });
    expect(errors).toHaveLength(1);
    expect(errors[0]?.toLowerCase()).toContain(text.toLowerCase());
  });

  it('notes a fileName that nothing uses', () => {
    const keyVault = KEY_VAULT.replace('vaultSecret', 'vaultCert');
    expect(read({ keyVault, fileName: 'x' }).notes).toEqual([
      expect.stringContaining('fileName is the file of vaultSecret'),
    ]);
  });

  it('notes a certificateUse that nothing uses', () => {
    const use = { certificateUse: 'client' };
    expect(read({ keyVault: KEY_VAULT, ...use }).notes).toEqual([
      expect.stringContaining('certificateUse has no meaning'),
    ]);
    expect(read({ keyVault: KEY_VAULT.replace('vaultSecret', 'vaultCert'), ...use }).notes).toEqual([]);
  });

  it('notes a fileLayout that nothing uses', () => {
    const note = 'fileLayout names the files of vaultCert and vaultCaChainCert; vaultSecret is one file';
    expect(read({ keyVault: KEY_VAULT, fileLayout: 'client' }).notes).toEqual([expect.stringContaining(note)]);
    for (const field of ['vaultCert', 'vaultCaChainCert'])
      expect(read({ keyVault: KEY_VAULT.replace('vaultSecret', field), fileLayout: 'client' }).notes).toEqual([]);
  });

  it('reports all mistakes at once', () => {
    const { error } = read({
      keyVault: KEY_VAULT.replace('name: kv1', 'nmae: k_v').replace('vaultSecret', 'vaultSecert'),
      objects: OBJECTS,
      fileLayout: 'x',
      filePermission: 'x',
      tenantID: TENANT,
    });
    expect(error?.message).toContain('[first of 8 mistakes]');
  });
});

describe('cloudEnvFileName', () => {
  it('is noted where no cloud file is read', () => {
    expect(read({ ...CLASSIC, cloudEnvFileName: '/etc/cloud.json' }).notes).toEqual([
      'cloudEnvFileName is read only with cloudName AzureStackCloud',
    ]);
  });
});
