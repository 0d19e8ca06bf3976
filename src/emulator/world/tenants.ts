/**
 * Finds tenants and identities in the state of the emulator. Entra, vaults, seeds and controls call it.
 */

import type { EmulatedIdentity, Tenant, World } from './model.ts';

/** Returns the tenant with this id or name. */
export function findTenant(tenants: readonly Tenant[], idOrName: string): Tenant | undefined {
  const wanted = idOrName.toLowerCase();
  return tenants.find(({ id, names }) => id === wanted || names.some((name) => name.toLowerCase() === wanted));
}

/** Returns true if `reference` (name, client id or object id) names this identity. */
export function isIdentity(identity: EmulatedIdentity, reference: string): boolean {
  const wanted = reference.toLowerCase();
  return [identity.name.toLowerCase(), identity.clientId, identity.objectId].includes(wanted);
}

/** Returns all identities whose tokens a managed-identity endpoint issues, with their tenants. */
export function managedIdentities(
  world: World,
): readonly { readonly tenant: Tenant; readonly identity: EmulatedIdentity }[] {
  return world.tenants.flatMap((tenant) =>
    tenant.identities.filter(({ managed }) => managed !== undefined).map((identity) => ({ tenant, identity })),
  );
}
