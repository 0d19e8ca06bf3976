import { createHash } from 'node:crypto';
import type { VaultAccess } from '../../mount/ports.ts';
import type { LoginPlace } from '../login/identity-modes.ts';
import { describeIdentity } from '../login/identity-modes.ts';
import type { Login, TokenPool } from '../login/token-pool.ts';
import type { VaultGate } from './gate.ts';
import type { VaultClient } from './vault-client.ts';

/** What all identities share of one vault. */
export interface VaultHost {
  readonly url: string;
  readonly client: VaultClient;
  readonly gate: VaultGate;
  /** Resource its tokens are for, once its challenge named one; until then each cloud's. */
  resource: string | undefined;
}

/** A vault opened by one identity, for one Mount. */
export interface VaultSession {
  readonly host: VaultHost;
  readonly login: Login;
  /** Stands for principal and vault in keys of what was read: a digest, since thousands of keys hold it. */
  readonly scope: string;
  readonly vaultName: string;
  /** Host and port of the vault. */
  readonly hostName: string;
  /** Tenant that the manifest names. */
  readonly tenantId: string;
  /** Resource of the cloud's vaults. */
  readonly resource: string;
  readonly loginAt: LoginPlace;
  /** See `describeIdentity`. */
  readonly identity: () => string;
}

/** Does once what all reads of a Mount would do again. */
export function startSession(
  { cloud, tenantId, identity, vaultName }: Parameters<VaultAccess['open']>[0],
  host: VaultHost,
  tokens: TokenPool,
): VaultSession {
  const login = tokens.login(identity, cloud);
  return {
    host,
    login,
    scope: createHash('sha256')
      .update(JSON.stringify([login.principal, host.url]))
      .digest('base64'),
    vaultName,
    hostName: new URL(host.url).host,
    tenantId,
    resource: cloud.vaultResource,
    loginAt: login.place,
    identity: () => describeIdentity(identity),
  };
}
