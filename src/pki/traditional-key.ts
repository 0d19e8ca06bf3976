/**
 * Decrypts private keys in OpenSSL's traditional encryption (`Proc-Type: 4,ENCRYPTED`, before OpenSSL 1.0). The reader
 * of contents calls it. It refuses ciphers that it does not know.
 */

import { hash } from 'node:crypto';
import { badContent } from './bad-content.ts';
import { type Cipher, decrypt } from './ciphers.ts';

const aes = (bits: number): Cipher => ({ kind: 'native', name: `aes-${bits}-cbc`, keySize: bits / 8, ivSize: 16 });
const camellia = (bits: number): Cipher => ({ ...aes(bits), kind: 'native', name: `camellia-${bits}-cbc` });

/** The ciphers of `DEK-Info`, by their names in OpenSSL. */
const CIPHERS: Readonly<Record<string, Cipher>> = {
  'DES-EDE3-CBC': { kind: 'native', name: 'des-ede3-cbc', keySize: 24, ivSize: 8 },
  'DES-CBC': { kind: 'native', name: 'des-ede3-cbc', keySize: 8, ivSize: 8 },
  'AES-128-CBC': aes(128),
  'AES-192-CBC': aes(192),
  'AES-256-CBC': aes(256),
  'CAMELLIA-128-CBC': camellia(128),
  'CAMELLIA-192-CBC': camellia(192),
  'CAMELLIA-256-CBC': camellia(256),
};
const DEK_INFO = /^DEK-Info:\s*([A-Za-z0-9-]+),\s*([0-9A-Fa-f]+)\s*$/m;
const SALT_BYTES = 8;

/** The headers of an old encrypted key. */
export interface OldEncryption {
  readonly cipher: Cipher;
  readonly iv: Buffer;
}

/**
 * Reads `DEK-Info` from the headers of a key (RFC 1421, as OpenSSL before 1.0 wrote them). Node could open such a key,
 * but without a check of the result, which may be a key that takes minutes to read.
 */
export function readOldEncryption(headers: string): OldEncryption {
  const [, name = '', hex = ''] = DEK_INFO.exec(headers) ?? [];
  const cipher = CIPHERS[name.toUpperCase()];
  if (cipher === undefined) {
    throw badContent(
      `is encrypted in an old way that is not known here (${name || 'no DEK-Info'}); export it again as PKCS#8`,
    );
  }
  const iv = Buffer.from(hex, 'hex');
  if (iv.length !== cipher.ivSize) throw badContent('is damaged: its initialisation vector has the wrong size');
  return { cipher, iv };
}

/**
 * Decrypts with a key made by MD5 from the password and the start of the vector; `undefined` if the padding is wrong.
 */
export function decryptOldKey(
  { cipher, iv }: OldEncryption,
  password: Buffer,
  input: { readonly content: Buffer; readonly signal: AbortSignal | undefined },
): Promise<Buffer | undefined> {
  const salt = iv.subarray(0, SALT_BYTES);
  const parts: Buffer[] = [];
  for (let size = 0; size < cipher.keySize; size += 16) {
    parts.push(hash('md5', Buffer.concat([parts.at(-1) ?? Buffer.alloc(0), password, salt]), 'buffer'));
  }
  return decrypt(cipher, { key: Buffer.concat(parts).subarray(0, cipher.keySize), iv }, input);
}
