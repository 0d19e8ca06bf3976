/**
 * Reads the three kinds of YAML scalars, as libyaml does: plain, quoted and block. Called by the scanner. Refuses
 * quotes that are not closed, unknown escapes, and tabs where indentation counts.
 */

import {
  isBlank,
  isBreak,
  isBreakOrEnd,
  isSpaceOrEnd,
  type Mark,
  YamlProblem,
  type YamlSource,
} from './yaml-source.ts';

/** Line breaks and blanks between two parts of a scalar, as they are folded. */
class Gap {
  #blanks = '';
  #firstBreak = '';
  #moreBreaks = '';
  /** True as soon as there is a line break. */
  broken = false;

  /** Reads one blank or line break; blanks at the start of a line do not count. */
  read(source: YamlSource): void {
    if (isBlank(source.peek())) {
      if (this.broken) source.skip();
      else this.#blanks += source.read();
    } else if (this.broken) {
      this.#moreBreaks += source.readBreak();
    } else {
      this.#blanks = '';
      this.#firstBreak = source.readBreak();
      this.broken = true;
    }
  }

  /** Goes over a line break that does not count. */
  escape(source: YamlSource): void {
    source.readBreak();
    this.broken = true;
  }

  /** Returns the text that replaces the gap: a space for one line break, one line break fewer for more. */
  fold(): string {
    if (!this.broken) return this.#blanks;
    if (this.#firstBreak !== '\n') return this.#firstBreak + this.#moreBreaks;
    return this.#moreBreaks === '' ? ' ' : this.#moreBreaks;
  }
}

const ESCAPES: Readonly<Record<string, string>> = {
  '0': '\0',
  a: '\u0007',
  b: '\b',
  t: '\t',
  '\t': '\t',
  n: '\n',
  v: '\u000b',
  f: '\f',
  r: '\r',
  e: '\u001b',
  ' ': ' ',
  '"': '"',
  "'": "'",
  '\\': '\\',
  N: '\u0085',
  _: '\u00a0',
  L: '\u2028',
  P: '\u2029',
};
const HEX_DIGITS: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };
const MAX_CODE = 0x10_ffff;

/** Reads a scalar in single or double quotes. `json` allows what JSON has beyond YAML: `\/` and surrogate pairs. */
export function readQuoted(source: YamlSource, json: boolean): string {
  const { mark } = source;
  const quote = source.read();
  let text = '';
  for (;;) {
    if (source.atDocumentMark()) throw new YamlProblem(mark, 'found unexpected document indicator');
    if (source.atEnd) throw new YamlProblem(mark, 'found unexpected end of stream');
    const gap = new Gap();
    const word = readQuotedWord(source, { quote, json, gap });
    text += word.text;
    if (word.ends) return text;
    while (!source.atEnd && isSpaceOrEnd(source.peek())) gap.read(source);
    text += gap.fold();
  }
}

/** The rules for a scalar in quotes, and the gap behind the word. */
interface Quoting {
  readonly quote: string;
  readonly json: boolean;
  readonly gap: Gap;
}

/** Reads up to a blank, a line break or the closing quote; `ends` is true if the scalar ends there. */
function readQuotedWord(source: YamlSource, { quote, json, gap }: Quoting): { text: string; ends: boolean } {
  let text = '';
  while (!isSpaceOrEnd(source.peek())) {
    const char = source.read();
    if (char === quote) {
      if (quote === '"' || source.peek() !== quote) return { text, ends: true };
      text += source.read();
    } else if (char === '\\' && quote === '"') {
      if (isBreak(source.peek())) {
        gap.escape(source);
        break;
      }
      text += readEscape(source, json);
    } else text += char;
  }
  return { text, ends: false };
}

function readEscape(source: YamlSource, json: boolean): string {
  const { mark } = source;
  const char = source.read();
  const known = ESCAPES[char] ?? (json && char === '/' ? '/' : undefined);
  if (known !== undefined) return known;
  const digits = HEX_DIGITS[char];
  if (digits === undefined) throw new YamlProblem(mark, 'found unknown escape character');
  const code = readHex(source, digits);
  const isHigh = code >= 0xd800 && code <= 0xdbff;
  if (json && isHigh && source.peek() === '\\' && source.peek(1) === 'u') {
    source.skip(2);
    const low = readHex(source, digits);
    if (low >= 0xdc00 && low <= 0xdfff) return String.fromCharCode(code, low);
  }
  if ((code >= 0xd800 && code <= 0xdfff) || code > MAX_CODE)
    throw new YamlProblem(mark, 'found invalid Unicode character escape code');
  return String.fromCodePoint(code);
}

function readHex(source: YamlSource, digits: number): number {
  let hex = '';
  while (hex.length < digits) {
    if (!/^[0-9A-Fa-f]$/.test(source.peek())) throw new YamlProblem(source, 'did not find expected hexdecimal number');
    hex += source.read();
  }
  return Number.parseInt(hex, 16);
}

/** A plain scalar. */
export interface PlainText {
  readonly text: string;
  /** Offset behind its last character. */
  readonly end: number;
  /** True if its last line break was read: a key may begin behind it. */
  readonly endsLine: boolean;
}

const FLOW_SIGNS = new Set([',', '?', '[', ']', '{', '}']);

/** Reads a plain scalar; `indent` is the least column of its further lines outside brackets, `flow` is true inside. */
export function readPlain(source: YamlSource, indent: number, flow: boolean): PlainText {
  let text = '';
  let end = source.index;
  let gap = new Gap();
  for (;;) {
    if (source.atDocumentMark() || source.peek() === '#') break;
    const start = source.index;
    while (!isSpaceOrEnd(source.peek()) && !endsPlain(source, flow)) source.skip();
    if (source.index > start) {
      text += gap.fold() + source.text.slice(start, source.index);
      end = source.index;
      gap = new Gap();
    }
    if (source.atEnd || !isSpaceOrEnd(source.peek())) break;
    readPlainGap(source, gap, indent);
    if (!flow && source.column < indent) break;
  }
  return { text, end, endsLine: gap.broken };
}

function readPlainGap(source: YamlSource, gap: Gap, indent: number): void {
  while (!source.atEnd && isSpaceOrEnd(source.peek())) {
    if (gap.broken && source.column < indent && source.peek() === '\t')
      throw new YamlProblem(source, 'found a tab character that violates indentation');
    gap.read(source);
  }
}

function endsPlain(source: YamlSource, flow: boolean): boolean {
  const char = source.peek();
  return (char === ':' && isSpaceOrEnd(source.peek(1))) || (flow && FLOW_SIGNS.has(char));
}

/** The end of a block scalar: without line break, with one, or with all line breaks that follow. */
type Chomping = '-' | '' | '+';

/** A block scalar. */
export interface BlockText {
  readonly text: string;
  /** The offset behind its last line; empty lines below it count if they are part of the text. */
  readonly end: number;
}

/** Reads a block scalar; `parentIndent` is the column of its collection, or -1 outside of any. */
export function readBlock(source: YamlSource, parentIndent: number): BlockText {
  const { mark } = source;
  const literal = source.read() === '|';
  const { chomping, increment } = readHeader(source, mark);
  const given = increment === 0 ? 0 : Math.max(parentIndent, 0) + increment;
  let end = source.index;
  let { breaks, indent, breaksEnd } = readIndentation(source, { indent: given, least: parentIndent + 1 });
  let text = '';
  let lastBreak = '';
  let afterBlank = false;
  while (source.column === indent && !source.atEnd) {
    const blank = isBlank(source.peek());
    const folds = !literal && lastBreak === '\n' && !afterBlank && !blank;
    text += folds ? (breaks === '' ? ' ' : breaks) : lastBreak + breaks;
    afterBlank = blank;
    text += source.readRest();
    lastBreak = source.atEnd ? '' : source.readBreak();
    end = source.index;
    ({ breaks, indent, breaksEnd } = readIndentation(source, { indent, least: 0 }));
  }
  text += (chomping === '-' ? '' : lastBreak) + (chomping === '+' ? breaks : '');
  return { text, end: chomping === '+' ? breaksEnd : end };
}

function readHeader(source: YamlSource, mark: Mark): { chomping: Chomping; increment: number } {
  let chomping: Chomping = '';
  let increment = 0;
  for (let signs = 0; signs < 2; signs++) {
    const char = source.peek();
    if ((char === '+' || char === '-') && chomping === '') chomping = char;
    else if (/^[0-9]$/.test(char) && increment === 0) increment = Number(char);
    else break;
    if (char === '0') throw new YamlProblem(mark, 'found an indentation indicator equal to 0');
    source.skip();
  }
  source.skipBlanks();
  if (source.peek() === '#') source.readRest();
  if (!isBreakOrEnd(source.peek())) throw new YamlProblem(mark, 'did not find expected comment or line break');
  if (!source.atEnd) source.readBreak();
  return { chomping, increment };
}

/** Reads empty lines and the indentation of the next one; an `indent` of 0 is found out by its first line. */
function readIndentation(
  source: YamlSource,
  { indent, least }: { readonly indent: number; readonly least: number },
): { breaks: string; indent: number; breaksEnd: number } {
  let breaks = '';
  let breaksEnd = source.index;
  let widest = 0;
  for (;;) {
    while ((indent === 0 || source.column < indent) && source.peek() === ' ') source.skip();
    widest = Math.max(widest, source.column);
    if ((indent === 0 || source.column < indent) && source.peek() === '\t')
      throw new YamlProblem(source, 'found a tab character where an indentation space is expected');
    if (!isBreak(source.peek())) break;
    breaks += source.readBreak();
    breaksEnd = source.index;
  }
  return { breaks, breaksEnd, indent: indent === 0 ? Math.max(widest, least, 1) : indent };
}
