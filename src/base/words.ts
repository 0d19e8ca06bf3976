/**
 * Helps to write messages: names the known word nearest to a misspelt one, lists words, and makes the text of a caller
 * or server short and printable. Words longer than a hundred characters are not compared.
 */

import { printable } from './printable.ts';

const MAX_SHOWN = 200;
/** Maximum number of words that are searched for a misspelt one. */
const MAX_GIVEN = 100;
/** Longest word that is compared; no known name has half as many characters. */
const MAX_COMPARED = 100;

/** The known name nearest to `word` (edit distance at most a third of its length, case ignored), if there is one. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  if (word.length > MAX_COMPARED) return undefined;
  const limit = Math.max(1, Math.floor(word.length / 3));
  const lower = word.toLowerCase();
  let best: { name: string; distance: number } | undefined;
  for (const name of known) {
    if (Math.abs(name.length - word.length) > limit) continue;
    const distance = editDistance(lower, name.toLowerCase(), limit);
    if (distance <= limit && (best === undefined || distance < best.distance)) best = { name, distance };
  }
  return best?.name;
}

/** The word among `given` that is unknown and looks like a misspelt `name`, if there is one. */
export function misspelt(name: string, given: readonly string[], known: readonly string[]): string | undefined {
  return given
    .slice(0, MAX_GIVEN)
    .find((word) => !known.includes(word) && nearest(word, known)?.toLowerCase() === name.toLowerCase());
}

/** Words as a list in a message: `"a", "b" or "c"`. */
export function oneOf(words: readonly string[]): string {
  const quoted = words.map((word) => `"${word}"`);
  const last = quoted.pop() ?? '';
  return quoted.length === 0 ? last : `${quoted.join(', ')} or ${last}`;
}

/** A number with its noun, such as `1 error` and `2 errors`. */
export function counted(count: number, noun: string, plural = 's'): string {
  return `${count} ${noun}${count === 1 ? '' : plural}`;
}

/** A foreign text for a message, cut to a length that can be read. */
export function clip(text: string): string {
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;
}

/** A foreign text for a message: in quotes, printable, on one line, cut to a length that can be read. */
export function quote(text: string): string {
  return printable(JSON.stringify(clip(text)));
}

/**
 * The number of insertions, deletions, substitutions and swaps of neighbours (optimal string alignment) between two
 * words. The computation stops with a number above `limit` when the distance cannot be less.
 */
function editDistance(a: string, b: string, limit: number): number {
  let beforePrevious: readonly number[] = [];
  let previous: readonly number[] = Array.from({ length: b.length + 1 }, (_, j) => j);
  let leastBefore = 0;
  for (let i = 1; i <= a.length; i++) {
    const current = nextRow({ a, b, i, previous, beforePrevious });
    const least = Math.min(...current);
    // A swap uses the row before the previous one.
    if (least > limit && leastBefore > limit) return least;
    leastBefore = least;
    beforePrevious = previous;
    previous = current;
  }
  return previous[b.length] ?? 0;
}

interface Rows {
  readonly a: string;
  readonly b: string;
  /** Number of the row, which is the length of the part of `a` that is compared. */
  readonly i: number;
  readonly previous: readonly number[];
  readonly beforePrevious: readonly number[];
}

/** One row of the table: the distances of the first `i` characters of `a` to each beginning of `b`. */
function nextRow({ a, b, i, previous, beforePrevious }: Rows): readonly number[] {
  const row = [i];
  for (let j = 1; j <= b.length; j++) {
    const substitution = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
    const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
    const swap = isSwap ? (beforePrevious[j - 2] ?? 0) + 1 : substitution;
    row[j] = Math.min((previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, substitution, swap);
  }
  return row;
}

/** A date for a message, in milliseconds since 1970, to the minute: the same at each attempt. */
export function minuteOf(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 16)}Z`;
}
