/**
 * The format of a sealed file, version 1: AES-256-GCM under a key of its own, derived from the key of the store and a
 * random salt. The store seals and opens all its files here. Refuses a file that was changed, cut, renamed, sealed by
 * another key, or copied from another node.
 *
 *   0   7  "akvseal"
 *   7   1  format version
 *   8   8  names the key of the store
 *  16   8  names the node
 *  24  32  salt
 *  56   n  sealed: length of the head and of the content (4 bytes each, big-endian), head (JSON), content, zeros
 *  56+n 16 tag
 *
 * The tag covers the first 56 bytes, the name of the node and the name of the file too.
 */

import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { parseJson } from '../../base/json.ts';
import type { SealingKey } from './sealing-key.ts';

/** The format that this program writes and reads. */
const FORMAT_VERSION = 1;
const MAGIC = Buffer.from('akvseal');
const [VERSION_AT, KEY_AT, NODE_AT, SALT_AT, HEADER_BYTES] = [7, 8, 16, 24, 56];
const TAG_BYTES = 16;
const LENGTHS_BYTES = 8;
/** Lengths are rounded up to this, so that the size of a file does not tell the length of a password. */
const PAD_BYTES = 1024;
const CIPHER = 'aes-256-gcm';
const [CIPHER_KEY_BYTES, NONCE_BYTES] = [32, 12];
/** A head holds a few names, or the index of all entries. */
const HEAD_LIMITS = { bytes: 1024 * 1024, entries: 20_000, depth: 4 };

/** A file that cannot be opened; the message is the reason, in words that follow the name of the file. */
export class Unsealable extends Error {
  /** What to do about it. */
  readonly remedy: string;

  constructor(reason: string, remedy: string) {
    super(reason);
    this.remedy = remedy;
  }
}

/** What a sealed file holds. */
export interface Unsealed {
  /** The key that opened it. */
  readonly key: SealingKey;
  /** JSON that says what the content is. */
  readonly head: unknown;
  /** To be overwritten by the caller when it is no longer needed. */
  readonly content: Buffer;
}

/** The bytes that a content of this length needs on the disk, with its head. */
export function sealedBytes(headBytes: number, contentBytes: number): number {
  const plain = LENGTHS_BYTES + headBytes + contentBytes;
  return HEADER_BYTES + Math.ceil(plain / PAD_BYTES) * PAD_BYTES + TAG_BYTES;
}

/** Seals a head and a content for the file of this name. */
export async function seal(key: SealingKey, fileName: string, head: unknown, content: Buffer): Promise<Buffer> {
  const headBytes = Buffer.from(JSON.stringify(head));
  const sealed = Buffer.alloc(sealedBytes(headBytes.length, content.length));
  MAGIC.copy(sealed);
  sealed.writeUInt8(FORMAT_VERSION, VERSION_AT);
  key.id.copy(sealed, KEY_AT);
  key.nodeMark.copy(sealed, NODE_AT);
  randomBytes(HEADER_BYTES - SALT_AT).copy(sealed, SALT_AT);
  const header = sealed.subarray(0, HEADER_BYTES);
  const body = sealed.subarray(HEADER_BYTES, sealed.length - TAG_BYTES);
  body.writeUInt32BE(headBytes.length, 0);
  body.writeUInt32BE(content.length, 4);
  headBytes.copy(body, LENGTHS_BYTES);
  content.copy(body, LENGTHS_BYTES + headBytes.length);
  const once = await key.messageKey(header.subarray(SALT_AT), CIPHER_KEY_BYTES + NONCE_BYTES);
  const cipher = createCipheriv(CIPHER, once.subarray(0, CIPHER_KEY_BYTES), once.subarray(CIPHER_KEY_BYTES));
  once.fill(0);
  cipher.setAAD(boundTo(header, key, fileName));
  cipher.update(body).copy(body);
  cipher.final();
  cipher.getAuthTag().copy(sealed, sealed.length - TAG_BYTES);
  return sealed;
}

/** Opens the file of this name with the key that sealed it. Throws: {@link Unsealable}. */
export async function unseal(keys: readonly SealingKey[], fileName: string, sealed: Buffer): Promise<Unsealed> {
  const key = keyOf(keys, sealed);
  const header = sealed.subarray(0, HEADER_BYTES);
  const once = await key.messageKey(header.subarray(SALT_AT), CIPHER_KEY_BYTES + NONCE_BYTES);
  const decipher = createDecipheriv(CIPHER, once.subarray(0, CIPHER_KEY_BYTES), once.subarray(CIPHER_KEY_BYTES));
  once.fill(0);
  decipher.setAAD(boundTo(header, key, fileName));
  decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
  const plain = decipher.update(sealed.subarray(HEADER_BYTES, sealed.length - TAG_BYTES));
  try {
    decipher.final();
  } catch {
    plain.fill(0);
    throw new Unsealable('it is not what was sealed under this name: it was changed, cut or renamed', DISTRUST);
  }
  return { key, ...contentOf(plain) };
}

const DISTRUST =
  'delete it, and find out who writes to the directory or whether the disk fails; the value is read from the vault again';

/** The key that a file names. Throws: {@link Unsealable} where the header alone tells that it cannot be opened. */
function keyOf(keys: readonly SealingKey[], sealed: Buffer): SealingKey {
  if (sealed.length < HEADER_BYTES + LENGTHS_BYTES + TAG_BYTES)
    throw new Unsealable(`it has ${sealed.length} bytes, too few: it was cut`, DISTRUST);
  if (!sealed.subarray(0, VERSION_AT).equals(MAGIC))
    throw new Unsealable('it does not begin as a sealed file does', DISTRUST);
  const version = sealed.readUInt8(VERSION_AT);
  if (version !== FORMAT_VERSION) {
    const remedy = 'start the version of the provider that wrote it, or delete the file';
    throw new Unsealable(`its format is version ${version}, and this provider reads ${FORMAT_VERSION}`, remedy);
  }
  const key = keys.find(({ id }) => id.equals(sealed.subarray(KEY_AT, NODE_AT)));
  if (key === undefined) {
    const remedy = 'add the key that sealed it to the key file as a further line, or delete the file';
    throw new Unsealable('it was sealed by a key that is not in the key file', remedy);
  }
  if (!key.nodeMark.equals(sealed.subarray(NODE_AT, SALT_AT))) {
    const remedy =
      'a directory is of use on the node that wrote it only: delete the file, or start the provider with the old NODE_NAME if the node was renamed';
    throw new Unsealable(`it was sealed on another node than ${JSON.stringify(key.node)}`, remedy);
  }
  return key;
}

/** The additional authenticated data. The header has a fixed length, and a name of a file has no zero byte. */
function boundTo(header: Buffer, { node }: SealingKey, fileName: string): Buffer {
  return Buffer.concat([header, Buffer.from(`${fileName}\0${node}`)]);
}

/** Head and content. Throws: {@link Unsealable} where another program sealed something else by this key. */
function contentOf(plain: Buffer): Pick<Unsealed, 'head' | 'content'> {
  const headEnd = LENGTHS_BYTES + plain.readUInt32BE(0);
  const contentEnd = headEnd + plain.readUInt32BE(4);
  const head =
    contentEnd > plain.length ? undefined : parseJson(plain.toString('utf8', LENGTHS_BYTES, headEnd), HEAD_LIMITS);
  if (head?.ok === true) return { head: head.value, content: plain.subarray(headEnd, contentEnd) };
  plain.fill(0);
  throw new Unsealable('it holds something else than this provider writes', 'delete it');
}
