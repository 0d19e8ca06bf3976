/**
 * Defines types for a vault that one identity has opened for one Mount, and for the part of a vault that all identities
 * share. `AzureVaults` makes both; the vault reader and its retries work with them.
 */

import { createHash } from 'node:crypto';
import type { ObjectType } from '../../base/objects.ts';
import type { ObjectRef, VaultVolume } from '../../mount/ports.ts';
import { describeIdentity } from '../login/identity-modes.ts';
import type { Login, TokenPool } from '../login/token-pool.ts';
import type { Challenge } from './challenge.ts';
import type { VaultGate } from './gate.ts';
import type { VaultClient } from './vault-client.ts';
import type { VaultQuestion } from './vault-error.ts';

/** Whom a vault trusts, by its challenge. Either is empty if it does not say. */
export type Authority = Pick<Challenge, 'loginOrigin' | 'tenantId'>;

/** The part of a vault that all identities share. */
export interface VaultHost {
  /** Its origin. */
  readonly url: string;
  readonly client: VaultClient;
  readonly gate: VaultGate;
  /** The resource that its tokens are for, once a challenge named one; until then it is the cloud's. */
  resource: string | undefined;
  /** Whom it trusts, once a Mount without a tenant asked for it; see `Tenants`. */
  trusted: Authority | undefined;
}

/** A vault opened by one identity, for one Mount. */
export interface VaultSession {
  readonly host: VaultHost;
  readonly login: Login;
  /** Names principal and vault in the keys of reads: a digest, since thousands of keys hold it. */
  readonly scope: string;
  readonly vaultName: string;
  /** Host and port of the vault. */
  readonly hostName: string;
  /** The tenant that the manifest names, or that was learnt; empty if the identity needs none. */
  readonly tenantId: string;
  /** The resource of the cloud's vaults. */
  readonly resource: string;
  /** How old a value may be that this Mount gets, in milliseconds; `Infinity`: as old as the flags allow. */
  readonly maxAgeMs: number;
  /** See `describeIdentity`. */
  readonly identity: () => string;
}

/** Opens a vault for a Mount. Sends nothing. */
export function startSession(
  { pod, cloud, tenantId, identity, vaultName, maxAgeMs = Number.POSITIVE_INFINITY }: VaultVolume,
  host: VaultHost,
  tokens: TokenPool,
): VaultSession {
  const login = tokens.login(identity, cloud, pod.namespace);
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
    maxAgeMs,
    identity: () => describeIdentity(identity),
  };
}

/** A question of a session. A storm of Mounts holds thousands: what all of a session share is read from it. */
export class SessionQuestion implements VaultQuestion {
  readonly type: ObjectType;
  readonly name: string;
  readonly version: string;
  readonly operation: VaultQuestion['operation'];
  readonly #session: VaultSession;

  constructor(session: VaultSession, { type, name, version }: ObjectRef, operation: VaultQuestion['operation']) {
    this.type = type;
    this.name = name;
    this.version = version;
    this.operation = operation;
    this.#session = session;
  }

  get vaultName(): string {
    return this.#session.vaultName;
  }

  get host(): string {
    return this.#session.hostName;
  }

  get identity(): string {
    return this.#session.identity();
  }
}
