/**
 * Waits for the answer to a request that Mounts share. The vault reader waits with it for its reads, and `Tenants` for a
 * vault's challenge. A Mount leaves when its time ends, or at once if the vault asks for a longer pause.
 */

import { abortable } from '../../base/abort.ts';
import type { Flight } from '../../base/single-flight.ts';
import type { FetchContext } from '../../mount/ports.ts';
import type { HostQuestion, SilentHosts } from '../http/silent-hosts.ts';
import type { GateRequest, VaultGate } from './gate.ts';
import { isThrottling } from './throttling.ts';

/** The request that a Mount waits for. */
export interface SharedRequest<T> {
  /** Its `request` is the name of the request at the gate. */
  readonly question: HostQuestion;
  readonly gate: VaultGate;
  readonly silent: SilentHosts;
  /** Joins the equal request under way, or starts it. */
  readonly join: () => Flight<T>;
}

type Waiting = Pick<FetchContext, 'signal' | 'hasty' | 'mountId' | 'progress' | 'deadlineAt' | 'span'>;

/**
 * Returns the answer. Joins the request again after each pause that the vault asks for. The Mount stops waiting when its
 * time ends, at once if a pause is too long for it, and, if it has no deadline, when the vault does not answer.
 * Throws: errors of the request; the reason of the Mount's signal.
 */
export async function awaitShared<T>(context: Waiting, { question, gate, silent, join }: SharedRequest<T>): Promise<T> {
  const { signal: whole, hasty, mountId, progress } = context;
  const state = () => (gate.pauseMs > 0 ? 'the vault answered 429 and is left alone for a while' : '');
  for (;;) {
    let request: GateRequest | undefined;
    const asker = { hasty, signal: whole, unansweredSince: () => request?.unansweredSince };
    const wait = silent.listen(question, asker);
    try {
      wait.signal.throwIfAborted();
      gate.refuseLongPause(context);
      const flight = join();
      request = gate.join(question.request, mountId);
      const outcome = gate.patiently(context, abortable(flight.outcome, wait.signal)).finally(flight.leave);
      const value = await progress.during({ phase: 'vault', host: question.host, state }, outcome);
      wait.answered();
      return value;
    } catch (error) {
      wait.failed(error);
      if (whole.aborted || !isThrottling(error) || gate.outlasts(context)) throw error;
      context.span?.event('retry', { 'akv_csi.cause': 'throttled' });
    }
  }
}
