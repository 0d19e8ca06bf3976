/**
 * Reads the `vault` field of a `keyVault` field: name, tenant and credentials. Called by the reader of that field.
 * Refuses fields that it does not know, and more than one kind of credentials.
 */

import type { Fields } from './fields.ts';
import { SECRET_MEANING } from './identities/service-principal.ts';
import { CREDENTIAL_FIELDS, type IdentityRequest, rowOf } from './identities/table.ts';
import { tenantProblem, vaultNameProblem } from './names.ts';
import { tenantDoubt } from './placeholder.ts';
import { TENANT_IS_LEARNT } from './tenant.ts';

/** The `vault` field of a `keyVault` field, read. */
export interface VaultField {
  readonly vaultName: string;
  /** The tenant; empty if the field is left out. */
  readonly directoryId: string;
  readonly identity: IdentityRequest;
}

/** Names of the fields of `vault`. */
export const VAULT_FIELDS = ['name', 'directoryId', 'credentials'] as const;
const KNOWN_FIELDS: readonly string[] = VAULT_FIELDS;
/** Names of the fields of `credentials`. */
export const CREDENTIAL_KINDS: readonly string[] = CREDENTIAL_FIELDS.map(({ field }) => field);
const DIRECTORY_MEANING = 'the Microsoft Entra tenant ID (directory ID) of the Key Vault';

/** Reads which vault, and with whose credentials. */
export function parseVault(keyVault: Fields): VaultField {
  const vault = keyVault.map('vault');
  if (vault === undefined) {
    if (!keyVault.has('vault'))
      keyVault.error('vault', 'is required: it names the Key Vault, its directory and the credentials');
    // An identity that asks for no credentials: what is missing is missing once.
    return { vaultName: '', directoryId: '', identity: { kind: 'pod-identity' } };
  }
  vault.onlyKnown(VAULT_FIELDS, 'error');
  const vaultName = vault.filledIn('name', 'the name of the Key Vault', vaultNameProblem);
  const directoryId = directoryIdOf(vault);
  const identity = parseCredentials(vault);
  const isMisspelt = vault.names.some((name) => !KNOWN_FIELDS.includes(name));
  if (!vault.has('directoryId') && !isMisspelt && rowOf(identity).needsTenant)
    vault.note('directoryId', TENANT_IS_LEARNT);
  return { vaultName, directoryId, identity };
}

function parseCredentials(vault: Fields): IdentityRequest {
  const none: IdentityRequest = { kind: 'service-principal', secretName: '' };
  const credentials = vault.map('credentials');
  if (credentials === undefined) {
    if (!vault.has('credentials'))
      vault.error('credentials', `is required: set servicePrincipalLocalSecretName to ${SECRET_MEANING}`);
    return none;
  }
  credentials.onlyKnown(CREDENTIAL_KINDS, 'error');
  const [first, ...others] = CREDENTIAL_FIELDS.filter(({ field }) => credentials.has(field));
  if (first === undefined) {
    vault.error('credentials', `must hold one of ${CREDENTIAL_KINDS.join(', ')}`);
    return none;
  }
  if (others.length > 0) {
    const given = [first, ...others].map(({ field }) => field);
    vault.error('credentials', `must hold only one of ${given.join(' and ')}`);
  }
  return first.read(credentials);
}

function directoryIdOf(vault: Fields): string {
  if (!vault.has('directoryId')) return '';
  const text = vault.filledIn('directoryId', DIRECTORY_MEANING, tenantProblem);
  const doubt = tenantDoubt(text);
  if (doubt !== undefined) vault.warning('directoryId', doubt);
  return text;
}
