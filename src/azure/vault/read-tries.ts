/**
 * Makes the tries of one request to a vault: the call of each try, and what follows a try that failed. The vault reader
 * asks it before and after each try. An answer that asks to wait ends the tries, since the Mounts that share the
 * request have different deadlines.
 */

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
export interface TriesOptions {
  readonly session: VaultSession;
  readonly telemetry: Pick<Telemetry, 'vaultAsked' | 'vaultRetry'>;
  readonly signal: AbortSignal;
}

/** The tries of one request. */
export class ReadTries {
  readonly #options: TriesOptions;
  readonly #login: ReadLogin;
  #faults = 0;

  constructor(options: TriesOptions) {
    this.#options = options;
    this.#login = new ReadLogin(options.session, options.signal);
    options.telemetry.vaultAsked(options.session.vaultName);
  }

  /** Returns the call of the next try. Throws: see `TokenPool`. */
  async next(): Promise<VaultCall> {
    const authorization = await this.#login.authorization();
    return { authorization, signal: this.#options.signal };
  }

  /** Records that the vault answered the last try. */
  answered(): void {
    this.#faults = 0;
    this.#login.accepted();
  }

  /**
   * Prepares another try after one that failed: gets the token of a challenge, or waits after a fault.
   * Throws: the error, if another try would not help; ERR_AUTHENTICATION if the vault takes no token of this identity;
   * the reason of the signal when it aborts.
   */
  async recover(error: unknown): Promise<void> {
    this.#options.signal.throwIfAborted();
    if (error instanceof Challenge) await this.#login.answer(error);
    else if (!isHeldBack(error)) await this.#pauseAfterFault(error);
  }

  async #pauseAfterFault(error: unknown): Promise<void> {
    const { session, telemetry, signal } = this.#options;
    const faults = this.#faults++;
    if (isThrottling(error)) telemetry.vaultRetry(session.vaultName, 'throttled');
    if (isThrottling(error) || faults >= MAX_RETRIES || !isTransient(error)) throw error;
    telemetry.vaultRetry(session.vaultName, 'retried');
    // A kept connection may close under a request, which says nothing about the vault.
    const cut = faults === 0 && isRestError(error) && error.code === 'ECONNRESET';
    if (!cut) await delay(RETRY_BASE_MS * 2 ** faults * (0.75 + Math.random() / 2), signal);
  }
}

function isTransient(error: unknown): boolean {
  if (isRestError(error) && error.statusCode !== undefined) return TRANSIENT_STATUS.has(error.statusCode);
  return networkFailure(error)?.transient === true;
}
