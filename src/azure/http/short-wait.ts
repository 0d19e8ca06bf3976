/**
 * Bounds the wait of a Mount that has a last known value to answer with, so that enough time for the answer is left
 * before its deadline. The vault reader and the token pool wait through it.
 */

import { type Clock, later, msUntil, type SteadyTime } from '../../base/clock.ts';

/** Azure answers in less than a second, and the tries after a fault take two. */
const SHORT_WAIT_MS = 5_000;
/** Part of the time left until the deadline that one wait may take at most. */
const PART = 0.5;

/** A wait of a Mount. */
export interface Waiting {
  readonly signal: AbortSignal;
  readonly deadlineAt: SteadyTime;
}

/** A bounded wait; to be ended. */
export interface ShortWait extends Waiting {
  end(): void;
}

/**
 * Begins a wait of five seconds, or of half the time that is left if that is less. `expire` is called at its end, with
 * a function that aborts the signal of the wait.
 */
export function beginShortWait(
  { signal, deadlineAt }: Waiting,
  clock: Pick<Clock, 'steady'>,
  expire: (abort: (reason: Error) => void) => void,
): ShortWait {
  const waitMs = Math.max(0, Math.min(SHORT_WAIT_MS, msUntil(clock, deadlineAt) * PART));
  const bound = new AbortController();
  const timer = setTimeout(() => expire((reason) => bound.abort(reason)), waitMs);
  return {
    signal: AbortSignal.any([signal, bound.signal]),
    deadlineAt: later(clock.steady(), waitMs),
    end: () => clearTimeout(timer),
  };
}
