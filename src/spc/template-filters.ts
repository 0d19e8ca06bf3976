/**
 * The filters of templates: each writes a text so that a reader of its format gets the text back. The reader of templates
 * looks up their names here, and `mount/templates.ts` calls them. They refuse texts that a format cannot hold.
 */

import { unicodeEscapes } from '../base/printable.ts';
import { jsonForYaml } from './yaml/json-text.ts';

/** A filter was given a text that its format cannot hold. The message holds nothing of the text. */
export class UnfitText extends Error {}

const NOT_ASCII = /[^\x20-\x7e]/g;
const SHORT_ESCAPES: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\f': '\\f' };

/** The filters by name. */
export const FILTERS = {
  /** A text of JSON, with its quotes. */
  json: (text: string) => JSON.stringify(text),
  /** A scalar of YAML, in double quotes. */
  yaml: (text: string) => jsonForYaml(JSON.stringify(text)),
  /** A key or value for `java.util.Properties`, in ASCII. */
  properties: (text: string) =>
    text
      .replace(/[\\=:#!]/g, '\\$&')
      .replace(/^ +/, (blanks) => '\\ '.repeat(blanks.length))
      .replace(NOT_ASCII, (char) => SHORT_ESCAPES[char] ?? unicodeEscapes(char)),
  /** A value for a .env file, in quotes; a shell reads it too. */
  dotenv: (text: string) => (/['\\]/.test(withoutNul(text)) ? `"${text.replace(/[\\"$`]/g, '\\$&')}"` : `'${text}'`),
  /** One word of a POSIX shell. */
  shell: (text: string) => `'${withoutNul(text).replaceAll("'", "'\\''")}'`,
  /** A part of a URI. */
  uri: (text: string) => encodeURIComponent(text),
  base64: (text: string) => Buffer.from(text).toString('base64'),
  trim: (text: string) => text.trim(),
} as const satisfies Record<string, (text: string) => string>;

/** The name of a filter. */
export type FilterName = keyof typeof FILTERS;

/** The names of all filters. */
export const FILTER_NAMES = Object.keys(FILTERS) as readonly FilterName[];

function withoutNul(text: string): string {
  if (text.includes('\0')) throw new UnfitText('the text holds a NUL byte, which the format cannot');
  return text;
}
