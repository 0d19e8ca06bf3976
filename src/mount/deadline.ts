/**
 * Limits the time of one Mount: the deadline of its caller less a margin, or twelve seconds if the caller set none.
 * `mount.ts` starts the budget. The error of an expired budget names the hosts that the Mount waited for.
 */

import { setMaxListeners } from 'node:events';
import { type Clock, later, MAX_TIMER_MS, type SteadyTime } from '../base/clock.ts';
import { ProviderError } from '../base/errors.ts';
import { hostHint, hostInWords } from '../base/phases.ts';
import type { MountCall } from './handler.ts';
import type { Progress } from './pending-waits.ts';

/**
 * Limit of a Mount whose caller sent no deadline. Drivers up to v1.5 do so in rotation: the files exist already, the
 * driver tries again in ten seconds, and its only worker serves no other pod of the node meanwhile.
 */
const HASTY_LIMIT_MS = 12_000;
const MIN_MARGIN_MS = 100;
const MAX_MARGIN_MS = 5_000;

/** The time of one Mount. */
export interface Budget {
  /** The time by which the Mount has to answer. */
  readonly deadlineAt: SteadyTime;
  /** See `FetchContext`. */
  readonly hasty: boolean;
  /** Aborted with a `ProviderError`: ERR_TIMEOUT at the deadline, ERR_CANCELLED when the caller cancels. */
  readonly signal: AbortSignal;
  readonly dispose: () => void;
}

/** Options of {@link startBudget}. */
export interface BudgetOptions {
  readonly clock: Clock;
  readonly progress: Progress;
}

/**
 * Starts the caller's deadline less a margin (a tenth, at least 100 ms, at most 5 s), so that the answer arrives before
 * the caller gives up. The kubelet does not take the code of a deadline that expires in the driver as final.
 */
export function startBudget(call: MountCall, { clock, progress }: BudgetOptions): Budget {
  const startedAt = clock.steady();
  const givenMs = call.timeoutMs === Number.POSITIVE_INFINITY ? undefined : call.timeoutMs;
  const limitMs = givenMs === undefined ? HASTY_LIMIT_MS : Math.max(0, givenMs - marginMs(givenMs));
  const controller = new AbortController();
  // Each read adds a listener, and Node warns from the eleventh on.
  setMaxListeners(0, controller.signal);
  const expire = () => controller.abort(timeout(givenMs, progress));
  const cancel = () => controller.abort(new ProviderError('ERR_CANCELLED', 'the caller cancelled the mount'));
  const timer = setTimeout(expire, Math.min(limitMs, MAX_TIMER_MS));
  if (call.signal.aborted) cancel();
  else call.signal.addEventListener('abort', cancel, { once: true });
  return {
    deadlineAt: later(startedAt, limitMs),
    hasty: givenMs === undefined,
    signal: controller.signal,
    dispose() {
      clearTimeout(timer);
      call.signal.removeEventListener('abort', cancel);
    },
  };
}

function marginMs(givenMs: number): number {
  return Math.min(MAX_MARGIN_MS, Math.max(MIN_MARGIN_MS, givenMs / 10));
}

/**
 * Returns the error of an expired budget. The text has no figures, so that the same cause has the same text for any
 * deadline. The log line has the duration.
 */
function timeout(givenMs: number | undefined, progress: Progress): ProviderError {
  const waits = progress.current();
  const [longest] = waits;
  const whose =
    givenMs === undefined
      ? `its own limit of ${HASTY_LIMIT_MS / 1000} s, since the caller set no deadline`
      : "the caller's deadline";
  const waiting = waits.map(({ phase, host, state }) => {
    const known = state?.() ?? '';
    return `${hostInWords(phase, host)}${known === '' ? '' : ` (${known})`}`;
  });
  const what = waiting.length === 0 ? '' : `, waiting for ${waiting.sort().join(' and ')}`;
  const hints = [...new Set(waits.map(({ phase }) => `; ${hostHint(phase)}`))].sort().join('');
  const message = `failed to mount objects, error: context deadline exceeded: timed out (${whose})${what}${hints}`;
  const details = longest === undefined ? {} : { phase: longest.phase, host: longest.host };
  return new ProviderError('ERR_TIMEOUT', message, { details });
}
