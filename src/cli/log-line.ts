/**
 * Writes one line of the log, as logfmt or as JSON. The logger of `serve` calls it. A line is bounded in bytes, and
 * holds no character that misleads a terminal or a parser. It refuses nothing: a value that cannot be written is
 * replaced.
 */

import { escapedUnits } from '../base/printable.ts';

/** The limit of a line in bytes, with its line break; log pipelines do not split lines of this size. */
export const MAX_LINE_BYTES = 8192;
/** The mark at the end of a value that was cut. */
export const CUT_MARK = '… [cut]';

/** Names and values in the order of the line. */
export type LineFields = readonly (readonly [string, unknown])[];

/** Returns the line. If it is too long, the longest values are cut. */
export function logLine(fields: LineFields, json: boolean): string {
  const encode = json ? jsonPair : logfmtPair;
  const [open, separator, close] = json ? ['{', ',', '}\n'] : ['', ' ', '\n'];
  const pairs = fields.map(([name, value]) => {
    const data = bounded(plainOf(value));
    return { name, data, text: encode(name, data) };
  });
  const line = () => `${open}${pairs.map(({ text }) => text).join(separator)}${close}`;
  for (let cuts = 0; cuts < pairs.length; cuts++) {
    const excess = Buffer.byteLength(line()) - MAX_LINE_BYTES;
    if (excess <= 0) break;
    const longest = pairs.reduce((most, pair) => (bytesOf(pair) > bytesOf(most) ? pair : most));
    const room = bytesOf(longest) - excess;
    longest.text = longestWithin(room, messageText(longest.data), (value) => encode(longest.name, value));
  }
  return line();
}

function bytesOf({ text }: { readonly text: string }): number {
  return Buffer.byteLength(text);
}

/** Returns the longest beginning of `text` that, encoded and with the mark, has at most `room` bytes. */
function longestWithin(room: number, text: string, encode: (value: string) => string): string {
  const of = (length: number) => encode(cutAt(text, length));
  let [fits, above] = [0, text.length];
  while (above - fits > 1) {
    const middle = (fits + above) >> 1;
    if (Buffer.byteLength(of(middle)) <= room) fits = middle;
    else above = middle;
  }
  return of(fits);
}

/** Returns the first `length` UTF-16 units, without half a surrogate pair, and the mark. */
function cutAt(text: string, length: number): string {
  return `${text.slice(0, length).replace(/[\ud800-\udbff]$/, '')}${CUT_MARK}`;
}

function bounded(data: unknown): unknown {
  if (typeof data === 'object' && data !== null) return data;
  const isLong = typeof data === 'string' && data.length > MAX_LINE_BYTES;
  return isLong ? cutAt(data, MAX_LINE_BYTES) : data;
}

function jsonPair(name: string, data: unknown): string {
  return `${escapedUnits(JSON.stringify(name))}:${escapedUnits(JSON.stringify(data))}`;
}

/** Quotes a value that is not a plain word, with the escapes of JSON, which logfmt has too. */
function logfmtPair(name: string, data: unknown): string {
  const text = messageText(data);
  return `${name}=${/^[!#-<>-[\]-~]+$/.test(text) ? text : escapedUnits(JSON.stringify(text))}`;
}

function messageText(data: unknown): string {
  return typeof data === 'string' ? data : JSON.stringify(data);
}

/** Returns a field as data that JSON can hold. */
function plainOf(value: unknown): unknown {
  try {
    return JSON.stringify(value) === undefined ? String(value) : JSON.parse(JSON.stringify(value));
  } catch {
    return '[not printable]';
  }
}
