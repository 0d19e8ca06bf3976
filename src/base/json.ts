// Reads JSON that a caller sends. The text is measured before it is parsed: the parser takes memory and time for every
// value and every level, whatever becomes of them. Refuses what is too long, holds too many entries, nests too deep or is
// no JSON. Nothing that is said quotes the text: it may hold tokens and secrets.

/** The most that a JSON text may be. */
export interface JsonLimits {
  readonly bytes: number;
  /** Of all its objects and arrays together. */
  readonly entries: number;
  /** Of objects and arrays in one another; 0 is a text without any. */
  readonly depth: number;
}

/** The value, or why there is none. */
export type ParsedJson =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly reason: string };

/** Parses a JSON text that stays within its limits. */
export function parseJson(text: string, limits: JsonLimits): ParsedJson {
  const excess = jsonExcess(text, limits);
  if (excess !== undefined) return { ok: false, reason: excess };
  try {
    return { ok: true, value: JSON.parse(text) };
  } catch {
    const empty = text.trim() === '';
    return { ok: false, reason: empty ? 'unexpected end of JSON input' : 'it is not valid JSON' };
  }
}

/** By what a JSON text exceeds its limits, with both numbers; undefined where it does not. Nothing is parsed. */
export function jsonExcess(text: string, limits: JsonLimits): string | undefined {
  const bytes = Buffer.byteLength(text);
  if (bytes > limits.bytes) return `it has ${bytes} bytes, more than ${limits.bytes}`;
  const { entries, depth } = jsonSize(text);
  if (entries > limits.entries) return `it holds ${entries} entries, more than ${limits.entries}`;
  if (depth > limits.depth) return `it nests ${depth} levels deep, more than ${limits.depth}`;
  return undefined;
}

const [QUOTE, BACKSLASH, COMMA] = [0x22, 0x5c, 0x2c];
const OPENING = new Set([0x5b, 0x7b]);
const CLOSING = new Set([0x5d, 0x7d]);

/** How much there is to parse in a JSON text: counted in one pass over its signs, strings skipped. */
function jsonSize(text: string): Pick<JsonLimits, 'entries' | 'depth'> {
  let [entries, depth, open] = [0, 0, 0];
  for (let i = 0; i < text.length; i++) {
    const char = text.charCodeAt(i);
    if (char === QUOTE) i = endOfString(text, i);
    else if (char === COMMA) entries++;
    else if (OPENING.has(char)) {
      entries++;
      depth = Math.max(depth, ++open);
    } else if (CLOSING.has(char)) open--;
  }
  return { entries, depth };
}

/** Position of the closing quote of the string that begins at `start`; the text's length where there is none. */
function endOfString(text: string, start: number): number {
  let end = start + 1;
  while (end < text.length && text.charCodeAt(end) !== QUOTE) end += text.charCodeAt(end) === BACKSLASH ? 2 : 1;
  return end;
}
