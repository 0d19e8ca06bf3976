/**
 * Waits after faults of a vault, before the next try. The tries of reads and `Tenants` call it. An answer that asks to
 * wait ends the tries, since the Mounts that share a request have different deadlines.
 */

import { isRestError } from '@azure/core-rest-pipeline';
import { delay } from '../../base/abort.ts';
import type { Telemetry } from '../../base/telemetry.ts';
import { networkFailure } from '../http/network-error.ts';
import { isThrottling } from './throttling.ts';

/** Further tries after a 5xx or a connection that broke. */
const MAX_RETRIES = 3;
const RETRY_BASE_MS = 300;
const TRANSIENT_STATUS = new Set([408, 500, 502, 503, 504]);

/** The request whose tries fail. */
export interface FaultOptions {
  readonly vaultName: string;
  readonly telemetry: Pick<Telemetry, 'vaultRetry'>;
  readonly signal: AbortSignal;
}

/** The faults of one request. */
export class FaultPauses {
  readonly #options: FaultOptions;
  #faults = 0;

  constructor(options: FaultOptions) {
    this.#options = options;
  }

  /** Records that the vault answered the last try. */
  answered(): void {
    this.#faults = 0;
  }

  /** Waits before another try. Throws: the error, if another try would not help; the reason of the signal. */
  async after(error: unknown): Promise<void> {
    const { vaultName, telemetry, signal } = this.#options;
    const faults = this.#faults++;
    if (isThrottling(error)) telemetry.vaultRetry(vaultName, 'throttled');
    if (isThrottling(error) || faults >= MAX_RETRIES || !isTransient(error)) throw error;
    telemetry.vaultRetry(vaultName, 'retried');
    // A kept connection may close under a request, which says nothing about the vault.
    const cut = faults === 0 && isRestError(error) && error.code === 'ECONNRESET';
    if (!cut) await delay(RETRY_BASE_MS * 2 ** faults * (0.75 + Math.random() / 2), signal);
  }
}

function isTransient(error: unknown): boolean {
  if (isRestError(error) && error.statusCode !== undefined) return TRANSIENT_STATUS.has(error.statusCode);
  return networkFailure(error)?.transient === true;
}
