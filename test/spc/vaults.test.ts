import { describe, expect, it } from 'vitest';
import { block, CLASSIC, classicWith, type Fields, keyVaultWith, read, TENANT, VAULT } from '../support/spc.ts';

const OTHER = '7c9e6679-7425-40de-944b-e07fc1f90ae7';

describe.each([
  ['classic', classicWith, 'objects[0]', 'tenantID', 'directoryId'],
  ['keyVault', keyVaultWith, 'keyVault.vaultSecret', 'directoryId', 'tenantID'],
])('the vault of an object in the %s form', (_, parametersOf, place, tenant, foreign) => {
  it.each<[Fields, object | undefined]>([
    [{}, undefined],
    [{ vault: 'kv2' }, { name: 'kv2', tenantId: '', fallbackVaults: [] }],
    [{ vault: { name: 'kv2' } }, { name: 'kv2', tenantId: '', fallbackVaults: [] }],
    [
      { vault: { name: 'kv2', fallbackVaults: ['kv3', 'kv4'] } },
      { name: 'kv2', tenantId: '', fallbackVaults: ['kv3', 'kv4'] },
    ],
    [
      { vault: { name: 'kv2', fallbackVaults: 'kv3, kv1' } },
      { name: 'kv2', tenantId: '', fallbackVaults: ['kv3', 'kv1'] },
    ],
    [{ vault: { name: 'kv2', [tenant]: OTHER } }, { name: 'kv2', tenantId: OTHER, fallbackVaults: [] }],
    [{ vault: 'KV1' }, undefined],
    [{ vault: { name: 'kv1', [tenant]: TENANT.toUpperCase() } }, undefined],
    [{ vault: { name: 'kv1', [tenant]: OTHER } }, { name: 'kv1', tenantId: OTHER, fallbackVaults: [] }],
  ])('%j', (fields, expected) => {
    const { volume, errors } = read(parametersOf(fields));
    expect(errors).toEqual([]);
    expect(volume?.objects.map(({ vault }) => vault)).toEqual([expected]);
  });

  it.each<[unknown, string]>([
    ['', 'vault is required: it is the name of the Key Vault that holds the object'],
    [['kv2'], 'vault must be text, not a list'],
    ['<vault>', 'vault is still the placeholder "<vault>"'],
    ['kv2.vault.azure.net', 'vault is wrong: Invalid vault name: "kv2.vault.azure.net", must match'],
    ['a/b', 'vault is wrong: Invalid vault name: "a/b", must match'],
    [{ [tenant]: OTHER }, 'vault.name is required'],
    [{ name: 'kv2', [tenant]: 'a b' }, `vault.${tenant} is wrong: tenant ID "a b" must be a GUID or a domain name`],
    [{ name: 'kv2', [foreign]: OTHER }, `vault.${foreign} is unknown`],
    [{ name: 'kv2', credentials: {} }, 'vault.credentials is unknown'],
    [{ name: 'kv2', fallbackVaults: ['KV2'] }, 'vault.fallbackVaults names "KV2", which is the vault itself'],
    [{ name: 'kv2', fallbackVaults: 'kv3 kv3' }, 'vault.fallbackVaults names "kv3", which is there twice; remove it'],
    [{ name: 'kv2', fallbackVaults: [{}] }, 'vault.fallbackVaults is wrong: Invalid vault name: ""'],
    [{ name: 'kv2', fallbackVaults: {} }, 'vault.fallbackVaults must be text, not a map'],
  ])('%j is refused', (vault, text) => {
    expect(read(parametersOf({ vault })).errors).toEqual([expect.stringContaining(`${place}.${text}`)]);
  });
});

describe('the vaults of a volume', () => {
  const item = (name: string, vault: string) => `objectName: ${name}\nobjectType: secret\nvault: ${vault}`;
  it('are ten at most', () => {
    const objects = (count: number) =>
      block(...Array.from({ length: count }, (_, i) => item(`s${i}`, `kv${i + 2}`)), item('again', 'KV2'));
    expect(read({ ...CLASSIC, objects: objects(9) }).errors).toEqual([]);
    expect(read({ ...CLASSIC, objects: objects(10) }).errors).toEqual([
      'objects: names 11 vaults, with fallback vaults, more than 10; spread the objects over several SecretProviderClasses',
    ]);
  });

  it.each<[string, readonly string[] | undefined]>([
    ['kv2', ['kv2']],
    [' kv2,kv3 ', ['kv2', 'kv3']],
    ['kv2\nkv3', ['kv2', 'kv3']],
    ['', undefined],
  ])('may have fallback vaults for the own one: %j', (fallbackVaults, expected) => {
    const { volume, errors } = read({ ...CLASSIC, fallbackVaults });
    expect(errors).toEqual([]);
    expect(volume?.fallbackVaults).toEqual(expected);
    const keyVault = JSON.stringify({ vault: VAULT, vaultSecret: { name: 'a' } });
    expect(read({ keyVault, fallbackVaults }).volume?.fallbackVaults).toEqual(expected);
  });

  it.each([
    ['kv1', 'names "kv1", which is the vault itself; remove it'],
    ['kv2,KV2', 'names "KV2", which is there twice; remove it'],
    [
      'kv2.vault.azure.net',
      'is wrong: Invalid vault name: "kv2.vault.azure.net", must match [-a-zA-Z0-9]{3,24}; give only',
    ],
    ['kv2,kv3,kv4,kv5,kv6,kv7', 'names 6 vaults, more than 5; remove some'],
  ])('refuse the fallback vaults %j', (fallbackVaults, text) => {
    expect(read({ ...CLASSIC, fallbackVaults }).errors).toEqual([expect.stringContaining(`fallbackVaults ${text}`)]);
  });

  it('have fallback vaults in one place', () => {
    const objects = block(item('a', '{name: kv1, fallbackVaults: [kv2]}'));
    expect(read({ ...CLASSIC, objects }).errors).toEqual([
      `objects: vault "kv1" is the volume's own, whose fallback vaults are the parameter fallbackVaults; name them there`,
    ]);
  });

  it('may have a tenant for nothing, which is a warning', () => {
    const objects = block(item('a', `{name: kv2, tenantID: ${OTHER}}`));
    const { warnings, errors } = read({ ...CLASSIC, objects, useVMManagedIdentity: 'true' });
    expect([errors, warnings]).toEqual([
      [],
      ['objects: the tenant of vault "kv2" is not logged in at: the identity of this volume has one tenant of its own'],
    ]);
    expect(read({ ...CLASSIC, objects }).warnings).toEqual([]);
  });

  it('may have passwords, those of the same vault first', () => {
    const pfx = item('web', 'kv2\nfiles: {pfx: a.pfx}\npasswordFrom: pw');
    const { volume, errors } = read({
      ...CLASSIC,
      objects: block(item('pw', 'kv3'), item('pw', 'kv2\nobjectAlias: other'), pfx),
    });
    expect(errors).toEqual([]);
    expect(volume?.objects[2]?.content).toMatchObject({ passwordFrom: 1 });
  });
});
