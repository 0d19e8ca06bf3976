/**
 * Turns offsets in a text into lines and columns, as editors count them, and finds the part of a text that an offset is
 * in. Called by find.ts for its remarks, and by the filter `render --into`.
 */

/** A place in a text; both numbers are from 1. */
export interface LineAndColumn {
  readonly line: number;
  readonly column: number;
}

/**
 * Returns a function from offsets of a text to lines and columns. The text is read once, before the function returns.
 */
export function linesOf(text: string): (offset: number) => LineAndColumn {
  const starts = [0];
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return (offset) => {
    const line = lastUpTo(starts, offset);
    return { line: line + 1, column: offset - (starts[line] ?? 0) + 1 };
  };
}

/** Returns the index of the last of several ascending numbers that is not larger than a limit; 0 if all are larger. */
export function lastUpTo(ascending: readonly number[], limit: number): number {
  let [low, high] = [0, ascending.length];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((ascending[middle] ?? 0) <= limit) low = middle;
    else high = middle;
  }
  return low;
}
