/**
 * Replaces the value of `:authority` in a header block of HPACK (RFC 7541). `authority.ts` calls it. For a block that
 * is not HPACK it returns nothing, and the connection passes unread from there on.
 *
 * A block is walked by lengths; only the number of characters of a Huffman string is decoded. Each field keeps its
 * representation (indexed, literal with or without indexing, never indexed), and a replaced value keeps its decoded
 * length. So the dynamic tables of client and server hold the same entries in the same order, and each pair of entries
 * has the same size (RFC 7541 section 4.1 counts decoded characters). Both tables evict alike, and an index that the
 * client sends later names the same field on both sides, with the new value in it.
 *
 * A name may be a reference to an entry of the dynamic table, so the walk remembers which of the newest entries are
 * named `:authority`. It need not track evictions: entries are counted from the newest, and a reference to an evicted
 * entry is an error for every reader.
 */

/** The new value of an authority: `localhost`, cut or filled with dots to the length of the old value. */
export function replacementFor(length: number): Buffer {
  return Buffer.from('localhost'.slice(0, length).padEnd(length, '.'), 'latin1');
}

const AUTHORITY_NAME = Buffer.from(':authority', 'latin1');
/** The only Huffman coding of `:authority` (RFC 7541 appendix B; the rest of the last octet is ones). */
const AUTHORITY_NAME_HUFFMAN = Buffer.from('b83b5339ec327d7f', 'hex');
/** Index of `:authority` in the static table (RFC 7541 appendix A). */
const STATIC_AUTHORITY = 1;
const STATIC_ENTRIES = 61;
/** An entry takes at least 32 octets, and a Node server allows 4096 octets for the table of the client. */
const MAX_DYNAMIC_ENTRIES = 128;

/** Rewrites the header blocks of one direction of one connection, in the order in which they are sent. */
export class AuthorityRewriter {
  /** For each entry of the dynamic table, newest first: true if it is named `:authority`. */
  #entries: boolean[] = [];

  /**
   * The block with the value of each literal `:authority` replaced; `block` itself if it has none, `undefined` if it is
   * not HPACK. After `undefined` this object must not be used.
   */
  rewrite(block: Buffer): Buffer | undefined {
    try {
      return this.#rewrite(new Cursor(block));
    } catch (error) {
      if (error instanceof NotHpack) return undefined;
      throw error;
    }
  }

  #rewrite(cursor: Cursor): Buffer {
    const { block } = cursor;
    const parts: Buffer[] = [];
    let copied = 0;
    while (cursor.at < block.length) {
      const value = this.#readField(cursor);
      if (value === undefined) continue;
      const length = value.huffman ? huffmanLength(value.bytes) : value.bytes.length;
      parts.push(block.subarray(copied, value.at), integer7(length), replacementFor(length));
      copied = cursor.at;
    }
    if (copied === 0) return block;
    parts.push(block.subarray(copied));
    return Buffer.concat(parts);
  }

  /** Passes one field, or one size update. Returns the value of a literal `:authority`, and undefined for any other. */
  #readField(cursor: Cursor): Text | undefined {
    const first = cursor.block.readUInt8(cursor.at);
    if (first >= 0x80) {
      cursor.integer(7);
      return undefined;
    }
    if (first >= 0x20 && first < 0x40) {
      cursor.integer(5);
      return undefined;
    }
    const indexing = first >= 0x40;
    const isAuthority = this.#isAuthority(cursor, cursor.integer(indexing ? 6 : 4));
    if (indexing) this.#remember(isAuthority);
    const value = cursor.string();
    return isAuthority ? value : undefined;
  }

  #isAuthority(cursor: Cursor, nameIndex: number): boolean {
    if (nameIndex === 0) {
      const name = cursor.string();
      return name.bytes.equals(name.huffman ? AUTHORITY_NAME_HUFFMAN : AUTHORITY_NAME);
    }
    return nameIndex === STATIC_AUTHORITY || this.#entries[nameIndex - STATIC_ENTRIES - 1] === true;
  }

  #remember(isAuthority: boolean): void {
    this.#entries.unshift(isAuthority);
    if (this.#entries.length > MAX_DYNAMIC_ENTRIES) this.#entries.pop();
  }
}

class NotHpack extends Error {}

/** A string of a block, still coded. */
interface Text {
  /** The offset of its length. */
  readonly at: number;
  readonly huffman: boolean;
  readonly bytes: Buffer;
}

/** Reads the primitive types of RFC 7541 section 5. */
class Cursor {
  readonly block: Buffer;
  at = 0;

  constructor(block: Buffer) {
    this.block = block;
  }

  integer(prefixBits: number): number {
    const limit = 2 ** prefixBits - 1;
    let value = this.#octet() & limit;
    if (value < limit) return value;
    for (let shift = 0; shift <= 28; shift += 7) {
      const octet = this.#octet();
      value += (octet & 0x7f) * 2 ** shift;
      if (octet < 0x80) return value;
    }
    throw new NotHpack();
  }

  string(): Text {
    const { at } = this;
    const huffman = at < this.block.length && this.block.readUInt8(at) >= 0x80;
    const length = this.integer(7);
    const start = this.at;
    this.at += length;
    if (this.at > this.block.length) throw new NotHpack();
    return { at, huffman, bytes: this.block.subarray(start, this.at) };
  }

  #octet(): number {
    if (this.at >= this.block.length) throw new NotHpack();
    return this.block.readUInt8(this.at++);
  }
}

/** An integer with a prefix of 7 bits, the eighth clear: the length of a string that is not Huffman coded. */
function integer7(value: number): Buffer {
  if (value < 0x7f) return Buffer.of(value);
  const octets = [0x7f];
  let rest = value - 0x7f;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) octets.push((rest % 0x80) + 0x80);
  octets.push(rest);
  return Buffer.from(octets);
}

/**
 * The number of codes of each length, in bits, of the Huffman code of RFC 7541 appendix B. The code is canonical (codes
 * of one length are consecutive, and the first follows from the shorter ones), so these numbers are enough to find the
 * end of each symbol.
 */
const CODES_BY_LENGTH: readonly number[] = [
  0, 0, 0, 0, 0, 10, 26, 32, 6, 0, 5, 3, 2, 6, 2, 3, 0, 0, 0, 3, 8, 13, 26, 29, 12, 4, 15, 19, 29, 0, 4,
];
const END_OF_STRING = 0x3fffffff;

/** The number of characters of a Huffman string. */
function huffmanLength(bytes: Buffer): number {
  let symbols = 0;
  let code = 0;
  let first = 0;
  let bits = 0;
  for (const octet of bytes) {
    for (let bit = 7; bit >= 0; bit--) {
      code = code * 2 + ((octet >> bit) & 1);
      first = (first + (CODES_BY_LENGTH[bits] ?? 0)) * 2;
      bits++;
      if (code - first >= (CODES_BY_LENGTH[bits] ?? 0)) continue;
      if (code === END_OF_STRING) throw new NotHpack();
      symbols++;
      code = first = bits = 0;
    }
  }
  if (bits > 7 || code !== 2 ** bits - 1) throw new NotHpack();
  return symbols;
}
