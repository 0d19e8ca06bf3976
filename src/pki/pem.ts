/**
 * Reads and writes PEM. Every reader of contents calls it. It refuses a block that is cut off or damaged; text that
 * only mentions BEGIN is skipped, as OpenSSL skips it.
 */

import { decodeBase64 } from '../base/encoding.ts';
import { badContent } from './bad-content.ts';
import { boundaryFault, faultAt, lineAt } from './text-faults.ts';

/** One block of a PEM text. */
export interface PemBlock {
  /** The label after BEGIN, such as `CERTIFICATE`. */
  readonly label: string;
  readonly der: Buffer;
  /** The whole block of an old encrypted key (RFC 1421), with its headers, normalised. */
  readonly encrypted?: string;
  /** The line of its BEGIN, from 1. */
  readonly line: number;
}

/** Labels of blocks that hold one certificate; those of OpenSSL's trusted certificates hold further data after it. */
export const CERTIFICATE_LABELS: readonly string[] = ['CERTIFICATE', 'X509 CERTIFICATE', 'TRUSTED CERTIFICATE'];

const BEGIN = '-----BEGIN ';
const DASHES = '-----';
const LABEL = /^[A-Z0-9 ]{1,64}$/;
const MAX_BLOCKS = 1000;
/** `Proc-Type` and `DEK-Info` take less than a hundred characters; Go writes any others. */
const MAX_HEADERS_LENGTH = 1000;
/** The number of characters that are read before and after a BEGIN. */
const MAX_MARGIN = 100;
const SEQUENCE = 0x30;

/** Only blanks and byte order marks, read as UTF-8 or as Latin-1. */
const BLANK = /^(?:\s|\xef\xbb\xbf|\xc2)*$/;
/** The beginning of a value: a quote, or a name and its separator. */
const VALUE = /^\s*(?:["'`]|[\w.-]+\s*=\s*["'`]?|[\w.-]+\s*:\s*["'`])$/;
/** Separators between two blocks of one line: blanks, line breaks as two characters, quotes, commas. */
const JOINED = /^(?:\s|\\+[nrt]|["'`,])*$/;
/** The continuation of a block after its BEGIN: a line break, base64 or headers, but not words. */
const GOES_ON = /^[^\S\r\n]*(?:$|[\r\n]|\\{1,8}[nr]|[A-Za-z0-9+/=]{16}|Proc-Type:)/;
/** The same for an indented block, which may be an example in a text: the next line must not be words either. */
const GOES_ON_INDENTED = /^(?:\s|\\{1,8}[nr])*(?:$|[A-Za-z0-9+/=]{16}|Proc-Type:)/;

/** The end of another block. */
const OTHER_END = /^-----END ([A-Z0-9 ]{1,64})-----/;
/** White space, and line breaks that were escaped in JSON, once or several times. */
const SPACE = /\s+|\\{1,8}(?:[nrt]|u000[9ad])/gi;
/** Characters of base64 that some JSON writers escape. */
const ESCAPED = /\\{1,8}(?:\/|u00(?:2b|2f|3d))/gi;
const BREAK = /\r\n?|\\{1,8}[nr]/g;
/** The header with the vector of the cipher, which has 16 digits for DES and 32 for all others. */
const DEK_INFO = /DEK-Info:\s*(?:DES[A-Z0-9-]{0,20}\s*,\s*[0-9A-Fa-f]{16}|[A-Z0-9-]{1,30}\s*,\s*[0-9A-Fa-f]{32})/i;
const BEFORE_DEK_INFO = /\s*(?=DEK-Info:)/;
/** Characters that are not base64, and padding that is not at the end. */
const STRAY = /[^A-Za-z0-9+/=\s]|=(?=\s*[A-Za-z0-9+/])|=(?=\s*=\s*=)/;

/** The place of a BEGIN: at the start of a line, at the start of a value, or within a text. */
const PLACE = { line: 0, value: 1, text: 2 } as const;

/** A BEGIN with its block, or with the reason why it has none. */
interface Begun {
  readonly place: number;
  /** True if it is meant as a block: if it cannot be read, it is damaged. */
  readonly isMeant: boolean;
  /** The offset after the block. */
  readonly end: number;
  readonly block: PemBlock | undefined;
  /** The reason why there is no block; it costs a pass over the text. */
  readonly damage: () => string;
}

/**
 * The blocks of a PEM text (RFC 7468) in their order. Text between blocks is skipped. Inside a block, white space and
 * the two characters `\n` are skipped, which remain after JSON or an environment variable.
 *
 * A block begins at the start of a line, directly after another block, or on a line that holds a whole block. Only in a
 * text without such a block it may begin anywhere, as in JSON. If the first one is a value (`NAME="-----BEGIN …`), the
 * others may be values too.
 */
export function readPem(text: string): readonly PemBlock[] {
  const blocks: { readonly place: number; readonly block: PemBlock }[] = [];
  const damaged: Begun[] = [];
  for (const begun of allBegun(text)) {
    if (begun.block !== undefined) blocks.push({ place: begun.place, block: begun.block });
    else if (damaged.every((one) => one.place > begun.place || (begun.isMeant && !one.isMeant))) damaged.push(begun);
    if (blocks.length > MAX_BLOCKS) throw badContent(`has more than ${MAX_BLOCKS} blocks`);
  }
  const last = lastPlace(blocks.map(({ place }) => place));
  const byPlace = damaged.sort((a, b) => a.place - b.place);
  const meant = byPlace.find(({ isMeant, place }) => isMeant && place <= last);
  const worst = meant ?? (blocks.length === 0 ? byPlace[0] : undefined);
  const damage = worst?.damage() ?? (blocks.length === 0 ? unreadableBoundary(text) : undefined);
  if (damage !== undefined) throw badContent(damage);
  return blocks.filter(({ place }) => place <= last).map(({ block }) => block);
}

function unreadableBoundary(text: string): string | undefined {
  const fault = boundaryFault(text);
  return fault === undefined ? undefined : `has no block that can be read: ${fault}`;
}

/** The last of the places whose blocks are read. */
function lastPlace(places: readonly number[]): number {
  if (!places.includes(PLACE.line)) return PLACE.text;
  return places.find((place) => place !== PLACE.text) ?? PLACE.line;
}

function* allBegun(text: string): Generator<Begun> {
  const lines = new LineCounter(text);
  let before: Begun | undefined;
  for (let start = text.indexOf(BEGIN); start !== -1; ) {
    const labelEnd = text.indexOf(DASHES, start + BEGIN.length);
    const label = labelEnd === -1 ? '' : text.slice(start + BEGIN.length, labelEnd);
    let next = start + BEGIN.length;
    if (LABEL.test(label)) {
      const { line, lineStart } = lines.at(start);
      const sameLine = before !== undefined && before.end >= lineStart ? before : undefined;
      const margin = marginOf(text, sameLine?.end ?? lineStart, start);
      const bodyStart = labelEnd + DASHES.length;
      const surroundings = { line, bodyStart, margin, sameLine };
      const begun = readBegun(text, { label, line, bodyStart, ...placeIn(text, surroundings) });
      yield begun;
      if (begun.block !== undefined) {
        before = begun;
        next = begun.end;
      }
    }
    start = text.indexOf(BEGIN, next);
  }
}

/** A BEGIN line, the text before it on its line, and the block that ends on that line, if there is one. */
interface Surroundings {
  readonly line: number;
  readonly bodyStart: number;
  readonly margin: string;
  readonly sameLine: Begun | undefined;
}

function placeIn(text: string, { line, bodyStart, margin, sameLine }: Surroundings): Pick<Begun, 'place' | 'isMeant'> {
  const joined = sameLine === undefined || JOINED.test(margin);
  const goesOn = sameLine === undefined && /\s/.test(margin) ? GOES_ON_INDENTED : GOES_ON;
  const isMeant = joined && goesOn.test(text.slice(bodyStart, bodyStart + MAX_MARGIN));
  // If all line breaks are gone, there may be text between two whole blocks of one line.
  const follows = joined || sameLine?.block?.line === line ? sameLine?.place : PLACE.text;
  return { isMeant, place: follows ?? placeBehind(margin) };
}

/** The text before a BEGIN on its line; of a long one, only a substitute. */
function marginOf(text: string, from: number, start: number): string {
  return start - from > MAX_MARGIN ? 'text' : text.slice(from, start);
}

function placeBehind(margin: string): number {
  if (BLANK.test(margin)) return PLACE.line;
  return VALUE.test(margin) ? PLACE.value : PLACE.text;
}

interface Beginning extends Pick<Begun, 'place' | 'isMeant'> {
  readonly label: string;
  readonly line: number;
  readonly bodyStart: number;
}

function readBegun(text: string, { label, line, bodyStart, place, isMeant }: Beginning): Begun {
  const bodyEnd = text.indexOf(DASHES, bodyStart);
  const marker = `-----END ${label}-----`;
  const damage = (what: () => string): Begun => ({ place, isMeant, end: bodyEnd, block: undefined, damage: what });
  if (bodyEnd === -1 || !text.startsWith(marker, bodyEnd)) {
    return damage(() => `has a block BEGIN ${label} (line ${line}) ${endFault(text, { label, bodyStart, bodyEnd })}`);
  }
  const read = readBlock(text, { label, line, bodyStart, bodyEnd });
  if (typeof read === 'function') return damage(() => `has a block ${label} (line ${line}) ${read()}`);
  // Words may be base64 by accident.
  const isSure = place === PLACE.line && isMeant;
  if (!isSure && read.der[0] !== SEQUENCE && read.encrypted === undefined) {
    return damage(() => `has a block ${label} (line ${line}) that holds nothing of that kind: it is damaged`);
  }
  return { place, isMeant, end: bodyEnd + marker.length, block: read, damage: () => '' };
}

/** Writes one block: 64 columns, LF as line break, also at the end. */
export function writePem(label: string, der: Buffer): string {
  const body = der.toString('base64').replace(/.{1,64}/g, '$&\n');
  return `-----BEGIN ${label}-----\n${body}-----END ${label}-----\n`;
}

/** The reason why a block has no end. */
function endFault(text: string, { label, bodyStart, bodyEnd }: Omit<Body, 'line'>): string {
  const end = bodyEnd === -1 ? text.length : bodyEnd;
  const [, other] = bodyEnd === -1 ? [] : (OTHER_END.exec(text.slice(end, end + MAX_MARGIN)) ?? []);
  if (other !== undefined && other !== label) {
    return `that ends with END ${other} (line ${lineAt(text, end)}); BEGIN and END must have the same label`;
  }
  const fault = boundaryFault(text.slice(bodyStart, end), lineAt(text, bodyStart));
  return fault === undefined ? 'without its END: it is cut off or damaged' : `without its END: ${fault}`;
}

/** The position of a block in its text. */
interface Body extends Pick<PemBlock, 'label' | 'line'> {
  readonly bodyStart: number;
  readonly bodyEnd: number;
}

/** Returns the block, or a function that gives the reason why there is none. */
function readBlock(text: string, { label, line, bodyStart, bodyEnd }: Body): PemBlock | (() => string) {
  const body = text.slice(bodyStart, bodyEnd);
  const isEncrypted = body.includes('Proc-Type:');
  const dataStart = headersEnd(body, isEncrypted);
  if (dataStart > MAX_HEADERS_LENGTH) return () => 'with too many headers';
  const data = body.slice(dataStart);
  const decoded = decodeBase64(data.replace(SPACE, '').replace(ESCAPED, unescaped));
  if (!decoded.ok) return () => `that is not base64: ${dataFault(text, data, bodyStart + dataStart)}`;
  const block = { label: label.trim(), der: decoded.bytes, line };
  if (!isEncrypted) return block;
  const headers = body.slice(0, dataStart).replace(BREAK, '\n').replace(BEFORE_DEK_INFO, '\n').trim();
  const encrypted = writePem(block.label, decoded.bytes).replace('-----\n', `-----\n${headers}\n\n`);
  return { ...block, encrypted };
}

/**
 * The headers end with a line. If the line breaks are lost, those of an old encrypted key end with the vector of its
 * cipher.
 */
function headersEnd(body: string, isEncrypted: boolean): number {
  const colon = body.lastIndexOf(':');
  const dekInfo = isEncrypted ? DEK_INFO.exec(body) : null;
  const dekInfoEnd = dekInfo === null ? -1 : dekInfo.index + dekInfo[0].length;
  return colon === -1 || colon < dekInfoEnd ? Math.max(0, dekInfoEnd) : body.indexOf('\n', colon) + 1;
}

/** The place and the reason why `data`, which begins at `offset`, is not base64. */
function dataFault(text: string, data: string, offset: number): string {
  const masked = data
    .replace(SPACE, (space) => ' '.repeat(space.length))
    .replace(ESCAPED, (one) => ' '.repeat(one.length));
  const stray = masked.search(STRAY);
  return stray === -1
    ? 'characters are missing at its end, so that it is cut off or damaged'
    : `${faultAt(text, offset + stray)} does not belong there, so that it is damaged`;
}

function unescaped(sequence: string): string {
  return sequence.endsWith('/') ? '/' : String.fromCharCode(Number.parseInt(sequence.slice(-2), 16));
}

/** Finds the lines of ascending offsets; each character is read once. */
class LineCounter {
  readonly #text: string;
  #line = 1;
  #lineStart = 0;
  #offset = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** The number of the line, from 1, and the offset of its start. */
  at(offset: number): { readonly line: number; readonly lineStart: number } {
    for (; this.#offset < offset; this.#offset++) {
      const code = this.#text.charCodeAt(this.#offset);
      const ends = code === 10 || (code === 13 && this.#text.charCodeAt(this.#offset + 1) !== 10);
      if (!ends) continue;
      this.#line++;
      this.#lineStart = this.#offset + 1;
    }
    return { line: this.#line, lineStart: this.#lineStart };
  }
}
