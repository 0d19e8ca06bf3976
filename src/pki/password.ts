import type { Secret } from '../base/secret.ts';
import { badContent } from './bad-content.ts';

/**
 * A password as the algorithms take it: `bmp` for the derivation of PKCS#12 (UTF-16, big-endian, two zero bytes at
 * the end), `utf8` for PBKDF2, PBKDF1 and scrypt.
 */
export interface PasswordBytes {
  readonly bmp: Buffer;
  readonly utf8: Buffer;
}

const MAX_PASSWORD_LENGTH = 4096;

/** The zero-length password Windows and Key Vault use, which is not the empty one. */
const NULL_PASSWORD: PasswordBytes = { bmp: Buffer.alloc(0), utf8: Buffer.alloc(0) };

/** Encodes a password; `null` is the zero-length one. */
export function passwordBytes(password: Secret | null): PasswordBytes {
  return password === null ? NULL_PASSWORD : encodeText(password.reveal());
}

/**
 * The passwords to try, likeliest first. Without one: the empty password in its two forms (OpenSSL's and Key Vault's).
 * With one: the text, the text without the line break a file or editor left at its end, for letters beyond ASCII the
 * form OpenSSL before 1.1 wrote, and the empty ones, since a file without password needs none.
 */
export function passwordCandidates(password: Secret | undefined): readonly PasswordBytes[] {
  const text = password?.reveal() ?? '';
  if (text.length > MAX_PASSWORD_LENGTH) {
    throw badContent(`comes with a password longer than ${MAX_PASSWORD_LENGTH} characters`);
  }
  const texts = new Set([text, text.replace(/\r?\n$/, '')]);
  for (const candidate of [...texts]) texts.add(Buffer.from(candidate, 'utf8').toString('latin1'));
  return [...[...texts].filter((candidate) => candidate !== '').map(encodeText), NULL_PASSWORD, encodeText('')];
}

function encodeText(text: string): PasswordBytes {
  return { bmp: Buffer.from(`${text}\0`, 'utf16le').swap16(), utf8: Buffer.from(text, 'utf8') };
}
