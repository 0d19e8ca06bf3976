import { randomUUID } from 'node:crypto';
import { isRestError } from '@azure/core-rest-pipeline';
import { delay } from '../base/abort.ts';
import { type ErrorDetails, ProviderError } from '../base/errors.ts';
import type { Secret } from '../base/secret.ts';
import type { Telemetry } from '../base/telemetry.ts';
import { Challenge, resourceCovers } from './challenge.ts';
import { HELD_BACK } from './connect.ts';
import type { Party } from './gate.ts';
import { networkFailure } from './network-error.ts';
import { isThrottling } from './throttling.ts';
import type { VaultCallOptions } from './vault.ts';
import { answerOf } from './vault-error.ts';
import type { VaultSession } from './vault-host.ts';

/** Tries after a 5xx or a connection that broke. */
const MAX_RETRIES = 3;
const RETRY_BASE_MS = 300;
const TRANSIENT_STATUS = new Set([408, 500, 502, 503, 504]);
/** A vault may ask for another resource, and then for claims. */
const MAX_CHALLENGES = 2;
const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Everything one read needs. */
export interface Reading {
  readonly session: VaultSession;
  readonly telemetry: Telemetry;
  /** The Mounts that wait for it. */
  readonly party: Party;
  readonly signal: AbortSignal;
}

/** Sends one request. */
export type VaultCall<T> = (options: VaultCallOptions) => Promise<T>;

/**
 * Reads from a vault through its gate until there is an answer that another try would not change: tries faults again and
 * answers challenges. That a vault asks to wait is left to the callers, whose deadlines differ.
 */
export async function persist<T>(reading: Reading, call: VaultCall<T>): Promise<T> {
  const { session, telemetry, party, signal } = reading;
  let faults = 0;
  let challenges = 0;
  let token = await pooledToken(reading, {});
  for (;;) {
    try {
      return await session.host.gate.pass(party, signal, () =>
        call({ authorization: `Bearer ${token.reveal()}`, clientRequestId: randomUUID(), signal }),
      );
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof Challenge) {
        if (challenges >= MAX_CHALLENGES) throw unauthorized(reading, error);
        const next = await answerChallenge(reading, error, { refused: token, again: challenges > 0 });
        challenges++;
        if (next.reveal() === token.reveal()) throw unauthorized(reading, error);
        token = next;
        continue;
      }
      if (isRestError(error) && error.code === HELD_BACK) continue;
      if (isThrottling(error)) telemetry.vaultRetry(session.vaultName, 'throttled');
      if (isThrottling(error) || faults >= MAX_RETRIES || !isTransient(error)) throw error;
      telemetry.vaultRetry(session.vaultName, 'retried');
      // A kept connection may close under a request, which says nothing about the vault.
      const cut = faults === 0 && isRestError(error) && error.code === 'ECONNRESET';
      if (!cut) await delay(RETRY_BASE_MS * 2 ** faults * (0.75 + Math.random() / 2), signal);
      faults++;
    }
  }
}

function pooledToken({ session, signal }: Reading, extra: { claims?: string; refused?: Secret }): Promise<Secret> {
  return session.login.token({ resource: session.host.resource ?? session.resource, signal, ...extra });
}

interface Refusal {
  readonly refused: Secret;
  /** It was not the first token of this read. */
  readonly again: boolean;
}

/** A new token for a vault that did not like the one it got. Never from another tenant or authority than the manifest's. */
async function answerChallenge(reading: Reading, challenge: Challenge, { refused, again }: Refusal): Promise<Secret> {
  const { session } = reading;
  const { host, vaultName, tenantId: named } = session;
  const trusted = challenge.tenantId;
  if (GUID.test(named) && GUID.test(trusted) && named.toLowerCase() !== trusted.toLowerCase()) {
    throw refusal(
      session,
      `vault "${vaultName}" trusts tenant ${trusted}, and the manifest names tenant ${named}: ` +
        `correct the tenant (tenantID, or keyVault.vault.directoryId), or the vault; nothing was sent to tenant ${trusted}`,
    );
  }
  if (challenge.claims !== '') return pooledToken(reading, { claims: challenge.claims, refused });
  const { resource } = challenge;
  if (resource !== '' && resource !== (host.resource ?? session.resource)) {
    if (!resourceCovers(resource, host.url)) {
      throw refusal(
        session,
        `vault "${vaultName}" asks for a token for "${resource.slice(0, 200)}", which does not match its own host ` +
          `${session.hostName}; nothing was sent. Check keyVaultDNSSuffix and keyVaultEndpoint of the cloud file`,
      );
    }
    host.resource = resource;
  } else if (again) throw unauthorized(reading, challenge);
  return pooledToken(reading, { refused });
}

function unauthorized({ session }: Reading, { body, requestId, tenantId }: Challenge): ProviderError {
  const { code, message } = answerOf(401, body, requestId);
  const request = requestId === undefined ? '' : ` (request id ${requestId})`;
  const said = message.replace(/\s+/g, ' ').trim().slice(0, 400);
  const trusted = tenantId === '' ? 'the tenant of the vault' : `tenant ${tenantId}, which the vault trusts`;
  return refusal(
    session,
    `vault "${session.vaultName}" does not accept the token of ${session.identity()}: ` +
      `401 ${code}${request}: ${said}; check that tenant ${session.tenantId} is ${trusted}`,
    { ...(code === '' ? {} : { remoteCode: code }), ...(requestId === undefined ? {} : { requestId }) },
  );
}

function refusal(
  { hostName }: VaultSession,
  message: string,
  more: Pick<ErrorDetails, 'remoteCode' | 'requestId'> = {},
): ProviderError {
  return new ProviderError('ERR_AUTHENTICATION', message, {
    details: { httpStatus: 401, host: hostName, phase: 'vault', ...more },
  });
}

function isTransient(error: unknown): boolean {
  if (isRestError(error) && error.statusCode !== undefined) return TRANSIENT_STATUS.has(error.statusCode);
  return networkFailure(error)?.transient === true;
}
