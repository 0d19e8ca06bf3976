import { printable } from './printable.ts';

const MAX_SHOWN = 200;
/** Words that are searched for a misspelt one. */
const MAX_GIVEN = 100;
/** No known name has half as many characters. */
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

/** `"a", "b" or "c"`. */
export function oneOf(words: readonly string[]): string {
  const quoted = words.map((word) => `"${word}"`);
  const last = quoted.pop() ?? '';
  return quoted.length === 0 ? last : `${quoted.join(', ')} or ${last}`;
}

/** A text of somebody else for a message: short enough to read. */
export function clip(text: string): string {
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;
}

/** A text of somebody else for a message: in quotes, printable, on one line, short enough to read. */
export function quote(text: string): string {
  return printable(JSON.stringify(clip(text)));
}

/**
 * Insertions, deletions, substitutions and swaps of neighbours (optimal string alignment). Ends with a number above
 * `limit` as soon as it cannot be less.
 */
function editDistance(a: string, b: string, limit: number): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  let leastBefore = 0;
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    let least = i;
    for (let j = 1; j <= b.length; j++) {
      const substitution = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swap =
        i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
          ? (beforePrevious[j - 2] ?? 0) + 1
          : substitution;
      const cell = Math.min((previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1, substitution, swap);
      current[j] = cell;
      if (cell < least) least = cell;
    }
    // A swap looks back two rows.
    if (least > limit && leastBefore > limit) return least;
    leastBefore = least;
    beforePrevious = previous;
    previous = current;
  }
  return previous[b.length] ?? 0;
}
