import { randomUUID } from 'node:crypto';
import { isRestError } from '@azure/core-rest-pipeline';
import { delay } from '../base/abort.ts';
import type { Clock } from '../base/clock.ts';
import { ProviderError } from '../base/errors.ts';
import type { Secret } from '../base/secret.ts';
import type { Telemetry } from '../base/telemetry.ts';
import type { FetchContext, VaultAccess } from '../mount/ports.ts';
import type { VaultHost } from './access.ts';
import { Challenge, resourceCovers } from './challenge.ts';
import { networkFailure } from './network-error.ts';
import { describeIdentity } from './principal.ts';
import type { TokenPool } from './token-pool.ts';
import type { VaultCallOptions } from './vault.ts';
import { answerOf } from './vault-error.ts';

/** Tries after a 5xx or a connection that broke. */
const MAX_RETRIES = 3;
const RETRY_BASE_MS = 300;

/** Network failures that a moment may mend. */
const TRANSIENT = new Set([
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ECONNREFUSED',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
]);
const TRANSIENT_STATUS = new Set([408, 500, 502, 503, 504]);
const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Everything one read needs. */
export interface Reading {
  readonly volume: Parameters<VaultAccess['open']>[0];
  readonly host: VaultHost;
  readonly tokens: TokenPool;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
  readonly context: FetchContext;
}

/** Sends one request. */
export type VaultCall<T> = (options: VaultCallOptions) => Promise<T>;

/**
 * Reads from a vault through its gate until there is an answer that another try would not change: waits where the vault
 * says wait, tries faults again, answers challenges.
 */
export async function persist<T>(reading: Reading, call: VaultCall<T>): Promise<T> {
  const { host, context, volume } = reading;
  const { signal } = context;
  let faults = 0;
  let challenged = false;
  let token = await pooledToken(reading, {});
  for (;;) {
    try {
      const authorization = `Bearer ${token.reveal()}`;
      const result = await host.gate.pass(context.mountId, signal, () =>
        call({ authorization, clientRequestId: randomUUID(), signal }),
      );
      host.gate.succeeded();
      return result;
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof Challenge) {
        if (challenged) throw unauthorized(reading, error);
        challenged = true;
        token = await answerChallenge(reading, error, token);
        continue;
      }
      if (isThrottling(error)) {
        wait(reading, error);
        continue;
      }
      if (faults >= MAX_RETRIES || !isTransient(error)) throw error;
      reading.telemetry.vaultRetry(volume.vaultName, 'retried');
      await delay(RETRY_BASE_MS * 2 ** faults * (0.75 + Math.random() / 2), signal);
      faults++;
    }
  }
}

function pooledToken(
  { volume, host, tokens, context }: Reading,
  extra: { claims?: string; refused?: Secret },
): Promise<Secret> {
  const { identity, cloud } = volume;
  return tokens.token({ identity, cloud, resource: host.resource, signal: context.signal, ...extra });
}

/** A new token for a vault that did not like the one it got. Never from another tenant or authority than the manifest's. */
async function answerChallenge(reading: Reading, challenge: Challenge, refused: Secret): Promise<Secret> {
  const { volume, host } = reading;
  const { tenantId: named } = volume;
  const trusted = challenge.tenantId;
  if (GUID.test(named) && GUID.test(trusted) && named.toLowerCase() !== trusted.toLowerCase()) {
    throw new ProviderError(
      'ERR_AUTHENTICATION',
      `vault "${volume.vaultName}" trusts tenant ${trusted}, and the manifest names tenant ${named}: ` +
        `correct the tenant (tenantID, or keyVault.vault.directoryId), or the vault; nothing was sent to tenant ${trusted}`,
      { details: { httpStatus: 401, host: new URL(volume.vaultUrl).host, phase: 'vault' } },
    );
  }
  if (challenge.claims !== '') return pooledToken(reading, { claims: challenge.claims });
  if (challenge.resource !== '' && challenge.resource !== host.resource) {
    if (!resourceCovers(challenge.resource, volume.vaultUrl)) {
      throw new ProviderError(
        'ERR_AUTHENTICATION',
        `vault "${volume.vaultName}" asks for a token for "${challenge.resource}", which does not match its own host ` +
          `${new URL(volume.vaultUrl).host}; nothing was sent. Check keyVaultDNSSuffix and keyVaultEndpoint of the cloud file`,
        { details: { httpStatus: 401, host: new URL(volume.vaultUrl).host, phase: 'vault' } },
      );
    }
    host.resource = challenge.resource;
    return pooledToken(reading, {});
  }
  return pooledToken(reading, { refused });
}

function unauthorized({ volume }: Reading, { body, requestId }: Challenge): ProviderError {
  const answer = answerOf(401, body, requestId);
  const request = requestId === undefined ? '' : ` (request id ${requestId})`;
  const said = answer.message.replace(/\s+/g, ' ').trim().slice(0, 400);
  return new ProviderError(
    'ERR_AUTHENTICATION',
    `vault "${volume.vaultName}" does not accept the token of ${describeIdentity(volume.identity)}: ` +
      `401 ${answer.code}${request}: ${said}; check that tenant ${volume.tenantId} is the tenant of the vault`,
    {
      details: {
        httpStatus: 401,
        host: new URL(volume.vaultUrl).host,
        phase: 'vault',
        ...(answer.code === '' ? {} : { remoteCode: answer.code }),
        ...(requestId === undefined ? {} : { requestId }),
      },
    },
  );
}

/** Tells the gate to pause; gives up at once where the pause outlasts the Mount. */
function wait({ host, context, clock, telemetry, volume }: Reading, error: unknown): void {
  host.gate.throttled(retryAfterMs(error, clock.now()));
  telemetry.vaultRetry(volume.vaultName, 'throttled');
  if (clock.now() + host.gate.pauseMs >= context.deadlineAt) throw error;
}

function isThrottling(error: unknown): boolean {
  if (!isRestError(error)) return false;
  return error.statusCode === 429 || (error.statusCode === 503 && retryAfterMs(error, 0) !== undefined);
}

function isTransient(error: unknown): boolean {
  if (isRestError(error) && error.statusCode !== undefined) return TRANSIENT_STATUS.has(error.statusCode);
  if (error instanceof Error && error.name === 'AbortError') return true;
  return TRANSIENT.has(networkFailure(error)?.code ?? '');
}

/** The three headers that Azure's services use; a date counts from `now`. */
function retryAfterMs(error: unknown, now: number): number | undefined {
  if (!isRestError(error)) return undefined;
  const header = (name: string) => error.response?.headers.get(name);
  for (const name of ['retry-after-ms', 'x-ms-retry-after-ms']) {
    const ms = Number(header(name) ?? Number.NaN);
    if (Number.isFinite(ms) && ms >= 0) return ms;
  }
  const after = header('retry-after');
  if (after === undefined || after.trim() === '') return undefined;
  const seconds = Number(after);
  if (Number.isFinite(seconds)) return Math.max(0, seconds * 1000);
  const date = Date.parse(after);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
