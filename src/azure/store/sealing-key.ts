/**
 * The keys of the sealed store: reads them from the key file of the operator, and derives what each is used for.
 * `serve` reads the file once, when it starts. Refuses a file that other users of the node may read, and keys that are
 * not 32 random bytes.
 */

import { createHmac, createSecretKey, hkdf, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { decodeBase64 } from '../../base/encoding.ts';
import { ProviderError } from '../../base/errors.ts';
import { readMountedBytes, UnreadableFile } from '../../base/regular-file.ts';

/** Bytes of a key. */
const KEY_BYTES = 32;
/** Keys in one file: the one that seals, and older ones. */
const MAX_KEYS = 8;
const MAX_FILE_BYTES = 4096;
/** Of 32 random bytes 30 differ on average; one random key in 10^12 has fewer different bytes than this. */
const MIN_DISTINCT = 18;
const FLAG = '--offline-cache-key-file';
const REMEDY =
  'a key is 32 random bytes, raw or in base64, one key a line; make one with: head -c 32 /dev/urandom | base64';

/** Purposes of derived keys; another format version has other ones. */
const PURPOSE = { id: 'akv-csi store v1 id', names: 'akv-csi store v1 names', seal: 'akv-csi store v1 seal' };

const derive = promisify(hkdf);

/** The keys of a store: the first one seals, and all open. */
export type SealingKeys = readonly [SealingKey, ...SealingKey[]];

/** A key of the store, as one node uses it. */
export interface SealingKey {
  /** Eight bytes that name the key in the files that it sealed. They tell nothing of it. */
  readonly id: Buffer;
  /** The name of the node. */
  readonly node: string;
  /** Eight bytes that name the node to those who have the key. */
  readonly nodeMark: Buffer;
  /** The name of a file, without its ending: 64 hexadecimal digits that tell nothing of `parts`. */
  nameOf(parts: readonly string[]): string;
  /** Names a content, to compare it with a later one. */
  digestOf(content: Buffer): string;
  /** `bytes` bytes for the one message that has this salt. */
  messageKey(salt: Buffer, bytes: number): Promise<Buffer>;
}

/**
 * The keys in the file of the operator, the one that seals first.
 * Throws: ERR_SETUP, naming the file, the line, the rule and the remedy; it quotes nothing of the content.
 */
export async function readSealingKeys(path: string, node: string): Promise<SealingKeys> {
  const refuse = (reason: string) => new ProviderError('ERR_SETUP', `${FLAG} ${path}: ${reason}`);
  const file = await readMountedBytes(path, MAX_FILE_BYTES).catch((error: unknown) => {
    if (error instanceof UnreadableFile) throw refuse(`${error.message}; mount the file, or correct the flag`);
    throw error;
  });
  const { bytes, mode } = file;
  try {
    if ((mode & 0o007) !== 0) {
      const shown = mode.toString(8).padStart(4, '0');
      const remedy = 'set its mode to 0400 (chmod 0400, or defaultMode: 0400 of the Secret volume)';
      throw refuse(`its mode is ${shown}, so that every user of the node may use the key; ${remedy}`);
    }
    const keys = keysIn(bytes);
    if (typeof keys === 'string') throw refuse(`${keys}; ${REMEDY}`);
    const [first, ...older] = keys;
    if (first === undefined) throw refuse(`it is empty; ${REMEDY}`);
    return [await sealingKey(first, node), ...(await Promise.all(older.map((key) => sealingKey(key, node))))];
  } finally {
    bytes.fill(0);
  }
}

/** The keys of a file; the rule that it breaks where it has none. */
function keysIn(bytes: Buffer): readonly KeyObject[] | string {
  if (bytes.length === KEY_BYTES) {
    const weakness = weaknessOf(bytes);
    return weakness === undefined ? [createSecretKey(bytes)] : `the key ${weakness}`;
  }
  const lines = bytes
    .toString('latin1')
    .split(/\r?\n/)
    .map((line) => line.trim());
  const numbered = lines.map((line, index) => ({ line, number: index + 1 })).filter(({ line }) => line !== '');
  if (numbered.length > MAX_KEYS) return `it has ${numbered.length} lines, more than ${MAX_KEYS}`;
  const keys: KeyObject[] = [];
  for (const { line, number } of numbered) {
    const decoded = decodeBase64(line);
    if (!decoded.ok) return `it has ${bytes.length} bytes, and line ${number} is not base64`;
    const key = decoded.bytes;
    if (key.length !== KEY_BYTES) return `line ${number} holds ${key.length} bytes, not ${KEY_BYTES}`;
    const weakness = weaknessOf(key);
    if (weakness !== undefined) return `the key of line ${number} ${weakness}`;
    keys.push(createSecretKey(key));
    key.fill(0);
  }
  return keys;
}

/** Why these 32 bytes are not random; undefined where they may be. */
function weaknessOf(key: Buffer): string | undefined {
  if (new Set(key).size < MIN_DISTINCT) return 'repeats the same few bytes';
  if (key.every((byte) => byte >= 0x20 && byte < 0x7f)) return 'is text, such as a password';
  const step = (at: number) => ((key[at] ?? 0) - (key[at - 1] ?? 0)) & 0xff;
  const steady = [...key.keys()].slice(2).every((at) => step(at) === step(1));
  return steady ? 'is a sequence of numbers' : undefined;
}

/** Derives what a key of the store needs. */
export async function sealingKey(key: KeyObject, node: string): Promise<SealingKey> {
  const named = Buffer.from(await derive('sha256', key, '', PURPOSE.names, KEY_BYTES));
  const names = createSecretKey(named);
  named.fill(0);
  const mac = (content: Buffer | string) => createHmac('sha256', names).update(content);
  return {
    id: Buffer.from(await derive('sha256', key, '', PURPOSE.id, 8)),
    node,
    nodeMark: mac(JSON.stringify(['node', node]))
      .digest()
      .subarray(0, 8),
    nameOf: (parts) => mac(JSON.stringify(['file', node, ...parts])).digest('hex'),
    digestOf: (content) => mac('content').update(content).digest('base64'),
    messageKey: async (salt, bytes) => Buffer.from(await derive('sha256', key, salt, PURPOSE.seal, bytes)),
  };
}
