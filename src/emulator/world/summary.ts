/**
 * Lists who can log in to an emulator and which objects its vaults hold. The command `emulator` prints it.
 * Names only: client secrets stay `Secret`, and values of objects are left out.
 */

import type { Secret } from '../../base/secret.ts';
import type { World } from './model.ts';

/** An identity and the ways in which it can log in. */
export interface IdentitySummary {
  readonly tenant: string;
  readonly name: string;
  readonly clientId: string;
  readonly clientSecrets: readonly Secret[];
  /** Subjects of the federated tokens it takes. */
  readonly subjects: readonly string[];
  /** Tells if the managed-identity endpoint gives its tokens, and if callers that name no identity get them. */
  readonly managed: 'no' | 'by client id' | 'by default';
}

/** Names of the objects in a vault that no certificate brings along. */
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

/** The present contents of an emulator. */
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
          identity.managed === undefined ? 'no' : identity.managed.systemAssigned ? 'by default' : 'by client id',
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
