/**
 * Reads the vaults of a volume besides its own: `vault` of an object, and `fallbackVaults`. Called by the readers of
 * objects in both forms and by `parameters.ts`. Refuses names that no vault has, and more vaults than a volume may have.
 */

import { quote } from '../base/words.ts';
import type { Cloud } from './cloud.ts';
import type { Fields } from './fields.ts';
import type { ObjectSpec, ObjectVault } from './model.ts';
import { tenantProblem, vaultNameProblem } from './names.ts';

/** The name of the field of an object. */
export const VAULT_FIELD = 'vault';

/** The name of the parameter, and of the field of an object's `vault`. */
export const FALLBACKS_FIELD = 'fallbackVaults';

/** Fallback vaults of one vault. */
const MAX_FALLBACKS = 5;
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
    return { name: fields.filledIn(VAULT_FIELD, MEANING, vaultNameProblem), tenantId: '', fallbackVaults: [] };
  const vault = fields.map(VAULT_FIELD);
  if (vault === undefined) return undefined;
  vault.onlyKnown(['name', tenantField, FALLBACKS_FIELD], 'error');
  const name = vault.filledIn('name', MEANING, vaultNameProblem);
  const meaning = 'the Microsoft Entra tenant ID of this Key Vault; leave it out for that of the volume';
  const tenantId = vault.has(tenantField) ? vault.filledIn(tenantField, meaning, tenantProblem) : '';
  const fallbackVaults = listedIn(vault);
  const problem = fallbacksProblem(fallbackVaults, name);
  if (problem !== undefined) vault.error(FALLBACKS_FIELD, problem);
  return { name, tenantId, fallbackVaults };
}

/** Returns the names in a list, or in a text like that of the parameter. */
function listedIn(vault: Fields): readonly string[] {
  const value = vault.value(FALLBACKS_FIELD);
  if (value?.kind !== 'list') return fallbackNames(vault.text(FALLBACKS_FIELD));
  return value.items.map((item) => (item.kind === 'text' ? item.text.trim() : ''));
}

/** Returns the names in the text of the parameter, which commas or white space divide. */
export function fallbackNames(text: string): readonly string[] {
  return text.split(/[\s,]+/).filter((name) => name !== '');
}

/** Returns the problem of the fallback vaults of a vault, which follows their field; undefined: there is none. */
export function fallbacksProblem(names: readonly string[], first: string): string | undefined {
  if (names.length > MAX_FALLBACKS) return `names ${names.length} vaults, more than ${MAX_FALLBACKS}; remove some`;
  const wrong = names.map(vaultNameProblem).find((problem) => problem !== undefined);
  if (wrong !== undefined) return `is wrong: ${wrong}; write names of vaults, with commas between them`;
  const seen = new Set([first.toLowerCase()]);
  const again = names.find((name) => seen.size === seen.add(name.toLowerCase()).size);
  if (again === undefined) return undefined;
  const what = isSame(again, first) ? 'is the vault itself' : 'is there twice';
  return `names ${quote(again)}, which ${what}; remove it`;
}

/** The vault of a volume itself. */
export interface OwnVault {
  readonly vaultName: string;
  readonly tenantId: string;
  readonly fallbackVaults: readonly string[];
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
export function vaultsProblem(
  objects: readonly ObjectSpec[],
  { vaultName, fallbackVaults }: OwnVault,
): string | undefined {
  const own = objects.find(({ vault }) => vault !== undefined && isSame(vault.name, vaultName));
  if ((own?.vault?.fallbackVaults ?? []).length > 0)
    return `vault ${quote(vaultName)} is the volume's own, whose fallback vaults are the parameter ${FALLBACKS_FIELD}; name them there`;
  const others = objects.flatMap(({ vault }) => (vault === undefined ? [] : [vault.name, ...vault.fallbackVaults]));
  const names = new Set([vaultName, ...fallbackVaults, ...others].map((name) => name.toLowerCase()));
  return names.size > MAX_VAULTS
    ? `names ${names.size} vaults, with fallback vaults, more than ${MAX_VAULTS}; spread the objects over several SecretProviderClasses`
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
