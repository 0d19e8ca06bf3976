/**
 * Encrypts and decrypts with the ciphers of PKCS#12 and of encrypted keys, in short slices of the event loop. The
 * password-based schemes and the writer of PKCS#12 call it. It refuses to write RC4.
 */

import { createCipheriv, createDecipheriv } from 'node:crypto';
import { nextTurn } from '../base/turns.ts';
import { badContent } from './bad-content.ts';
import { rc2 as forgeRc2, util } from './forge.ts';

/** A cipher of Node, or RC2 or RC4, which OpenSSL 3 does not offer. Sizes are in bytes. */
export type Cipher =
  | { readonly kind: 'native'; readonly name: string; readonly keySize: number; readonly ivSize: number }
  | { readonly kind: 'rc2'; readonly keySize: number; readonly effectiveBits: number; readonly ivSize: 8 }
  | { readonly kind: 'rc4'; readonly keySize: number; readonly ivSize: 0 };

/** Key and initialisation vector, in the sizes of their cipher. */
export interface CipherKey {
  readonly key: Buffer;
  readonly iv: Buffer;
}

/** The bytes of one slice of the ciphers written in JavaScript, about a millisecond. */
const SLICE_BYTES = 1024;
/** The bytes of one slice of native ciphers; the slowest, triple DES, takes two milliseconds. */
const NATIVE_SLICE_BYTES = 32 * SLICE_BYTES;

/** The input of a decryption. */
interface Encrypted {
  readonly content: Buffer;
  readonly signal: AbortSignal | undefined;
}

/** Decrypts. Returns `undefined` if the padding is wrong, the sign of a wrong password. */
export async function decrypt(cipher: Cipher, key: CipherKey, input: Encrypted): Promise<Buffer | undefined> {
  switch (cipher.kind) {
    case 'native':
      return decryptNatively(cipher.name, key, input);
    case 'rc2':
      return decryptRc2(cipher.effectiveBits, key, input);
    case 'rc4':
      return decryptRc4(key.key, input);
  }
}

/** Encrypts with PKCS#7 padding. Throws for RC4, which is only read. */
export function encrypt(cipher: Cipher, { key, iv }: CipherKey, content: Buffer): Buffer {
  switch (cipher.kind) {
    case 'native': {
      const native = createCipheriv(cipher.name, nativeKey(cipher.name, key), iv);
      return Buffer.concat([native.update(content), native.final()]);
    }
    case 'rc2': {
      const rc2 = forgeRc2.createEncryptionCipher(key.toString('latin1'), cipher.effectiveBits);
      rc2.start(iv.toString('latin1'));
      rc2.update(util.createBuffer(content.toString('latin1')));
      rc2.finish();
      return Buffer.from(rc2.output.getBytes(), 'latin1');
    }
    case 'rc4':
      throw badContent('RC4 is not written any more');
  }
}

async function decryptNatively(
  name: string,
  { key, iv }: CipherKey,
  { content, signal }: Encrypted,
): Promise<Buffer | undefined> {
  const decipher = createDecipheriv(name, nativeKey(name, key), iv);
  const parts: Buffer[] = [];
  for (let offset = 0; offset < content.length; offset += NATIVE_SLICE_BYTES) {
    if (offset > 0) await nextTurn(signal);
    parts.push(decipher.update(content.subarray(offset, offset + NATIVE_SLICE_BYTES)));
  }
  try {
    return Buffer.concat([...parts, decipher.final()]);
  } catch {
    return undefined;
  }
}

/** Each slice starts a new cipher after the last one, since the buffers of one cipher slow down as they grow. */
async function decryptRc2(
  effectiveBits: number,
  { key, iv }: CipherKey,
  { content, signal }: Encrypted,
): Promise<Buffer | undefined> {
  if (content.length === 0 || content.length % 8 !== 0) return undefined;
  const rc2 = forgeRc2.createDecryptionCipher(key.toString('latin1'), effectiveBits);
  const parts: Buffer[] = [];
  for (let offset = 0; offset < content.length; offset += SLICE_BYTES) {
    await nextTurn(signal);
    rc2.start((offset === 0 ? iv : content.subarray(offset - 8, offset)).toString('latin1'));
    rc2.update(util.createBuffer(content.toString('latin1', offset, offset + SLICE_BYTES)));
    parts.push(Buffer.from(rc2.output.getBytes(), 'latin1'));
  }
  return withoutPadding(Buffer.concat(parts));
}

async function decryptRc4(key: Buffer, { content, signal }: Encrypted): Promise<Buffer> {
  const state = Uint8Array.from({ length: 256 }, (_, i) => i);
  const swap = (a: number, b: number): number => {
    const [x = 0, y = 0] = [state[a], state[b]];
    state[a] = y;
    state[b] = x;
    return (x + y) & 0xff;
  };
  for (let i = 0, j = 0; i < 256; i++) {
    j = (j + (state[i] ?? 0) + (key[i % key.length] ?? 0)) & 0xff;
    swap(i, j);
  }
  const plain = Buffer.from(content);
  for (let n = 0, i = 0, j = 0; n < plain.length; n++) {
    if (n % (16 * SLICE_BYTES) === 0) await nextTurn(signal);
    i = (i + 1) & 0xff;
    j = (j + (state[i] ?? 0)) & 0xff;
    plain[n] = (plain[n] ?? 0) ^ (state[swap(i, j)] ?? 0);
  }
  return plain;
}

/** DES is triple DES with one key three times. Two-key triple DES repeats its first key. */
function nativeKey(name: string, key: Buffer): Buffer {
  return name === 'des-ede3-cbc' ? Buffer.alloc(24, key) : key;
}

function withoutPadding(plain: Buffer): Buffer | undefined {
  const count = plain[plain.length - 1] ?? 0;
  const end = plain.length - count;
  const intact = count >= 1 && count <= 8 && end >= 0 && plain.subarray(end).every((byte) => byte === count);
  return intact ? plain.subarray(0, end) : undefined;
}
