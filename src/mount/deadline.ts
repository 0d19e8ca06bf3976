import { setMaxListeners } from 'node:events';
import { type Clock, later, type SteadyTime } from '../base/clock.ts';
import { ProviderError } from '../base/errors.ts';
import { hostHint, hostInWords } from '../base/phases.ts';
import type { MountCall } from './handler.ts';
import type { Progress } from './pending-waits.ts';

/**
 * Bound of a Mount whose caller sent no deadline. That is the rotation of a driver up to v1.5: the files are there, it
 * comes back in ten seconds, and its one worker serves no other pod of the node meanwhile.
 */
const HASTY_LIMIT_MS = 12_000;
const MIN_MARGIN_MS = 100;
const MAX_MARGIN_MS = 5_000;

/** The time of one Mount. */
export interface Budget {
  /** When the Mount has to answer. */
  readonly deadlineAt: SteadyTime;
  /** See `FetchContext`. */
  readonly hasty: boolean;
  /** Aborted with a `ProviderError`: ERR_TIMEOUT at the deadline, ERR_CANCELLED when the caller goes. */
  readonly signal: AbortSignal;
  readonly dispose: () => void;
}

/** What a {@link Budget} is made of. */
export interface BudgetOptions {
  readonly clock: Clock;
  readonly progress: Progress;
}

/**
 * The caller's deadline less a margin (a tenth, at least 100 ms, at most 5 s), so that our answer is there before the
 * caller gives up: a deadline that passes in the driver is a code that the kubelet does not take as final.
 */
export function startBudget(call: MountCall, { clock, progress }: BudgetOptions): Budget {
  const startedAt = clock.steady();
  const givenMs = call.timeoutMs === Number.POSITIVE_INFINITY ? undefined : call.timeoutMs;
  const limitMs = givenMs === undefined ? HASTY_LIMIT_MS : Math.max(0, givenMs - marginMs(givenMs));
  const controller = new AbortController();
  // One listener a read, and Node warns from the eleventh on.
  setMaxListeners(0, controller.signal);
  const expire = () => controller.abort(timeout(givenMs, progress));
  const cancel = () => controller.abort(new ProviderError('ERR_CANCELLED', 'the caller cancelled the mount'));
  // Longer than any deadline of the kubelet; timers do not take more than 31 bits.
  const timer = setTimeout(expire, Math.min(limitMs, 0x7fff_ffff));
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

/** Without figures: the same cause has the same text, whatever the caller's deadline was; the log line has the time it took. */
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
