/**
 * Sends one request of a vault again until there is an answer that another try would not change: after faults, after
 * challenges, and where it was held back. The vault reader calls it. An answer that asks to wait is thrown, since the
 * Mounts that share the request have different deadlines.
 */

import { randomUUID } from 'node:crypto';
import { isRestError } from '@azure/core-rest-pipeline';
import { delay } from '../../base/abort.ts';
import type { Telemetry } from '../../base/telemetry.ts';
import { isHeldBack } from '../http/held-back.ts';
import { networkFailure } from '../http/network-error.ts';
import { Challenge } from './challenge.ts';
import { ReadLogin } from './read-login.ts';
import { isThrottling } from './throttling.ts';
import type { VaultCall } from './vault-client.ts';
import type { VaultSession } from './vault-session.ts';

/** Further tries after a 5xx or a connection that broke. */
const MAX_RETRIES = 3;
const RETRY_BASE_MS = 300;
const TRANSIENT_STATUS = new Set([408, 500, 502, 503, 504]);

/** The common part of all tries of one request. */
export interface Retrying {
  readonly session: VaultSession;
  readonly telemetry: Pick<Telemetry, 'vaultAsked' | 'vaultRetry'>;
  readonly signal: AbortSignal;
}

/**
 * The answer to a request. Throws: the last error of `request`; ERR_AUTHENTICATION where the vault takes no token of this
 * identity; the reason of the signal when it aborts.
 */
export async function readWithRetries<T>(
  { session, telemetry, signal }: Retrying,
  request: (call: VaultCall) => Promise<T>,
): Promise<T> {
  telemetry.vaultAsked(session.vaultName);
  const login = new ReadLogin(session, signal);
  for (let faults = 0; ; ) {
    const authorization = await login.authorization();
    try {
      const answer = await request({ authorization, clientRequestId: randomUUID(), signal });
      login.accepted();
      return answer;
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof Challenge) await login.answer(error);
      else if (!isHeldBack(error)) await pauseAfterFault(error, faults++, { session, telemetry, signal });
    }
  }
}

/** Waits before the next try; `faults` counts earlier faults. Throws: the error, if another try would not help. */
async function pauseAfterFault(
  error: unknown,
  faults: number,
  { session, telemetry, signal }: Retrying,
): Promise<void> {
  const { vaultName } = session;
  if (isThrottling(error)) telemetry.vaultRetry(vaultName, 'throttled');
  if (isThrottling(error) || faults >= MAX_RETRIES || !isTransient(error)) throw error;
  telemetry.vaultRetry(vaultName, 'retried');
  // A kept connection may close under a request, which says nothing about the vault.
  const cut = faults === 0 && isRestError(error) && error.code === 'ECONNRESET';
  if (!cut) await delay(RETRY_BASE_MS * 2 ** faults * (0.75 + Math.random() / 2), signal);
}

function isTransient(error: unknown): boolean {
  if (isRestError(error) && error.statusCode !== undefined) return TRANSIENT_STATUS.has(error.statusCode);
  return networkFailure(error)?.transient === true;
}
