import { randomUUID } from 'node:crypto';
import { isRestError } from '@azure/core-rest-pipeline';
import { delay } from '../../base/abort.ts';
import type { Clock } from '../../base/clock.ts';
import { type ErrorDetails, ProviderError } from '../../base/errors.ts';
import { isGuid } from '../../base/guid.ts';
import type { Telemetry } from '../../base/telemetry.ts';
import { resourceCovers } from '../../spc/cloud.ts';
import { HELD_BACK } from '../http/bounded-agents.ts';
import { networkFailure } from '../http/network-error.ts';
import { serverWords } from '../http/server-words.ts';
import { Challenge } from './challenge.ts';
import type { Party } from './gate.ts';
import { isThrottling } from './throttling.ts';
import type { VaultCall } from './vault-client.ts';
import { answerOf } from './vault-error.ts';
import type { VaultSession } from './vault-host.ts';

/** Tries after a 5xx or a connection that broke. */
const MAX_RETRIES = 3;
const RETRY_BASE_MS = 300;
const TRANSIENT_STATUS = new Set([408, 500, 502, 503, 504]);
/** A vault may ask for another resource, and then for claims. */
const MAX_CHALLENGES = 2;

/** Everything one read needs. */
export interface Reading {
  readonly session: VaultSession;
  readonly telemetry: Telemetry;
  /** The Mounts that wait for it. */
  readonly party: Party;
  readonly signal: AbortSignal;
  readonly clock: Pick<Clock, 'steady'>;
}

/**
 * Reads from a vault through its gate until there is an answer that another try would not change: tries faults again and
 * answers challenges. That a vault asks to wait is left to the callers, whose deadlines differ.
 */
export async function persist<T>(reading: Reading, call: (options: VaultCall) => Promise<T>): Promise<T> {
  const { session, telemetry, party, signal, clock } = reading;
  telemetry.vaultAsked(session.vaultName);
  let faults = 0;
  let challenges = 0;
  let resource = session.host.resource ?? session.resource;
  let token = await session.login.token({ resource, signal });
  for (;;) {
    try {
      const answer = await session.host.gate.pass(party, signal, () => {
        party.unansweredSince ??= clock.steady();
        return call({ authorization: `Bearer ${token.reveal()}`, clientRequestId: randomUUID(), signal });
      });
      // Others log in for what a challenge named only when a token for it has opened the vault.
      if (resource !== session.resource) session.host.resource = resource;
      return answer;
    } catch (error) {
      signal.throwIfAborted();
      if (networkFailure(error) === undefined) party.unansweredSince = undefined;
      if (error instanceof Challenge) {
        if (challenges >= MAX_CHALLENGES) throw unauthorized(reading, error);
        resource = resourceOf(reading, error, { resource, again: challenges > 0 });
        const claims = error.claims === '' ? {} : { claims: error.claims };
        const next = await session.login.token({ resource, signal, refused: token, ...claims });
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

/** What a challenged read asked for, and whether it was challenged before. */
interface Asked {
  readonly resource: string;
  readonly again: boolean;
}

/**
 * What to ask a token for where the vault did not like the one it got. Never from another tenant or authority than the
 * manifest's.
 */
function resourceOf(reading: Reading, challenge: Challenge, { resource: asked, again }: Asked): string {
  const { session } = reading;
  const { host, vaultName, tenantId: named } = session;
  const trusted = challenge.tenantId;
  if (isGuid(named) && isGuid(trusted) && named.toLowerCase() !== trusted.toLowerCase()) {
    throw refusal(
      session,
      `vault "${vaultName}" trusts tenant ${trusted}, and the manifest names tenant ${named}: ` +
        `correct the tenant (tenantID, or keyVault.vault.directoryId), or the vault; nothing was sent to tenant ${trusted}`,
    );
  }
  const { resource } = challenge;
  if (challenge.claims !== '') return asked;
  if (resource === '' || resource === asked) {
    if (again) throw unauthorized(reading, challenge);
    return asked;
  }
  if (resourceCovers(resource, host.url)) return resource;
  throw refusal(
    session,
    `vault "${vaultName}" asks for a token for "${resource.slice(0, 200)}", which does not match its own host ` +
      `${session.hostName}; nothing was sent. Check keyVaultDNSSuffix and keyVaultEndpoint of the cloud file`,
  );
}

function unauthorized({ session }: Reading, { body, requestId, tenantId }: Challenge): ProviderError {
  const { code, message } = answerOf(401, body, requestId);
  const trusted = tenantId === '' ? 'the tenant of the vault' : `tenant ${tenantId}, which the vault trusts`;
  return refusal(
    session,
    `vault "${session.vaultName}" does not accept the token of ${session.identity()}: ` +
      `${`401 ${code}`.trim()}; check that tenant ${session.tenantId} is ${trusted}`,
    { ...(code === '' ? {} : { remoteCode: code }), ...(requestId === undefined ? {} : { requestId }) },
    serverWords(message),
  );
}

function refusal(
  { hostName }: VaultSession,
  reason: string,
  more: Pick<ErrorDetails, 'remoteCode' | 'requestId'> = {},
  said = '',
): ProviderError {
  return new ProviderError('ERR_AUTHENTICATION', `${reason}${said === '' ? '' : `; the vault says: ${said}`}`, {
    details: { httpStatus: 401, host: hostName, phase: 'vault', ...more },
    reason,
    said,
  });
}

function isTransient(error: unknown): boolean {
  if (isRestError(error) && error.statusCode !== undefined) return TRANSIENT_STATUS.has(error.statusCode);
  return networkFailure(error)?.transient === true;
}
