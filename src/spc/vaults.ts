/**
 * Reads the vaults of a volume besides its own: `vault` of an object. Called by the readers of objects in both forms and
 * by `parameters.ts`. Refuses names that no vault has, and more vaults than a volume may have.
 */

import type { Cloud } from './cloud.ts';
import type { Fields } from './fields.ts';
import type { ObjectSpec, ObjectVault } from './model.ts';
import { tenantProblem, vaultNameProblem } from './names.ts';

/** The name of the field of an object. */
export const VAULT_FIELD = 'vault';

/** Vaults of one volume, with its own. */
const MAX_VAULTS = 10;
const MEANING = 'the name of the Key Vault that holds the object';

/** The name of the field of a tenant, in the classic form and in the `keyVault` form. */
type TenantField = 'tenantID' | 'directoryId';

/** Returns the origin of a vault. */
export function vaultUrlOf(name: string, { vaultSuffix }: Pick<Cloud, 'vaultSuffix'>): string {
  return `https://${name}.${vaultSuffix}`;
}

/** Returns the vault that an object names; undefined if it names none. */
export function parseObjectVault(fields: Fields, tenantField: TenantField): ObjectVault | undefined {
  if (!fields.has(VAULT_FIELD)) return undefined;
  if (fields.value(VAULT_FIELD)?.kind !== 'map')
    return { name: fields.filledIn(VAULT_FIELD, MEANING, vaultNameProblem), tenantId: '' };
  const vault = fields.map(VAULT_FIELD);
  if (vault === undefined) return undefined;
  vault.onlyKnown(['name', tenantField], 'error');
  const name = vault.filledIn('name', MEANING, vaultNameProblem);
  const meaning = 'the Microsoft Entra tenant ID of this Key Vault; leave it out for that of the volume';
  const tenantId = vault.has(tenantField) ? vault.filledIn(tenantField, meaning, tenantProblem) : '';
  return { name, tenantId };
}

/** The vault of a volume itself. */
export interface OwnVault {
  readonly vaultName: string;
  readonly tenantId: string;
}

/** Returns the objects, without the vaults that are the volume's own. */
export function withoutOwnVault(objects: readonly ObjectSpec[], own: OwnVault): readonly ObjectSpec[] {
  if (objects.every(({ vault }) => vault === undefined)) return objects;
  const isOwn = ({ name, tenantId }: ObjectVault) =>
    isSame(name, own.vaultName) && (tenantId === '' || isSame(tenantId, own.tenantId));
  return objects.map((object) =>
    object.vault !== undefined && isOwn(object.vault) ? { ...object, vault: undefined } : object,
  );
}

/** Returns the problem of the vaults of a volume, or undefined. */
export function vaultsProblem(objects: readonly ObjectSpec[], { vaultName }: OwnVault): string | undefined {
  const names = new Set(
    [vaultName, ...objects.flatMap(({ vault }) => vault?.name ?? [])].map((name) => name.toLowerCase()),
  );
  return names.size > MAX_VAULTS
    ? `the objects are in ${names.size} vaults, more than ${MAX_VAULTS}; spread them over several SecretProviderClasses`
    : undefined;
}

/** Returns a warning about tenants that have no effect; undefined if the identity logs in at them. */
export function tenantsWithoutEffect(objects: readonly ObjectSpec[], needsTenant: boolean): string | undefined {
  const named = needsTenant ? undefined : objects.find(({ vault }) => (vault?.tenantId ?? '') !== '')?.vault;
  return named === undefined
    ? undefined
    : `the tenant of vault "${named.name}" is not logged in at: the identity of this volume has one tenant of its own`;
}

function isSame(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}
