/**
 * Resolves the name of an Azure cloud to its login host and the domain of its vaults. Called by the reader of
 * parameters. Refuses unknown names, and cloud files whose vault domain is not below the resource of the tokens.
 */

import { ProviderError } from '../base/errors.ts';
import { isJsonObject, type JsonLimits, parseJson } from '../base/json.ts';
import { clip, quote } from '../base/words.ts';
import { httpsUrlProblem, vaultSuffixProblem } from './names.ts';

/** The hosts of one Azure cloud: its login and its vaults. */
export interface Cloud {
  readonly name: string;
  /** Entra authority, `https`, with a trailing slash. */
  readonly authorityHost: string;
  /** The part of a vault's host behind its name, such as `vault.azure.net`; it may have a port. */
  readonly vaultSuffix: string;
  /** Resource that tokens are requested for, without a trailing slash; the scope is this plus `/.default`. */
  readonly vaultResource: string;
  /** True for clouds described by a file: no public host may be asked on their behalf. */
  readonly custom: boolean;
}

/** The name of every cloud that a file describes. */
const CUSTOM = 'AzureStackCloud';

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

/** Valid values of `cloudName`; case is ignored. */
export const CLOUD_NAMES: readonly string[] = [
  ...new Set(Object.values(BY_NAME).map(({ name }) => name)),
  'AzureCloud',
  'AzureUSGovernment',
  CUSTOM,
];

/** The file that describes a custom cloud: its text and its name in messages, or why it cannot be read. */
export type CloudFile = { readonly name: string; readonly text: string } | { readonly problem: string };

/** Limits of a cloud file; the files of Azure have about forty entries. */
const FILE_LIMITS: JsonLimits = { bytes: 64 * 1024, entries: 500, depth: 16 };

/**
 * Reads the file of a custom cloud by its `cloudEnvFileName`; an empty name means the file of
 * `AZURE_ENVIRONMENT_FILEPATH`.
 */
export type ReadCloudFile = (name: string) => Promise<CloudFile>;

/**
 * Returns the `cloudEnvFileName` of parameters whose cloud is described by a file; empty if they name no file. Returns
 * undefined if the cloud is a known one, or not named: then no file is read.
 */
export function cloudFileNamed(parameters: ReadonlyMap<string, string>, defaultCloud: string): string | undefined {
  const isCustom = sameWord(parameters.get('cloudName') || defaultCloud, CUSTOM);
  return isCustom ? (parameters.get('cloudEnvFileName') ?? '') : undefined;
}

/**
 * Returns the cloud of a name. `AzureStackCloud` is described by its file, so two mounts with two files share nothing.
 * Throws: ERR_BAD_PARAMETERS, worded like the official provider's.
 */
export function resolveCloud(name: string, file: CloudFile | undefined): Cloud {
  const upper = name.toUpperCase();
  const cloud = BY_NAME[upper];
  if (cloud !== undefined) return cloud;
  const fail = (reason: string) =>
    new ProviderError('ERR_BAD_PARAMETERS', `cloudName ${clip(name)} is not valid, error: ${reason}`);
  if (!sameWord(name, CUSTOM)) {
    const reason = `There is no cloud environment matching the name ${quote(upper)}`;
    throw fail(`autorest/azure: ${reason}; use one of ${CLOUD_NAMES.join(', ')}`);
  }
  if (file === undefined) throw fail('its file was not read');
  if ('problem' in file) throw fail(file.problem);
  return parseCloudFile(file.text, (reason) => fail(`${clip(file.name)}: ${reason}`));
}

function parseCloudFile(text: string, fail: (reason: string) => ProviderError): Cloud {
  const parsed = parseJson(text.replace(/^\uFEFF/, ''), FILE_LIMITS);
  if (!parsed.ok) throw fail(`is not JSON that can be read: ${parsed.reason}`);
  const fields = parsed.value;
  if (!isJsonObject(fields)) throw fail('is not a JSON object');
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
  if (!resourceCovers(vaultResource, `https://kv.${vaultSuffix}`)) {
    const rule = 'keyVaultDNSSuffix must be the host of keyVaultEndpoint or lie below it';
    throw fail(`${rule}, or tokens for one would be sent to the other; correct one of them`);
  }
  return { name: CUSTOM, authorityHost, vaultSuffix, vaultResource, custom: true };
}

/**
 * Returns true if a token for the resource is valid for the vault. By a rule of the SDK, the host of the vault must be
 * below the host of the resource. A resource is a plain HTTPS URL: Entra reads it as a text, so that a longer one could
 * mean another resource.
 */
export function resourceCovers(resource: string, vaultUrl: string): boolean {
  if (!/^https:\/\/[\w.-]+(:\d+)?(\/[\w.-]*)*$/.test(resource) || !URL.canParse(resource)) return false;
  return new URL(vaultUrl).hostname.endsWith(`.${new URL(resource).hostname}`);
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
