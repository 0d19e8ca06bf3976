/**
 * Checks names of vaults, tenants, objects and service addresses. Called by the readers of both forms. Refuses what
 * Azure would refuse, and everything that would change the URL it is put into.
 */

import { quote } from '../base/words.ts';

/** Limits of DNS: characters of one label, and of a whole name without the vault's own label and its dot. */
const MAX_LABEL = 63;
const MAX_SUFFIX = 253 - 25;
const MAX_PORT = 65_535;
const MAX_ADDRESS = 500;

/** Returns the problem of the name of a vault, in the official provider's words, or undefined. */
export function vaultNameProblem(name: string): string | undefined {
  const problem = vaultNameRule(name);
  const only = problem === undefined ? undefined : vaultInAddress(name);
  return only === undefined ? problem : `${problem}; give only its name: ${only}`;
}

/** Returns the vault's name in its URL, host or resource ID. */
function vaultInAddress(text: string): string | undefined {
  if (text.length > MAX_ADDRESS) return undefined;
  const [, ofHost] = /^(?:\w+:)?(?:\/\/)?([-A-Za-z0-9]+)\.[-A-Za-z0-9.]+(?::\d*)?(?:\/.*)?$/.exec(text) ?? [];
  const [, ofResource] = /\/vaults\/([-A-Za-z0-9]+)\/?$/i.exec(text) ?? [];
  const [, ofUrl] = /^https?:\/\/([-A-Za-z0-9]+)\/?$/i.exec(text) ?? [];
  return [ofHost, ofResource, ofUrl].find((name) => name !== undefined && vaultNameRule(name) === undefined);
}

function vaultNameRule(name: string): string | undefined {
  const bytes = Buffer.byteLength(name);
  if (bytes < 3 || bytes > 24) return `Invalid vault name: ${quote(name)}, must be between 3 and 24 chars`;
  if (!/^[-A-Za-z0-9]+$/.test(name)) return `Invalid vault name: ${quote(name)}, must match [-a-zA-Z0-9]{3,24}`;
  // Such a label encodes other characters, which no vault has; some versions of Node refuse it in a URL.
  if (/^xn--/i.test(name)) return `Invalid vault name: ${quote(name)}, no host can have this name`;
  return undefined;
}

/**
 * Returns the problem of the part of a host behind a vault's name, such as `vault.azure.net` or `vault.localhost:8443`,
 * or undefined.
 */
export function vaultSuffixProblem(suffix: string): string | undefined {
  const [host = '', port = '443'] = suffix.split(':');
  const labels = host.split('.');
  if (
    !/^[-A-Za-z0-9.]+(:\d+)?$/.test(suffix) ||
    labels.some((label) => !/^[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?$/.test(label))
  )
    return 'must be a DNS name such as vault.azure.net';
  if (labels.some(({ length }) => length > MAX_LABEL) || host.length > MAX_SUFFIX)
    return `must be a DNS name: at most ${MAX_LABEL} characters between two dots, and ${MAX_SUFFIX} in all`;
  if (Number(port) < 1 || Number(port) > MAX_PORT) return `must have a port from 1 to ${MAX_PORT}, or none`;
  return URL.canParse(`https://kv.${suffix}`) ? undefined : 'must be a DNS name that a URL can have';
}

/** Returns the problem of a service's address, or undefined. Only an https URL with just a host and a path has none. */
export function httpsUrlProblem(text: string): string | undefined {
  if (!URL.canParse(text) || new URL(text).protocol !== 'https:') return 'must be an https URL';
  const { username, password, search, hash, port } = new URL(text);
  if (username !== '' || password !== '') return 'must be an https URL without user name and password';
  if (search !== '' || hash !== '' || /[?#]/.test(text)) return 'must be an https URL without "?" and "#"';
  return port === '0' ? 'must be an https URL whose port is not 0' : undefined;
}

/** Returns the problem of a tenant ID, or undefined. */
export function tenantProblem(tenantId: string): string | undefined {
  if (/^[-A-Za-z0-9.]+$/.test(tenantId) && /[A-Za-z0-9]/.test(tenantId)) return undefined;
  return `tenant ID ${quote(tenantId)} must be a GUID or a domain name: letters, digits, "." and "-"`;
}

/** Returns the problem of the name of a secret, key or certificate, or undefined. */
export function objectNameProblem(name: string): string | undefined {
  if (/^[-A-Za-z0-9]{1,127}$/.test(name)) return undefined;
  return `${quote(name)} cannot be the name of a Key Vault object: 1 to 127 letters, digits and hyphens`;
}

/** Returns the problem of a text that becomes one part of a URL's path, or undefined. */
export function pathPartProblem(text: string): string | undefined {
  if (text !== '.' && text !== '..' && !/[\p{Cc}\p{Cs}]/u.test(text)) return undefined;
  return `${quote(text)} can be neither name nor version of a Key Vault object`;
}
