import { quote } from '../base/words.ts';

/** Of DNS: characters of one label, and of a name less a vault's own and its dot. */
const MAX_LABEL = 63;
const MAX_SUFFIX = 253 - 25;
const MAX_PORT = 65_535;
const MAX_ADDRESS = 500;

/** What is wrong with the name of a vault, in the official provider's words; undefined where it can be one. */
export function vaultNameProblem(name: string): string | undefined {
  const problem = vaultNameRule(name);
  const only = problem === undefined ? undefined : vaultInAddress(name);
  return only === undefined ? problem : `${problem}; give only its name: ${only}`;
}

/** The vault's name in its URL, host or resource ID. */
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
  // Such a name stands for other characters, which no vault has, and not every version of Node takes it in a URL.
  if (/^xn--/i.test(name)) return `Invalid vault name: ${quote(name)}, no host can have this name`;
  return undefined;
}

/**
 * What is wrong with what follows a vault's name in its host, such as `vault.azure.net` or `vault.localhost:8443`;
 * undefined where it can.
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

/** What is wrong with the address of a service; undefined where it is an https URL with nothing but a host and a path. */
export function httpsUrlProblem(text: string): string | undefined {
  if (!URL.canParse(text) || new URL(text).protocol !== 'https:') return 'must be an https URL';
  const { username, password, search, hash, port } = new URL(text);
  if (username !== '' || password !== '') return 'must be an https URL without user name and password';
  if (search !== '' || hash !== '' || /[?#]/.test(text)) return 'must be an https URL without "?" and "#"';
  return port === '0' ? 'must be an https URL whose port is not 0' : undefined;
}

/** What is wrong with a tenant ID; undefined where it can be one. */
export function tenantProblem(tenantId: string): string | undefined {
  if (/^[-A-Za-z0-9.]+$/.test(tenantId) && /[A-Za-z0-9]/.test(tenantId)) return undefined;
  return `tenant ID ${quote(tenantId)} must be a GUID or a domain name: letters, digits, "." and "-"`;
}

/** What is wrong with the name of a secret, key or certificate; undefined where Key Vault can hold one. */
export function objectNameProblem(name: string): string | undefined {
  if (/^[-A-Za-z0-9]{1,127}$/.test(name)) return undefined;
  return `${quote(name)} cannot be the name of a Key Vault object: 1 to 127 letters, digits and hyphens`;
}

/** What is wrong with a text that becomes a part of a URL's path; undefined where it stays one, whatever is in it. */
export function pathPartProblem(text: string): string | undefined {
  if (text !== '.' && text !== '..' && !/[\p{Cc}\p{Cs}]/u.test(text)) return undefined;
  return `${quote(text)} can be neither name nor version of a Key Vault object`;
}
