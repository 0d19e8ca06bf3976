/**
 * Decides whether the failure of a request means that its vault is overloaded, and how long the vault asks to wait. The
 * gate, the retries and the vault reader use it.
 */

import { isRestError } from '@azure/core-rest-pipeline';
import { retryAfter } from '../http/retry-after.ts';
import { Challenge } from './challenge.ts';
import type { Verdict } from './gate.ts';

/**
 * Returns the meaning of a failed request for the load of its vault; see `Verdict` and {@link retryAfter} about `now`.
 */
export function judge(error: unknown, now: number): Verdict {
  if (error instanceof Challenge) return 'answered';
  if (!isRestError(error) || error.statusCode === undefined) return undefined;
  const retryAfterMs = retryAfter((name) => error.response?.headers.get(name), now);
  if (error.statusCode === 429 || (error.statusCode === 503 && retryAfterMs !== undefined)) return { retryAfterMs };
  return error.statusCode < 500 ? 'answered' : undefined;
}

/** Returns true if a vault asked to wait. */
export function isThrottling(error: unknown): boolean {
  return typeof judge(error, 0) === 'object';
}
