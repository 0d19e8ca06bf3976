/**
 * Finds the type of a YAML scalar by its tag and text, as Go's yaml.v3 does if text or a number is wanted. Called by
 * yaml-tree.ts and scalar.ts. Refuses a text that does not fit its tag.
 */

import { decodeBase64 } from '../../base/encoding.ts';
import type { ScalarNode, YamlNode } from './yaml-nodes.ts';

/** The value of a scalar; `quoted` is true if it is always text, even if it looks like a number or a boolean. */
export type ReadScalar =
  | { readonly kind: 'null' }
  | { readonly kind: 'text'; readonly text: string; readonly quoted: boolean }
  | { readonly kind: 'wrong'; readonly message: string };

/** Texts that are null unless they are in quotes. */
export const NULL_WORDS: ReadonlySet<string> = new Set(['', '~', 'null', 'Null', 'NULL']);

const PREFIX = 'tag:yaml.org,2002:';

/** Types that the text of a tag may have; other tags take any text. */
const FORMS: ReadonlyMap<string, readonly ScalarType[]> = new Map([
  ['!!int', ['int']],
  ['!!float', ['float', 'int']],
  ['!!bool', ['bool']],
  ['!!null', ['null']],
  ['!!timestamp', ['timestamp']],
]);

/** Type of a text without quotes. */
export type ScalarType = 'null' | 'bool' | 'int' | 'float' | 'timestamp' | 'merge' | 'str';

/** Returns the scalar as the official provider reads it. */
export function readScalar({ text, style, tag }: ScalarNode): ReadScalar {
  const short = shortTag(tag);
  const quoted = style !== 'plain';
  if (short === '' || short === '!') {
    if (!quoted && NULL_WORDS.has(text)) return { kind: 'null' };
    return { kind: 'text', text, quoted: style === 'quoted' };
  }
  if (short === '!!binary') return binary(text);
  const forms = FORMS.get(short);
  if (forms === undefined) return { kind: 'text', text, quoted: true };
  const type = typeOf(text, short);
  if (!forms.includes(type)) return { kind: 'wrong', message: `cannot decode !!${type} as a ${short}` };
  return type === 'null' ? { kind: 'null' } : { kind: 'text', text, quoted: false };
}

/** True for the key whose value is merged into its map. */
export function isMerge(key: YamlNode): boolean {
  if (key.kind !== 'scalar' || key.text !== '<<') return false;
  const tag = shortTag(key.tag);
  return tag === '!!merge' || ((tag === '' || tag === '!') && key.style === 'plain');
}

function shortTag(tag: string): string {
  return tag.startsWith(PREFIX) ? `!!${tag.slice(PREFIX.length)}` : tag;
}

function binary(text: string): ReadScalar {
  const decoded = decodeBase64(text);
  if (!decoded.ok) return { kind: 'wrong', message: '!!binary value contains invalid base64 data' };
  return { kind: 'text', text: decoded.bytes.toString('utf8'), quoted: true };
}

/** Returns the type of a text without quotes. A date is a timestamp with the tag `!!timestamp` and without a tag. */
export function typeOf(text: string, tag = ''): ScalarType {
  if (NULL_WORDS.has(text)) return 'null';
  if (text === '<<') return 'merge';
  if (/^(true|True|TRUE|false|False|FALSE)$/.test(text)) return 'bool';
  if (/^[-+]?\.(inf|Inf|INF)$|^\.(nan|NaN|NAN)$/.test(text)) return 'float';
  if ((tag === '' || tag === '!!timestamp') && isTimestamp(text)) return 'timestamp';
  const number = goNumber(text);
  if (Number.isNaN(number)) return 'str';
  // A zero in front makes it octal, and 08 a float.
  return /^[-+]?(0[xbo]|(0[0-7]*|[1-9]\d*)$)/i.test(withoutUnderscores(text)) && isInt64(number) ? 'int' : 'float';
}

function isInt64(number: number): boolean {
  return number >= -(2 ** 63) && number < 2 ** 64;
}

function isTimestamp(text: string): boolean {
  const parts =
    /^(\d{4})-(\d{1,2})-(\d{1,2})(?:(?:[Tt]|[ \t]+)(\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.\d*)?(?:[ \t]*(?:Z|[-+]\d\d?(?::?\d\d)?))?)?$/.exec(
      text,
    );
  if (parts === null) return false;
  const [year = 0, month = 0, day = 0, hours = 0, minutes = 0, seconds = 0] = parts
    .slice(1)
    .map((part) => Number(part ?? 0));
  const date = new Date(Date.UTC(year, month - 1, day));
  return date.getUTCMonth() + 1 === month && date.getUTCDate() === day && hours < 24 && minutes < 60 && seconds < 60;
}

/** Returns a number as Go's YAML reader resolves it, or NaN for everything else. */
export function goNumber(text: string): number {
  const [, sign = '', digits = ''] = /^([-+]?)([.\d].*)$/s.exec(withoutUnderscores(text)) ?? [];
  const signed = (value: number) => (sign === '-' ? -value : value);
  if (/^0[xbo][0-9a-f]+$/i.test(digits)) return signed(Number(digits));
  if (/^0[0-7]+$/.test(digits)) return signed(Number.parseInt(digits, 8));
  const value = /^(\.\d+|\d+(\.\d*)?)(e[-+]?\d+)?$/i.test(digits) ? Number(digits) : Number.NaN;
  return Number.isFinite(value) ? signed(value) : Number.NaN;
}

/** Removes underscores, which may be between digits, and in Go also between a sign and the first digit. */
function withoutUnderscores(text: string): string {
  return text.slice(0, 1) + text.slice(1).replaceAll('_', '');
}
