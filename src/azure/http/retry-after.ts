/**
 * Reads from an answer how long its host asks to wait. Called when Entra ID, IMDS or a vault refuses a request because
 * of load. Refuses texts that are neither a number nor a date of HTTP: they count as absent.
 */

/** A Mount without a deadline fails at once if it would have to wait for longer than this; see `FetchContext.hasty`. */
export const HASTY_PAUSE_MS = 5_000;

/** Headers that give the wait in milliseconds. */
export const RETRY_AFTER_MS_HEADERS = ['retry-after-ms', 'x-ms-retry-after-ms'] as const;

/**
 * Returns how long an answer asks to wait, in milliseconds, by the three headers that Azure's services use, or
 * undefined if none of them can be read. A date in `Retry-After` counts from the answer's own `Date`, and without one
 * from `now`.
 */
export function retryAfter(header: (name: string) => string | undefined, now: number): number | undefined {
  for (const name of RETRY_AFTER_MS_HEADERS) {
    const ms = number(header(name));
    if (ms !== undefined) return ms;
  }
  const after = header('retry-after');
  const seconds = number(after);
  if (seconds !== undefined) return seconds * 1000;
  const date = httpDate(after);
  // The clock of the node may be wrong.
  return date === undefined ? undefined : Math.max(0, date - (httpDate(header('date')) ?? now));
}

/** Parses an HTTP date, which begins with a weekday. `Date.parse` alone reads "-5" as a month. */
function httpDate(text: string | undefined): number | undefined {
  const at = /^\s*[A-Z][a-z]+,? /.test(text ?? '') ? Date.parse(text ?? '') : Number.NaN;
  return Number.isNaN(at) ? undefined : at;
}

function number(text: string | undefined): number | undefined {
  return text !== undefined && /^\s*\d+(\.\d+)?\s*$/.test(text) ? Number(text) : undefined;
}
