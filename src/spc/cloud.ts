import { ProviderError } from '../base/errors.ts';
import { type JsonLimits, parseJson } from '../base/json.ts';
import { clip, quote } from '../base/words.ts';
import { httpsUrlProblem, vaultSuffixProblem } from './names.ts';

/** Where one Azure cloud keeps its login and its vaults. */
export interface Cloud {
  readonly name: string;
  /** Entra authority, `https`, with a trailing slash. */
  readonly authorityHost: string;
  /** What follows the vault's name in its host, such as `vault.azure.net`; may carry a port. */
  readonly vaultSuffix: string;
  /** Resource that tokens are asked for, without a trailing slash; the scope is this plus `/.default`. */
  readonly vaultResource: string;
  /** True for clouds described by a file: no public host may be asked on their behalf. */
  readonly custom: boolean;
}

const PUBLIC = wellKnown('AzurePublicCloud', 'https://login.microsoftonline.com/', 'vault.azure.net');
const US_GOVERNMENT = wellKnown(
  'AzureUSGovernmentCloud',
  'https://login.microsoftonline.us/',
  'vault.usgovcloudapi.net',
);
const CHINA = wellKnown('AzureChinaCloud', 'https://login.chinacloudapi.cn/', 'vault.azure.cn');
const GERMAN = wellKnown('AzureGermanCloud', 'https://login.microsoftonline.de/', 'vault.microsoftazure.de');

const BY_NAME: Readonly<Record<string, Cloud>> = {
  AZUREPUBLICCLOUD: PUBLIC,
  AZURECLOUD: PUBLIC,
  AZUREUSGOVERNMENTCLOUD: US_GOVERNMENT,
  AZUREUSGOVERNMENT: US_GOVERNMENT,
  AZURECHINACLOUD: CHINA,
  AZUREGERMANCLOUD: GERMAN,
};

/** Names that `cloudName` takes, case ignored. */
export const CLOUD_NAMES: readonly string[] = [
  ...new Set(Object.values(BY_NAME).map(({ name }) => name)),
  'AzureCloud',
  'AzureUSGovernment',
  'AzureStackCloud',
];

const READ_ERRORS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or directory',
  EACCES: 'permission denied',
  EISDIR: 'is a directory',
  ENOTDIR: 'not a directory',
  ENAMETOOLONG: 'file name too long',
};

/** Azure's own have about forty entries. */
const FILE_LIMITS: JsonLimits = { bytes: 64 * 1024, entries: 500, depth: 16 };

/** Where a cloud's description comes from. */
export interface CloudSource {
  /** `cloudName`, or the program's default. */
  readonly name: string;
  /** `cloudEnvFileName`, or the program's `AZURE_ENVIRONMENT_FILEPATH`; empty where there is none. */
  readonly file: string;
  /** Reads a text file; throws what `node:fs` throws. */
  readonly readFile: (path: string) => string;
}

/**
 * The cloud of a name. `AzureStackCloud` is read from its file, anew each time, so that two mounts with two files
 * never meet.
 * Errors: ERR_BAD_PARAMETERS, worded like the official provider's.
 */
export function resolveCloud({ name, file, readFile }: CloudSource): Cloud {
  const upper = name.toUpperCase();
  const cloud = BY_NAME[upper];
  if (cloud !== undefined) return cloud;
  const fail = (reason: string) =>
    new ProviderError('ERR_BAD_PARAMETERS', `cloudName ${clip(name)} is not valid, error: ${reason}`);
  if (upper !== 'AZURESTACKCLOUD') {
    const reason = `There is no cloud environment matching the name ${quote(upper)}`;
    throw fail(`autorest/azure: ${reason}; use one of ${CLOUD_NAMES.join(', ')}`);
  }
  if (file === '') {
    throw fail('it needs cloudEnvFileName, or AZURE_ENVIRONMENT_FILEPATH in the environment of the provider');
  }
  let text: string;
  try {
    text = readFile(file);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'it cannot be read';
    throw fail(`open ${clip(file)}: ${READ_ERRORS[code] ?? code}`);
  }
  return parseCloudFile(text, (reason) => fail(`${file}: ${reason}`));
}

function parseCloudFile(text: string, fail: (reason: string) => ProviderError): Cloud {
  const parsed = parseJson(text.replace(/^\uFEFF/, ''), FILE_LIMITS);
  if (!parsed.ok) throw fail(`is not JSON that can be read: ${parsed.reason}`);
  const fields = parsed.value;
  if (typeof fields !== 'object' || fields === null || Array.isArray(fields)) throw fail('is not a JSON object');
  const entries: readonly [string, unknown][] = Object.entries(fields);
  const field = (key: string): string => {
    const named = entries.find(([name]) => name === key) ?? entries.find(([name]) => sameWord(name, key));
    return typeof named?.[1] === 'string' ? named[1].trim() : '';
  };
  const check = (name: string, problem: string | undefined) => {
    if (problem !== undefined) throw fail(`${name} ${problem}`);
  };
  const authorityHost = withSlash(field('activeDirectoryEndpoint'));
  check('activeDirectoryEndpoint', httpsUrlProblem(authorityHost));
  const vaultSuffix = field('keyVaultDNSSuffix').replace(/^\.+/, '').replace(/\/+$/, '');
  check('keyVaultDNSSuffix', vaultSuffixProblem(vaultSuffix));
  const vaultResource = (field('keyVaultEndpoint') || `https://${vaultSuffix}`).replace(/\/+$/, '');
  check('keyVaultEndpoint', httpsUrlProblem(vaultResource));
  return { name: 'AzureStackCloud', authorityHost, vaultSuffix, vaultResource, custom: true };
}

function wellKnown(name: string, authorityHost: string, vaultSuffix: string): Cloud {
  return { name, authorityHost, vaultSuffix, vaultResource: `https://${vaultSuffix}`, custom: false };
}

function sameWord(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

function withSlash(url: string): string {
  return url.endsWith('/') ? url : `${url}/`;
}
