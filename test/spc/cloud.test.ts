import { describe, expect, it } from 'vitest';
import { CLOUD_NAMES, cloudFileNamed, resolveCloud } from '../../src/spc/cloud.ts';
import { CLASSIC, cloudFileOf, read } from '../support/spc.ts';

function custom(file: unknown, name = 'AzureStackCloud') {
  const text = typeof file === 'string' ? file : JSON.stringify(file);
  return resolveCloud(name, { name: '/etc/cloud.json', text });
}

/** Invalid suffixes of vault names, and the reasons. */
const suffixes = [
  ['vault.x:99999', 'must have a port from 1 to 65535, or none'],
  ['vault.x:0', 'must have a port from 1 to 65535, or none'],
  ['vault.x:', 'must be a DNS name such as'],
  ['vault..x', 'must be a DNS name such as'],
  ['-a.x', 'must be a DNS name such as'],
  ['a.x.', 'must be a DNS name such as'],
  ['a_b.x', 'must be a DNS name such as'],
  ['1', 'must be a DNS name that a URL can have'],
  ['10.0.0.1', 'must be a DNS name that a URL can have'],
  ['a.0x1', 'must be a DNS name that a URL can have'],
  [`${'a'.repeat(64)}.x`, 'must be a DNS name: at most 63 characters between two dots'],
  [`${'a.'.repeat(130)}x`, 'must be a DNS name: at most 63 characters between two dots, and 228 in all'],
] as const;

/** Invalid addresses of services, and the reasons. */
const urls = [
  ['https://l:99999', ''],
  ['https://', ''],
  ['https://a b/', ''],
  ['ftp://l', ''],
  ['https://u:p@l', ' without user name and password'],
  ['https://l/?a=b', ' without "?" and "#"'],
  ['https://l/#a', ' without "?" and "#"'],
  ['https://l:0', ' whose port is not 0'],
] as const;

describe('clouds by name, in any letter case', () => {
  it.each([
    ['AzurePublicCloud', 'https://login.microsoftonline.com/', 'vault.azure.net'],
    ['AzureCloud', 'https://login.microsoftonline.com/', 'vault.azure.net'],
    ['AzureUSGovernmentCloud', 'https://login.microsoftonline.us/', 'vault.usgovcloudapi.net'],
    ['AzureUSGovernment', 'https://login.microsoftonline.us/', 'vault.usgovcloudapi.net'],
    ['AzureChinaCloud', 'https://login.chinacloudapi.cn/', 'vault.azure.cn'],
    ['AzureGermanCloud', 'https://login.microsoftonline.de/', 'vault.microsoftazure.de'],
  ])('%s', (cloudName, authorityHost, vaultSuffix) => {
    for (const name of [cloudName, cloudName.toLowerCase(), ` ${cloudName.toUpperCase()} `]) {
      const { volume } = read({ ...CLASSIC, cloudName: name });
      expect(volume?.cloud).toMatchObject({
        authorityHost,
        vaultSuffix,
        vaultResource: `https://${vaultSuffix}`,
        custom: false,
      });
      expect(volume?.vaultUrl).toBe(`https://kv1.${vaultSuffix}`);
    }
  });

  it('the program’s default is used', () => {
    const { volume } = read(CLASSIC, { defaults: { cloudName: 'AzureChinaCloud' } });
    expect(volume?.cloud.name).toBe('AzureChinaCloud');
  });

  it.each(['Moon', 'constructor', '__proto', 'Azure Public Cloud'])('%s is none', (cloudName) => {
    expect(read({ ...CLASSIC, cloudName }).errors).toEqual([
      `cloudName ${cloudName} is not valid, error: autorest/azure: There is no cloud environment matching the name "${cloudName.toUpperCase()}"; use one of ${CLOUD_NAMES.join(', ')}`,
    ]);
  });
});

describe('a cloud described by a file', () => {
  it('gives the mount its hosts', () => {
    const { volume } = read({ ...CLASSIC, cloudName: 'azurestackcloud' }, { cloudFile: cloudFileOf('a.example') });
    expect(volume?.vaultUrl).toBe('https://kv1.a.example');
  });

  it.each([
    [{ cloudName: 'AzureStackCloud', cloudEnvFileName: 'a.json' }, 'AzurePublicCloud', 'a.json'],
    [{ cloudName: 'AZURESTACKCLOUD' }, 'AzurePublicCloud', ''],
    [{ cloudEnvFileName: 'a.json' }, 'azureStackCloud', 'a.json'],
    [{}, 'AzureStackCloud', ''],
    [{ cloudEnvFileName: 'a.json' }, 'AzurePublicCloud', undefined],
    [{ cloudName: 'AzureChinaCloud', cloudEnvFileName: 'a.json' }, 'AzureStackCloud', undefined],
    [{ cloudName: 'Moon', cloudEnvFileName: 'a.json' }, 'AzureStackCloud', undefined],
  ])('of %j where the default is %s is %j', (parameters, defaultCloud, name) => {
    expect(cloudFileNamed(new Map(Object.entries(parameters)), defaultCloud)).toBe(name);
  });

  it.each([
    [
      'all fields',
      {
        activeDirectoryEndpoint: 'https://login.example/',
        keyVaultEndpoint: 'https://example/',
        keyVaultDNSSuffix: 'vault.example',
      },
      'https://example',
    ],
    [
      'no resource: the suffix is it',
      { activeDirectoryEndpoint: 'https://login.example', keyVaultDNSSuffix: '.vault.example/' },
      'https://vault.example',
    ],
    [
      'names in another case',
      { ActiveDirectoryEndpoint: 'https://login.example', KEYVAULTDNSSUFFIX: 'vault.example' },
      'https://vault.example',
    ],
    [
      'exact names first',
      { KEYVAULTDNSSUFFIX: 'x', keyVaultDNSSuffix: 'vault.example', activeDirectoryEndpoint: 'https://login.example' },
      'https://vault.example',
    ],
    [
      'other fields',
      {
        name: 'x',
        graphEndpoint: 5,
        activeDirectoryEndpoint: 'https://login.example',
        keyVaultDNSSuffix: 'vault.example',
      },
      'https://vault.example',
    ],
  ])('%s', (_, file, vaultResource) => {
    expect(custom(file, 'AZURESTACKCLOUD')).toEqual({
      name: 'AzureStackCloud',
      authorityHost: 'https://login.example/',
      vaultSuffix: 'vault.example',
      vaultResource,
      custom: true,
    });
  });

  it('may carry a port and a byte order mark', () => {
    const file = `\uFEFF${JSON.stringify({ activeDirectoryEndpoint: 'https://l.localhost:8443', keyVaultDNSSuffix: 'vault.localhost:8443' })}`;
    expect(custom(file).vaultSuffix).toBe('vault.localhost:8443');
  });

  it('that cannot be read is an error of the cloud', () => {
    const asked = { cloudFile: { problem: 'cloudEnvFileName "x" is nowhere' } };
    expect(read({ ...CLASSIC, cloudName: 'AzureStackCloud' }, asked).errors).toEqual([
      'cloudName AzureStackCloud is not valid, error: cloudEnvFileName "x" is nowhere',
    ]);
  });

  it.each([
    ['nonsense', 'hunter2', 'is not JSON'],
    ['much text', ' '.repeat(70_000), 'is not JSON that can be read: it has 70000 bytes, more than 65536'],
    ['much in it', `[${'1,'.repeat(600)}1]`, 'is not JSON that can be read: it holds 601 entries, more than 500'],
    ['depth', '['.repeat(300), 'is not JSON that can be read: it nests 300 levels deep, more than 16'],
    ['a list', '[]', 'is not a JSON object'],
    ['null', 'null', 'is not a JSON object'],
    ['no authority', { keyVaultDNSSuffix: 'a' }, 'activeDirectoryEndpoint must be an https URL'],
    [
      'an http authority',
      { activeDirectoryEndpoint: 'http://l', keyVaultDNSSuffix: 'a' },
      'activeDirectoryEndpoint must be an https URL',
    ],
    [
      'a number as authority',
      { activeDirectoryEndpoint: 5, keyVaultDNSSuffix: 'a' },
      'activeDirectoryEndpoint must be an https URL',
    ],
    ['no suffix', { activeDirectoryEndpoint: 'https://l' }, 'keyVaultDNSSuffix must be a DNS name'],
    [
      'a URL as suffix',
      { activeDirectoryEndpoint: 'https://l', keyVaultDNSSuffix: 'https://a' },
      'keyVaultDNSSuffix must be a DNS name',
    ],
    [
      'a path as suffix',
      { activeDirectoryEndpoint: 'https://l', keyVaultDNSSuffix: 'a/b' },
      'keyVaultDNSSuffix must be a DNS name',
    ],
    [
      'a user as suffix',
      { activeDirectoryEndpoint: 'https://l', keyVaultDNSSuffix: 'a@b' },
      'keyVaultDNSSuffix must be a DNS name',
    ],
    [
      'an http resource',
      { activeDirectoryEndpoint: 'https://l', keyVaultDNSSuffix: 'a', keyVaultEndpoint: 'http://a' },
      'keyVaultEndpoint must be an https URL',
    ],
    ...['https://b', 'https://management.core.example', 'https://x.vault.example', 'https://ult.example'].map(
      (url): [string, unknown, string] => [
        `the resource ${url}`,
        { activeDirectoryEndpoint: 'https://l', keyVaultDNSSuffix: 'vault.example', keyVaultEndpoint: url },
        'keyVaultDNSSuffix must be the host of keyVaultEndpoint or lie below it',
      ],
    ),
  ])('%s is refused', (_, file, reason) => {
    expect(() => custom(file)).toThrow(`cloudName AzureStackCloud is not valid, error: /etc/cloud.json: ${reason}`);
    expect(() => custom(file)).not.toThrow('hunter2');
  });

  it.each(suffixes)('the suffix %s %s', (suffix, reason) => {
    const file = { activeDirectoryEndpoint: 'https://l', keyVaultDNSSuffix: suffix };
    expect(() => custom(file)).toThrow(`error: /etc/cloud.json: keyVaultDNSSuffix ${reason}`);
  });

  it.each(urls)('the address %s is refused', (url, reason) => {
    for (const name of ['activeDirectoryEndpoint', 'keyVaultEndpoint']) {
      const file = { activeDirectoryEndpoint: 'https://l', keyVaultDNSSuffix: 'a', [name]: url };
      expect(() => custom(file)).toThrow(`error: /etc/cloud.json: ${name} must be an https URL${reason}`);
    }
  });

  it.each(['vault.x', 'VAULT.x:65535', 'a', 'a-b.c-d', '1a.b', 'xn--bcher-kva.example'])(
    'the suffix %s is taken',
    (suffix) => {
      expect(custom({ activeDirectoryEndpoint: 'https://l', keyVaultDNSSuffix: suffix }).vaultSuffix).toBe(suffix);
    },
  );
});
