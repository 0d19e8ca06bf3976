/**
 * Makes foreign text safe to show. Messages of Mounts, gRPC statuses, metric labels and log lines pass through it when
 * they leave the program. It escapes every character that can mislead a terminal, a log reader or a person. It refuses
 * nothing.
 */

/** Control characters, line and paragraph separators, direction and invisible formatting marks, and lone surrogates. */
const UNPRINTABLE =
  /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u{ad}\u{61c}\u{180e}\u{200b}\u{200e}\u{200f}\u{202a}-\u{202e}\u{2060}-\u{206f}\u{feff}\u{fff9}-\u{fffb}\u{e0000}-\u{e007f}]/gu;
const BREAKS = new Set(['\t', '\n', '\r']);
const SHORT: Readonly<Record<string, string>> = { '\t': '\\t', '\n': '\\n', '\r': '\\r' };

/** The text on one line; every unprintable character is written as `\n`, `\x1b`, `\u202e` or `\u{e0001}`. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, escaped);
}

/** As {@link printable}, but tabs and line breaks stay: for texts of several lines. */
export function printableLines(text: string): string {
  return text.replace(UNPRINTABLE, (char) => (BREAKS.has(char) ? char : escaped(char)));
}

/** As {@link printable}, with the escapes of JSON: for texts that are JSON already. */
export function escapedUnits(json: string): string {
  return json.replace(UNPRINTABLE, unicodeEscapes);
}

/** A value as JSON over several lines, escaped as by {@link escapedUnits}: what a command prints. */
export function printableJson(value: object): string {
  return `${JSON.stringify(value, undefined, 2).split('\n').map(escapedUnits).join('\n')}\n`;
}

/** Every code unit of a text as `\u202e`: the escapes of JSON, of YAML in double quotes, and of Java. */
export function unicodeEscapes(text: string): string {
  const hexAt = (at: number) => text.charCodeAt(at).toString(16).padStart(4, '0');
  return Array.from({ length: text.length }, (_, at) => `\\u${hexAt(at)}`).join('');
}

function escaped(char: string): string {
  const code = char.codePointAt(0) ?? 0;
  const hex = code.toString(16);
  if (code > 0xffff) return `\\u{${hex}}`;
  return SHORT[char] ?? (code > 0xff ? `\\u${hex.padStart(4, '0')}` : `\\x${hex.padStart(2, '0')}`);
}
