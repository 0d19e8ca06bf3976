/**
 * Lists the identities that can log in to an emulator and the objects of its vaults. The command `emulator` prints it.
 * The list contains names only, not client secrets or values of objects.
 */

import type { Secret } from '../../base/secret.ts';
import type { World } from './model.ts';

/** An identity and its ways to log in. */
export interface IdentitySummary {
  readonly tenant: string;
  readonly name: string;
  readonly clientId: string;
  readonly clientSecrets: readonly Secret[];
  /** Subjects of the federated tokens that it accepts. */
  readonly subjects: readonly string[];
  /**
   * `user-assigned`: the managed-identity endpoint issues its tokens. `system-assigned`: also to callers that name no
   * identity.
   */
  readonly managed: 'no' | 'user-assigned' | 'system-assigned';
}

/** Names of the objects in a vault, except the keys and secrets of certificates. */
export interface VaultSummary {
  readonly name: string;
  readonly tenant: string;
  readonly secrets: readonly string[];
  readonly keys: readonly string[];
  readonly certificates: readonly string[];
}

/** The result of {@link summaryOf}. */
export interface Summary {
  readonly identities: readonly IdentitySummary[];
  readonly vaults: readonly VaultSummary[];
}

/** Lists the current contents of an emulator. */
export function summaryOf(world: World): Summary {
  return {
    identities: world.tenants.flatMap(({ id, identities }) =>
      identities.map((identity) => ({
        tenant: id,
        name: identity.name,
        clientId: identity.clientId,
        clientSecrets: identity.secrets.map(({ value }) => value),
        subjects: identity.federated.map(({ subject }) => subject),
        managed:
          identity.managed === undefined ? 'no' : identity.managed.systemAssigned ? 'system-assigned' : 'user-assigned',
      })),
    ),
    vaults: [...world.vaults.values()].map(({ name, tenant, secrets, keys, certificates }) => {
      const own = certificates.list().map((stored) => stored.name);
      const others = (names: readonly string[]) => names.filter((one) => !own.includes(one));
      return {
        name,
        tenant: tenant.id,
        secrets: others(secrets.list().map((stored) => stored.name)),
        keys: others(keys.list().map((stored) => stored.name)),
        certificates: own,
      };
    }),
  };
}
