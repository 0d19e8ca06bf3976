/**
 * Reads the tags and directives of YAML. Called by the scanner. Refuses directives other than %YAML and %TAG.
 */

import { isBreakOrEnd, isSpaceOrEnd, isWordChar, YamlProblem, type YamlSource } from './yaml-source.ts';

/** A directive: `text` is the version, or the prefix that `handle` stands for. */
export interface Directive {
  readonly kind: 'version directive' | 'tag directive';
  readonly text: string;
  readonly handle: string;
}

const URI_CHARS = new Set([...";/?:@&=+$.,!~*'()%[]"]);
const MAX_DIGITS = 9;

/** Reads a directive with its line. */
export function readDirective(source: YamlSource): Directive {
  const { mark } = source;
  source.skip();
  const name = readWord(source);
  if (name === '') throw new YamlProblem(mark, 'could not find expected directive name');
  if (!isSpaceOrEnd(source.peek())) throw new YamlProblem(mark, 'found unexpected non-alphabetical character');
  source.skipBlanks();
  const directive = name === 'YAML' ? readVersion(source) : name === 'TAG' ? readPrefix(source) : undefined;
  if (directive === undefined) throw new YamlProblem(mark, 'found unknown directive name');
  source.skipBlanks();
  if (source.peek() === '#') source.readRest();
  if (!isBreakOrEnd(source.peek())) throw new YamlProblem(mark, 'did not find expected comment or line break');
  if (!source.atEnd) source.readBreak();
  return directive;
}

function readVersion(source: YamlSource): Directive {
  const major = readNumber(source);
  if (source.peek() !== '.') throw new YamlProblem(source, "did not find expected digit or '.' character");
  source.skip();
  return { kind: 'version directive', text: `${major}.${readNumber(source)}`, handle: '' };
}

function readNumber(source: YamlSource): number {
  let digits = '';
  while (/^[0-9]$/.test(source.peek())) digits += source.read();
  if (digits === '') throw new YamlProblem(source, 'did not find expected version number');
  if (digits.length > MAX_DIGITS) throw new YamlProblem(source, 'found extremely long version number');
  return Number(digits);
}

function readPrefix(source: YamlSource): Directive {
  const handle = readHandle(source);
  if (handle !== '!' && !handle.endsWith('!')) throw new YamlProblem(source, "did not find expected '!'");
  if (!isSpaceOrEnd(source.peek()) || isBreakOrEnd(source.peek()))
    throw new YamlProblem(source, 'did not find expected whitespace');
  source.skipBlanks();
  const text = readUri(source, '');
  if (!isSpaceOrEnd(source.peek())) throw new YamlProblem(source, 'did not find expected whitespace or line break');
  return { kind: 'tag directive', text, handle };
}

/** Reads a tag: its handle, which is empty if the rest is the whole tag, and the rest. */
export function readTag(source: YamlSource): { readonly handle: string; readonly text: string } {
  const { mark } = source;
  const tag = source.peek(1) === '<' ? readVerbatim(source) : readShort(source);
  if (!isSpaceOrEnd(source.peek())) throw new YamlProblem(mark, 'did not find expected whitespace or line break');
  return tag;
}

function readVerbatim(source: YamlSource): { handle: string; text: string } {
  source.skip(2);
  const text = readUri(source, '');
  if (source.peek() !== '>') throw new YamlProblem(source, "did not find the expected '>'");
  source.skip();
  return { handle: '', text };
}

function readShort(source: YamlSource): { handle: string; text: string } {
  const handle = readHandle(source);
  if (handle.length > 1 && handle.endsWith('!')) return { handle, text: readUri(source, '') };
  const text = readUri(source, handle.slice(1), handle !== '');
  return text === '' ? { handle: '', text: '!' } : { handle: '!', text };
}

function readHandle(source: YamlSource): string {
  if (source.peek() !== '!') throw new YamlProblem(source, "did not find expected '!'");
  const handle = source.read() + readWord(source);
  return source.peek() === '!' ? handle + source.read() : handle;
}

function readUri(source: YamlSource, head: string, mayBeEmpty = false): string {
  let uri = head;
  while (isWordChar(source.peek()) || URI_CHARS.has(source.peek()))
    uri += source.peek() === '%' ? readUriEscape(source) : source.read();
  if (uri === '' && !mayBeEmpty) throw new YamlProblem(source, 'did not find expected tag URI');
  return uri;
}

function readUriEscape(source: YamlSource): string {
  let escaped = '';
  while (source.peek() === '%') {
    const octet = source.text.slice(source.index, source.index + 3);
    if (!/^%[0-9A-Fa-f]{2}$/.test(octet)) throw new YamlProblem(source, 'did not find URI escaped octet');
    escaped += octet;
    source.skip(3);
  }
  try {
    return decodeURIComponent(escaped);
  } catch {
    throw new YamlProblem(source, 'found an incorrect leading UTF-8 octet');
  }
}

function readWord(source: YamlSource): string {
  let word = '';
  while (isWordChar(source.peek())) word += source.read();
  return word;
}
