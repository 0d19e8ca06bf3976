/**
 * Reads the answer to one GET from the bytes of a connection, by HTTP/1.1 (RFC 9112). `direct-exchange.ts` makes one for
 * each request. Refuses everything that Node's own parser refuses in its strict mode, and a head or body that is too large.
 */

import { JoinedBytes } from './joined-bytes.ts';
import { coded } from './network-error.ts';

/** Bytes of a status line and its headers, as in Node. */
const MAX_HEAD_BYTES = 16 * 1024;
/** Bytes of an answer besides its body: heads, the lines between chunks, trailers. */
export const MAX_OTHER_BYTES = 256 * 1024;
/** Characters of the line before a chunk of a body: its size, and extensions that nobody uses. */
const MAX_CHUNK_LINE = 1024;
const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?$/;
const NAME = /^[!#$%&'*+\-.^_`|~\w]+$/;
const BAD_VALUE = /[^\t\x20-\x7e\x80-\xff]/;
const LENGTH = /^\d{1,15}$/;
const CHUNK_SIZE = /^([\da-f]{1,8})(?:;[!#$%&'*+\-.^_`|~\w]+(?:=[!#$%&'*+\-.^_`|~\w]+)?)*$/i;
const KEPT = /\btimeout=(\d{1,9})\b/i;
/** A connection is not used any more so long before its host closes it. */
const KEPT_MARGIN_MS = 1_000;
const HEAD_BEGIN = Buffer.from('HTTP/1.');
const BARE_END = '\n\n';
const HEAD_END = Buffer.from('\r\n\r\n');
const LINE_END = Buffer.from('\r\n');
const NOTHING = Buffer.alloc(0);
/** Of a header with one of these names, the first counts. Others are joined. */
const SINGLE = new Set(
  'age authorization content-length content-type etag expires from host if-modified-since if-unmodified-since last-modified location max-forwards proxy-authorization referer retry-after server user-agent'.split(
    ' ',
  ),
);

/** The head of an answer. */
export interface AnswerHead {
  readonly status: number;
  /** By names in lower case. */
  readonly headers: Record<string, string>;
}

/** What the bytes after the head are. */
type Body = { readonly kind: 'none' | 'close' | 'chunks' } | { readonly kind: 'length'; left: number };

/** The answer to one GET. */
export class AnswerReader {
  /** Set when the head is complete. */
  head: AnswerHead | undefined;
  /** True when the answer is complete. */
  isComplete = false;
  /** True if the connection may carry another request after this answer. */
  keepsOpen = false;
  /** How long the host keeps the connection open, in milliseconds; `Infinity` if it does not say. */
  keptMs = Number.POSITIVE_INFINITY;
  /** All bytes that came. */
  #received = 0;
  readonly #maxBytes: number;
  readonly #body = new JoinedBytes();
  /** What cannot be read before more has come. */
  readonly #rest = new JoinedBytes();
  #framing: Body = { kind: 'none' };
  /** Bytes of the current chunk that are missing; 0: its end is; undefined: the line of the next one is. */
  #chunkLeft: number | undefined;
  #isTrailer = false;

  /** `maxBytes`: bound of the body. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /**
   * Adds bytes, which belong to the reader from now on. Returns true when the answer is complete.
   * Throws: errors with the codes of Node's parser; `LARGE_ANSWER`.
   */
  add(chunk: Buffer): boolean {
    this.#received += chunk.length;
    if (this.#received > this.#maxBytes + MAX_OTHER_BYTES) throw this.#tooLarge();
    // The end of the head may have begun in what came before.
    let from = Math.max(0, this.#rest.length - HEAD_END.length);
    this.#rest.add(chunk);
    let rest = this.#rest.view();
    while (this.head === undefined) {
      if (!mayBeHead(rest)) throw noHead();
      const end = rest.indexOf(HEAD_END, from);
      if ((end === -1 ? rest.length : end) > MAX_HEAD_BYTES)
        throw coded('HPE_HEADER_OVERFLOW', 'a head that is too long');
      if (end === -1) {
        if (rest.includes(BARE_END, from)) throw coded('HPE_CR_EXPECTED', 'a head that ends without carriage returns');
        return false;
      }
      this.#readHead(rest.toString('latin1', 0, end));
      rest = rest.subarray(end + HEAD_END.length);
      this.#rest.set(rest);
      from = 0;
    }
    this.#rest.set(NOTHING);
    this.#addBody(rest);
    return this.isComplete;
  }

  /** The connection has ended. Returns true if this completes the answer. */
  end(): boolean {
    if (this.head !== undefined && this.#framing.kind === 'close') this.isComplete = true;
    return this.isComplete;
  }

  /** Returns the body. */
  text(): string {
    return this.#body.view().toString('utf8');
  }

  /** Overwrites the body, and what was not read: they contain values and tokens. The reader is not used any more. */
  discard(): void {
    this.#body.discard();
    this.#rest.discard();
  }

  #readHead(text: string): void {
    const [first = '', ...lines] = text.split('\r\n');
    const [, minor, digits] = STATUS_LINE.exec(first) ?? [];
    if (digits === undefined) throw noHead();
    const status = Number(digits);
    const headers = readHeaders(lines);
    if (status === 101) throw coded('ECONNRESET', 'the connection was closed without an answer');
    const { connection = '', 'transfer-encoding': coding, 'content-length': length } = headers;
    // Readers disagree about such an answer: RFC 9112 section 6.1.
    if (coding !== undefined && minor === '0') throw coded('HPE_INVALID_TRANSFER_ENCODING', 'an encoding in HTTP/1.0');
    const framing = framingOf(status, coding, length);
    // The final answer follows.
    if (status < 200) return;
    const options = connection.toLowerCase();
    this.keepsOpen = minor === '1' ? !/\bclose\b/.test(options) : /\bkeep-alive\b/.test(options);
    this.#framing = framing;
    if (this.#framing.kind === 'close') this.keepsOpen = false;
    const [, seconds] = KEPT.exec(headers['keep-alive'] ?? '') ?? [];
    if (seconds !== undefined) this.keptMs = 1000 * Number(seconds) - KEPT_MARGIN_MS;
    this.head = { status, headers };
  }

  #addBody(bytes: Buffer): void {
    const framing = this.#framing;
    switch (framing.kind) {
      case 'none':
        this.#complete(bytes);
        return;
      case 'close':
        this.#keep(bytes);
        return;
      case 'length':
        if (bytes.length > framing.left) throw moreBytes();
        framing.left -= this.#keep(bytes);
        if (framing.left === 0) this.isComplete = true;
        return;
      case 'chunks':
        this.#addChunks(bytes);
    }
  }

  #addChunks(given: Buffer): void {
    let bytes = given;
    while (!this.isComplete) {
      if (this.#chunkLeft !== undefined && this.#chunkLeft > 0) {
        const part = bytes.subarray(0, this.#chunkLeft);
        bytes = bytes.subarray(this.#chunkLeft);
        this.#chunkLeft -= this.#keep(part);
        if (this.#chunkLeft > 0) return;
      }
      const end = lineEnd(bytes);
      if (end === -1) {
        this.#rest.set(bytes);
        return;
      }
      const line = bytes.toString('latin1', 0, end);
      bytes = bytes.subarray(end + LINE_END.length);
      this.#readLine(line, bytes);
    }
  }

  /** Reads a line between the chunks of a body; `after` follows it. */
  #readLine(line: string, after: Buffer): void {
    if (this.#isTrailer) {
      if (line === '') this.#complete(after);
      else readTrailer(line);
    } else if (this.#chunkLeft === 0) {
      if (line !== '') throw coded('HPE_STRICT', 'a chunk that does not end');
      this.#chunkLeft = undefined;
    } else {
      const [, size] = CHUNK_SIZE.exec(line) ?? [];
      if (size === undefined) throw coded('HPE_INVALID_CHUNK_SIZE', 'a chunk without a size');
      const length = Number.parseInt(size, 16);
      if (length === 0) this.#isTrailer = true;
      else this.#chunkLeft = length;
    }
  }

  /** Adds a part of the body. Returns its length: afterwards it may have none. */
  #keep(part: Buffer): number {
    const { length } = part;
    if (this.#body.length + length > this.#maxBytes) throw this.#tooLarge();
    if (length > 0) this.#body.add(part);
    return length;
  }

  #tooLarge(): Error {
    return coded('LARGE_ANSWER', `an answer of over ${this.#maxBytes} bytes`);
  }

  #complete(after: Buffer): void {
    if (after.length > 0) throw moreBytes();
    this.isComplete = true;
  }
}

/** False if more bytes cannot make a head of these: nobody waits for the rest of another protocol. */
function mayBeHead(bytes: Buffer): boolean {
  const length = Math.min(bytes.length, HEAD_BEGIN.length);
  return HEAD_BEGIN.compare(bytes, 0, length, 0, length) === 0;
}

function noHead(): Error {
  return coded('HPE_INVALID_CONSTANT', 'no status line of HTTP/1');
}

/** Returns the end of the line that bytes of chunks begin with; -1 if it has not come. */
function lineEnd(bytes: Buffer): number {
  const end = bytes.indexOf(LINE_END);
  if ((end === -1 ? bytes.length : end) > MAX_CHUNK_LINE)
    throw coded('HPE_INVALID_CHUNK_SIZE', 'a line that is too long');
  if (end === -1 && bytes.includes('\n')) throw coded('HPE_CR_EXPECTED', 'a line that ends without a carriage return');
  return end;
}

/** What follows an answer belongs to no request. */
function moreBytes(): Error {
  return coded('HPE_INVALID_CONSTANT', 'bytes after the answer');
}

function readHeaders(lines: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = Object.create(null);
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(0, colon));
    if (!NAME.test(name) || BAD_VALUE.test(line)) throw coded('HPE_INVALID_HEADER_TOKEN', 'a header that is none');
    const key = name.toLowerCase();
    const value = withoutSpaces(line, colon + 1);
    const known = headers[key];
    if (key === 'content-length' && known !== undefined) throw coded('HPE_UNEXPECTED_CONTENT_LENGTH', 'two lengths');
    if (known === undefined) headers[key] = value;
    else if (!SINGLE.has(key)) headers[key] = `${known}, ${value}`;
  }
  return headers;
}

/** Checks a header after the last chunk. None of them is used. */
function readTrailer(line: string): void {
  const headers = readHeaders([line]);
  if ('content-length' in headers || 'transfer-encoding' in headers)
    throw coded('HPE_INVALID_CONTENT_LENGTH', 'a length after the body');
}

/** Returns the rest of a line, without the spaces and tabs around it. */
function withoutSpaces(line: string, from: number): string {
  let [begin, end] = [from, line.length];
  while (begin < end && isSpace(line, begin)) begin++;
  while (end > begin && isSpace(line, end - 1)) end--;
  return line.slice(begin, end);
}

function isSpace(text: string, at: number): boolean {
  return text[at] === ' ' || text[at] === '\t';
}

function framingOf(status: number, coding: string | undefined, length: string | undefined): Body {
  if (coding !== undefined) {
    if (length !== undefined) throw coded('HPE_INVALID_TRANSFER_ENCODING', 'a length and an encoding');
    if (coding.toLowerCase() !== 'chunked') throw coded('HPE_INVALID_TRANSFER_ENCODING', 'an unknown encoding');
  }
  if (length !== undefined && !LENGTH.test(length))
    throw coded('HPE_INVALID_CONTENT_LENGTH', 'a length that is no number');
  if (status === 204 || status === 304) return { kind: 'none' };
  if (coding !== undefined) return { kind: 'chunks' };
  if (length === undefined) return { kind: 'close' };
  return length === '0' ? { kind: 'none' } : { kind: 'length', left: Number(length) };
}
