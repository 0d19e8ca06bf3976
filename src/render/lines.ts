/** Turns offsets in a text into lines and columns, as editors count them. Called by find.ts for its remarks. */

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
    let [low, high] = [0, starts.length];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle;
    }
    return { line: low + 1, column: offset - (starts[low] ?? 0) + 1 };
  };
}
