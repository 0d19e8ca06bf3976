/**
 * Reads DER and BER element by element, without a copy. Every parser of this room calls it. It refuses elements that
 * are truncated, malformed, or nested too deep.
 */

import { badContent } from './bad-content.ts';

/**
 * One element of DER or BER. `tag` is the identifier octet (tag numbers above 30 keep only their first octet),
 * `content` is the value, `raw` the whole encoding.
 */
export interface Der {
  readonly tag: number;
  readonly content: Buffer;
  readonly raw: Buffer;
}

/** Identifier octets. */
export const TAG = {
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  sequence: 0x30,
  /** Context-specific and constructed: `context(0)` is `[0]`. */
  context: (n: number) => 0xa0 + n,
  /** Context-specific and primitive, as implicitly tagged strings are. */
  implicit: (n: number) => 0x80 + n,
} as const;

const CONSTRUCTED = 0x20;
const MAX_ELEMENTS = 10_000;
const MAX_DEPTH = 32;

/** The number of elements read so far in one list of elements without length. */
interface Walk {
  elements: number;
}

/**
 * Reads the element at `offset`, without a copy and without its children. So a caller pays only for the elements that
 * it reads; node-forge would build the whole tree first. Indefinite lengths (BER, as some Java and Apple writers use)
 * are walked to their end, at most 32 levels deep and over 10,000 elements.
 */
export function readDer(bytes: Buffer, offset = 0): Der {
  return readElement(bytes, { offset, depth: 0, walk: { elements: 0 } });
}

function readElement(bytes: Buffer, at: { offset: number; depth: number; walk: Walk }): Der {
  const { offset, depth, walk } = at;
  if (++walk.elements > MAX_ELEMENTS) throw badContent(`holds more than ${MAX_ELEMENTS} parts`);
  const tag = bytes[offset] ?? truncated();
  let position = offset + 1;
  if ((tag & 0x1f) === 0x1f) position = skipLongTag(bytes, position);
  const first = bytes[position++] ?? truncated();
  if (first === 0x80) return readIndefinite(bytes, { tag, offset, position, depth, walk });
  let length = first;
  if (first > 0x80) {
    const size = first & 0x7f;
    if (size > 4 || position + size > bytes.length) return truncated();
    length = bytes.readUIntBE(position, size);
    position += size;
  }
  const end = position + length;
  if (end > bytes.length) return truncated();
  return { tag, content: bytes.subarray(position, end), raw: bytes.subarray(offset, end) };
}

/** The children of a constructed element. Throws: ERR_BAD_CONTENT for a primitive one. */
export function childrenOf(der: Der): readonly Der[] {
  if ((der.tag & CONSTRUCTED) === 0) throw badContent('is damaged: a value is in the place of a structure');
  return readAll(der.content);
}

/** The elements that fill `bytes` from start to end. */
export function readAll(bytes: Buffer): readonly Der[] {
  const elements: Der[] = [];
  const walk: Walk = { elements: 0 };
  for (let offset = 0; offset < bytes.length; ) {
    const element = readElement(bytes, { offset, depth: 0, walk });
    elements.push(element);
    offset += element.raw.length;
  }
  return elements;
}

/** The children of a SEQUENCE. Throws: ERR_BAD_CONTENT for any other element. */
export function sequence(der: Der | undefined): readonly Der[] {
  return childrenOf(expect(der, TAG.sequence));
}

/** Returns the element if it has this tag. Throws: ERR_BAD_CONTENT if it is absent or has another tag. */
export function expect(der: Der | undefined, tag: number): Der {
  if (der === undefined) return truncated();
  if (der.tag !== tag) throw badContent('is damaged: its ASN.1 structure is not that of its kind');
  return der;
}

/** The octets of an OCTET STRING, or of an implicitly tagged one, also if BER splits it into parts (one level). */
export function octets(der: Der | undefined, tag: number = TAG.octetString): Buffer {
  if (der?.tag !== (tag | CONSTRUCTED)) return expect(der, tag).content;
  return Buffer.concat(childrenOf(der).map((part) => expect(part, TAG.octetString).content));
}

/** A non-negative INTEGER; `Infinity` if a double cannot hold it exactly. */
export function smallInteger(der: Der | undefined): number {
  const bytes = expect(der, TAG.integer).content;
  if (bytes.length === 0 || (bytes[0] ?? 0) > 0x7f) throw badContent('is damaged: a number is empty or negative');
  return bytes.length > 6 ? Number.POSITIVE_INFINITY : bytes.readUIntBE(0, bytes.length);
}

/** An OBJECT IDENTIFIER in dotted form. */
export function oid(der: Der | undefined): string {
  const bytes = expect(der, TAG.oid).content;
  if (bytes.length === 0 || bytes.length > 64) throw badContent('is damaged: an object identifier is malformed');
  const arcs: number[] = [];
  let arc = 0;
  for (const byte of bytes) {
    arc = arc * 128 + (byte & 0x7f);
    if (arc > Number.MAX_SAFE_INTEGER) throw badContent('is damaged: an object identifier is malformed');
    if (byte < 0x80) {
      if (arcs.length === 0) {
        const root = Math.min(2, Math.floor(arc / 40));
        arcs.push(root, arc - root * 40);
      } else arcs.push(arc);
      arc = 0;
    }
  }
  return arcs.join('.');
}

function readIndefinite(
  bytes: Buffer,
  at: { tag: number; offset: number; position: number; depth: number; walk: Walk },
): Der {
  if ((at.tag & CONSTRUCTED) === 0) throw badContent('is damaged: a value has no length');
  if (at.depth >= MAX_DEPTH) throw badContent(`is nested more than ${MAX_DEPTH} levels deep`);
  let position = at.position;
  while (bytes[position] !== 0 || bytes[position + 1] !== 0) {
    position += readElement(bytes, { offset: position, depth: at.depth + 1, walk: at.walk }).raw.length;
  }
  return {
    tag: at.tag,
    content: bytes.subarray(at.position, position),
    raw: bytes.subarray(at.offset, position + 2),
  };
}

function skipLongTag(bytes: Buffer, start: number): number {
  for (let position = start; position < start + 4; position++) {
    if ((bytes[position] ?? truncated()) < 0x80) return position + 1;
  }
  throw badContent('is damaged: a tag is too long');
}

function truncated(): never {
  throw badContent('ends in the middle: truncated or damaged');
}
