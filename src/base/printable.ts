// Makes text of others safe to show. Used where a text leaves the program: the message of a Mount, a gRPC status, a
// metric label, a log line. Nothing is refused: what a terminal, a log reader or a person could take for something else
// is escaped.

/** Control characters, line and paragraph separators, direction and invisible formatting marks, and half surrogate pairs. */
const UNPRINTABLE =
  /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u{ad}\u{61c}\u{180e}\u{200b}\u{200e}\u{200f}\u{202a}-\u{202e}\u{2060}-\u{206f}\u{feff}\u{fff9}-\u{fffb}\u{e0000}-\u{e007f}]/gu;
const BREAKS = new Set(['\t', '\n', '\r']);
const SHORT: Readonly<Record<string, string>> = { '\t': '\\t', '\n': '\\n', '\r': '\\r' };

/** The text on one line, with every character that is not printable written as `\n`, `\x1b`, `\u202e` or `\u{e0001}`. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, escaped);
}

/** The same, with tabs and line breaks left as they are: for texts that are meant to have several lines. */
export function printableLines(text: string): string {
  return text.replace(UNPRINTABLE, (char) => (BREAKS.has(char) ? char : escaped(char)));
}

/** The same in the escapes of JSON, for texts that are JSON already. */
export function escapedUnits(json: string): string {
  return json.replace(UNPRINTABLE, (char) =>
    Array.from({ length: char.length }, (_, at) => `\\u${char.charCodeAt(at).toString(16).padStart(4, '0')}`).join(''),
  );
}

function escaped(char: string): string {
  const code = char.codePointAt(0) ?? 0;
  const hex = code.toString(16);
  if (code > 0xffff) return `\\u{${hex}}`;
  return SHORT[char] ?? (code > 0xff ? `\\u${hex.padStart(4, '0')}` : `\\x${hex.padStart(2, '0')}`);
}
