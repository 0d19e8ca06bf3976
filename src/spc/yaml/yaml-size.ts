const SPACE = new Set([...' \t\r\n'].map((char) => char.charCodeAt(0)));
const ALWAYS = new Set([...'\r\n[]{},&*!#"\''].map((char) => char.charCodeAt(0)));
/** Signs only before a space: names hold dashes and colons too. */
const BEFORE_SPACE = new Set([...'-:?'].map((char) => char.charCodeAt(0)));

/**
 * How much there is to read in a YAML text: its lines, entries, brackets, quotes and anchors, counted without reading it.
 * The parser's time goes with them, some microseconds each, and hardly with the text's length. Counting stops above `max`.
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
