/**
 * Values in the notation of Go, which the official provider reads from manifests and flags.
 * Called by the readers of parameters and of flags.
 */

import { MAX_TIMER_MS } from './clock.ts';

/** A boolean as Go's `strconv.ParseBool` reads it; undefined for any other text. */
export function parseGoBoolean(text: string): boolean | undefined {
  if (/^(1|t|T|TRUE|true|True)$/.test(text)) return true;
  return /^(0|f|F|FALSE|false|False)$/.test(text) ? false : undefined;
}

const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/** The rule of {@link parseGoDuration}, for messages. */
export const DURATION_RULE = 'a duration such as 500ms, 30s, 2m or 1h, at most 596h';

/** A duration as Go's `time.ParseDuration` reads it, in milliseconds; undefined for any other text. */
export function parseGoDuration(text: string): number | undefined {
  if (text === '0') return 0;
  if (!/^((\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h))+$/.test(text)) return undefined;
  let total = 0;
  for (const [, amount, unit = ''] of text.matchAll(/([\d.]+)([a-zµμ]+)/g))
    total += Number(amount) * (UNIT_MS[unit] ?? 0);
  return total <= MAX_TIMER_MS ? total : undefined;
}

const UNITS: readonly (readonly [string, number])[] = [
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
];

/** Writes milliseconds as {@link parseGoDuration} reads them, in whole seconds, such as `1h30m`; `0s` below one second. */
export function goDuration(ms: number): string {
  let left = ms;
  const parts = UNITS.map(([unit, unitMs]) => {
    const amount = Math.floor(left / unitMs);
    left -= amount * unitMs;
    return amount === 0 ? '' : `${amount}${unit}`;
  });
  return parts.join('') || '0s';
}
