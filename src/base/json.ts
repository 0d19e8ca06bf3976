/**
 * Parses JSON that a caller sends, such as the attributes of a Mount. The text is measured before it is parsed, since
 * the parser needs memory and time for every value and level. Text that is too long, has too many entries, nests too
 * deep or is not JSON is refused. Messages do not quote the text, which may hold secrets.
 */

/** Upper limits of a JSON text. */
export interface JsonLimits {
  readonly bytes: number;
  /** Entries of all objects and arrays together. */
  readonly entries: number;
  /** Nesting of objects and arrays; a scalar has depth 0. */
  readonly depth: number;
  /** Refuses an object with two members of one name, of which parsers take different ones. */
  readonly unique?: true;
}

/** The parsed value, or the reason why the text was refused. */
export type ParsedJson =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly reason: string };

/** Parses a JSON text that is within the limits. */
export function parseJson(text: string, limits: JsonLimits): ParsedJson {
  const excess = jsonExcess(text, limits);
  if (excess !== undefined) return { ok: false, reason: excess };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    const empty = text.trim() === '';
    return { ok: false, reason: empty ? 'unexpected end of JSON input' : 'it is not valid JSON' };
  }
  if (limits.unique && memberCount(value) < jsonSize(text).members) {
    return { ok: false, reason: 'an object in it has two members of one name' };
  }
  return { ok: true, value };
}

/** The members of a JSON object, by name. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** True for an object, which is no array and not null. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The members of a JSON object; none if the value is something else. */
export function membersOf(value: unknown): JsonObject {
  return isJsonObject(value) ? value : {};
}

/** The value of a JSON text whose length is bounded already; undefined if it is no JSON. */
export function jsonValue(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The number of members of all objects in a parsed value. */
function memberCount(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  const inside = Object.values(value).reduce<number>((sum, one) => sum + memberCount(one), 0);
  return inside + (Array.isArray(value) ? 0 : Object.keys(value).length);
}

/** The limit that a JSON text exceeds, with both numbers; undefined if there is none. The text is not parsed. */
export function jsonExcess(text: string, limits: JsonLimits): string | undefined {
  const bytes = Buffer.byteLength(text);
  if (bytes > limits.bytes) return `it has ${bytes} bytes, more than ${limits.bytes}`;
  const { entries, depth } = jsonSize(text);
  if (entries > limits.entries) return `it holds ${entries} entries, more than ${limits.entries}`;
  if (depth > limits.depth) return `it nests ${depth} levels deep, more than ${limits.depth}`;
  return undefined;
}

const [QUOTE, BACKSLASH, COMMA, COLON] = [0x22, 0x5c, 0x2c, 0x3a];
const OPENING = new Set([0x5b, 0x7b]);
const CLOSING = new Set([0x5d, 0x7d]);

/** Counts the entries, levels and members of a JSON text in one pass, without the content of strings. */
function jsonSize(text: string): { readonly entries: number; readonly depth: number; readonly members: number } {
  let [entries, depth, open, members] = [0, 0, 0, 0];
  for (let i = 0; i < text.length; i++) {
    const char = text.charCodeAt(i);
    if (char === QUOTE) i = endOfString(text, i);
    else if (char === COMMA) entries++;
    else if (char === COLON) members++;
    else if (OPENING.has(char)) {
      entries++;
      depth = Math.max(depth, ++open);
    } else if (CLOSING.has(char)) open--;
  }
  return { entries, depth, members };
}

/**
 * Position of the closing quote of the string that begins at `start`; the length of the text or more if it is missing.
 */
function endOfString(text: string, start: number): number {
  let end = start + 1;
  while (end < text.length && text.charCodeAt(end) !== QUOTE) end += text.charCodeAt(end) === BACKSLASH ? 2 : 1;
  return end;
}
