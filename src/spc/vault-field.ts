import type { Fields } from './fields.ts';
import type { IdentityRequest } from './identity.ts';
import { subdomainProblem } from './kubernetes-names.ts';
import { tenantProblem, vaultNameProblem } from './names.ts';
import { clientIdDoubt, placeholderIn, tenantDoubt } from './placeholder.ts';

/** The `vault` field of a `keyVault` field, read. */
export interface VaultField {
  readonly vaultName: string;
  /** The tenant. */
  readonly directoryId: string;
  readonly identity: IdentityRequest;
}

/** Names of the fields of `vault`. */
export const VAULT_FIELDS = ['name', 'directoryId', 'credentials'] as const;
/** Names of the fields of `credentials`. */
export const CREDENTIAL_KINDS = ['servicePrincipalLocalSecretName', 'workloadIdentity', 'managedIdentity'] as const;
const SECRET_MEANING = 'the name of the Secret with clientid and clientsecret';
const DIRECTORY_MEANING = 'the Microsoft Entra tenant ID (directory ID) of the Key Vault';
const FEDERATED_MEANING = 'the client ID of the identity that is federated with the service account';
const MANAGED_MEANING = 'the client ID of a user-assigned identity; leave it out for the system-assigned one';

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
  return {
    vaultName: vault.filledIn('name', 'the name of the Key Vault', vaultNameProblem),
    directoryId: directoryIdOf(vault),
    identity: parseCredentials(vault),
  };
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
  const given = CREDENTIAL_KINDS.filter((kind) => credentials.has(kind));
  const [first, second] = given;
  if (second !== undefined) vault.error('credentials', `must hold only one of ${given.join(' and ')}`);
  if (first === undefined) {
    vault.error('credentials', `must hold one of ${CREDENTIAL_KINDS.join(', ')}`);
    return none;
  }
  switch (first) {
    case 'servicePrincipalLocalSecretName':
      return { kind: 'service-principal', secretName: secretNameOf(credentials, first) };
    case 'workloadIdentity': {
      const identity = credentials.map(first);
      identity?.onlyKnown(['clientId'], 'error');
      return { kind: 'workload-identity', clientId: clientIdOf(identity, FEDERATED_MEANING) };
    }
    case 'managedIdentity':
      return { kind: 'managed-identity', clientId: managedClientId(credentials, first) };
  }
}

function directoryIdOf(vault: Fields): string {
  const text = vault.filledIn('directoryId', DIRECTORY_MEANING, tenantProblem);
  warnOf(vault, 'directoryId', tenantDoubt(text));
  return text;
}

/** The pod's volume names the Secret, so a name that cannot be one hinders no Mount. */
function secretNameOf(credentials: Fields, field: string): string {
  const name = credentials.filledIn(field, SECRET_MEANING);
  if (name !== '' && placeholderIn(name) === undefined) warnOf(credentials, field, subdomainProblem(name));
  return name;
}

function clientIdOf(identity: Fields | undefined, meaning: string): string {
  const text = identity?.filledIn('clientId', meaning) ?? '';
  if (identity !== undefined && text !== '' && placeholderIn(text) === undefined)
    warnOf(identity, 'clientId', clientIdDoubt(text));
  return text;
}

function warnOf(fields: Fields, name: string, doubt: string | undefined): void {
  if (doubt !== undefined) fields.warning(name, doubt);
}

/** Nothing behind the name, or no `clientId` in it: the system-assigned identity. */
function managedClientId(credentials: Fields, name: string): string {
  if (credentials.value(name)?.kind === 'null') return '';
  const identity = credentials.map(name);
  identity?.onlyKnown(['clientId'], 'error');
  return identity?.has('clientId') ? clientIdOf(identity, MANAGED_MEANING) : '';
}
