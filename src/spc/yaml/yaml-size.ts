/**
 * Estimates how long a YAML text takes to read, without reading it. Called before texts of parameters are parsed, so
 * that a long one is refused first.
 */

const SPACE = new Set([...' \t\r\n'].map((char) => char.charCodeAt(0)));
const ALWAYS = new Set([...'\r\n[]{},&*!#"\''].map((char) => char.charCodeAt(0)));
/** Signs only before a space: names hold dashes and colons too. */
const BEFORE_SPACE = new Set([...'-:?'].map((char) => char.charCodeAt(0)));

/**
 * Counts the lines, entries, brackets, quotes and anchors of a YAML text without reading it. The parser takes some
 * microseconds for each, and hardly any time for other characters. Counting stops above `max`.
 */
export function yamlSize(text: string, max: number): number {
  let size = 1;
  for (let i = 0; i < text.length && size <= max; i++) {
    const char = text.charCodeAt(i);
    if (ALWAYS.has(char)) size++;
    else if (BEFORE_SPACE.has(char) && (i + 1 === text.length || SPACE.has(text.charCodeAt(i + 1)))) size++;
  }
  return size;
}
