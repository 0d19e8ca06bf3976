import { isRestError } from '@azure/core-rest-pipeline';
import { Challenge } from './challenge.ts';
import type { Verdict } from './gate.ts';

/** What a failed request says about the load of its vault; a date in `Retry-After` counts from `now`. */
export function judge(error: unknown, now: number): Verdict {
  if (error instanceof Challenge) return 'answered';
  if (!isRestError(error) || error.statusCode === undefined) return undefined;
  const retryAfterMs = retryAfter((name) => error.response?.headers.get(name), now);
  if (error.statusCode === 429 || (error.statusCode === 503 && retryAfterMs !== undefined)) return { retryAfterMs };
  return error.statusCode < 500 ? 'answered' : undefined;
}

/** Whether a vault asked to wait. */
export function isThrottling(error: unknown): boolean {
  return typeof judge(error, 0) === 'object';
}

/** Headers that say for how many milliseconds to wait. */
export const RETRY_AFTER_MS_HEADERS = ['retry-after-ms', 'x-ms-retry-after-ms'] as const;

/** How long an answer asks to wait, in milliseconds, by the three headers that Azure's services use. */
export function retryAfter(header: (name: string) => string | undefined, now: number): number | undefined {
  for (const name of RETRY_AFTER_MS_HEADERS) {
    const ms = number(header(name));
    if (ms !== undefined) return ms;
  }
  const after = header('retry-after');
  const seconds = number(after);
  if (seconds !== undefined) return seconds * 1000;
  const date = httpDate(after);
  // By the clock that the date is of, where it tells: the node's may be wrong.
  return date === undefined ? undefined : Math.max(0, date - (httpDate(header('date')) ?? now));
}

/** A date of HTTP begins with its weekday; `Date.parse` alone would take "-5" for a month. */
function httpDate(text: string | undefined): number | undefined {
  const at = /^\s*[A-Z][a-z]+,? /.test(text ?? '') ? Date.parse(text ?? '') : Number.NaN;
  return Number.isNaN(at) ? undefined : at;
}

function number(text: string | undefined): number | undefined {
  return text !== undefined && /^\s*\d+(\.\d+)?\s*$/.test(text) ? Number(text) : undefined;
}
