import { quote } from '../base/words.ts';

/** What is wrong with the name of a vault, in the official provider's words; undefined where it can be one. */
export function vaultNameProblem(name: string): string | undefined {
  const bytes = Buffer.byteLength(name);
  if (bytes < 3 || bytes > 24) return `Invalid vault name: ${quote(name)}, must be between 3 and 24 chars`;
  if (!/^[-A-Za-z0-9]+$/.test(name)) return `Invalid vault name: ${quote(name)}, must match [-a-zA-Z0-9]{3,24}`;
  return undefined;
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
