/**
 * Makes the tries of one request to a vault: the call of each try, and what follows a try that failed. The vault reader
 * asks it before and after each try.
 */

import type { Telemetry } from '../../base/telemetry.ts';
import type { Span } from '../../base/trace.ts';
import { isHeldBack } from '../http/held-back.ts';
import { Challenge } from './challenge.ts';
import { FaultPauses } from './fault-pauses.ts';
import { ReadLogin } from './read-login.ts';
import type { VaultCall } from './vault-client.ts';
import type { VaultSession } from './vault-session.ts';

/** The common part of all tries of one request. */
export interface TriesOptions {
  readonly session: VaultSession;
  readonly telemetry: Pick<Telemetry, 'vaultAsked' | 'vaultRetry'>;
  readonly signal: AbortSignal;
  /** The span of the read that sends the request. */
  readonly span?: Span | undefined;
}

/** The tries of one request. */
export class ReadTries {
  readonly #options: TriesOptions;
  readonly #login: ReadLogin;
  readonly #faults: FaultPauses;

  constructor(options: TriesOptions) {
    this.#options = options;
    const { session, telemetry, signal, span } = options;
    const { vaultName } = session;
    this.#login = new ReadLogin(session, signal, span);
    this.#faults = new FaultPauses({ vaultName, telemetry, signal });
    telemetry.vaultAsked(vaultName);
  }

  /** Returns the call of the next try. Throws: see `TokenPool`. */
  async next(): Promise<VaultCall> {
    const authorization = await this.#login.authorization();
    return { authorization, signal: this.#options.signal };
  }

  /** Records that the vault answered the last try. */
  answered(): void {
    this.#faults.answered();
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
    else if (!isHeldBack(error)) await this.#faults.after(error);
    this.#options.span?.event('retry', { 'akv_csi.cause': error instanceof Challenge ? 'challenge' : 'fault' });
  }
}
