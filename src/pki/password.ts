/**
 * Prepares the passwords that may open a content, and describes oddities of a password that does not. The readers of
 * encrypted content call it. It refuses passwords that are longer than any in use.
 */

import { Secret } from '../base/secret.ts';
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
 * A password as it is meant: without the byte order mark that an editor puts before a text, and without the line breaks
 * that `echo` and editors leave at its end. Opening a content and writing one take the same off.
 */
export function withoutMargins(password: Secret): Secret {
  const text = password.reveal().replace(/^\ufeff/, '');
  let end = text.length;
  while (end > 0 && (text[end - 1] === '\n' || text[end - 1] === '\r')) end--;
  return new Secret(text.slice(0, end));
}

/**
 * The passwords to try, likeliest first. Without one: the empty password in its two forms (OpenSSL's and Key Vault's).
 * With one: the text without its margins, for letters beyond ASCII the form OpenSSL before 1.1 wrote, and the empty
 * ones, since a file without password needs none.
 */
export function passwordCandidates(passwords: readonly Secret[]): readonly PasswordBytes[] {
  const texts = new Set<string>();
  for (const password of passwords) {
    const text = withoutMargins(password).reveal();
    if (text.length > MAX_PASSWORD_LENGTH) {
      throw badContent(`comes with a password longer than ${MAX_PASSWORD_LENGTH} characters`);
    }
    texts.add(text);
  }
  for (const candidate of [...texts]) texts.add(Buffer.from(candidate, 'utf8').toString('latin1'));
  return [...[...texts].filter((candidate) => candidate !== '').map(encodeText), NULL_PASSWORD, encodeText('')];
}

const MARK = /^(?:\ufeff|\xef\xbb\xbf)/;
const QUOTED = /^\s*(?:(["'`]).*\1|[\u2018\u201c\u201e].*[\u2018\u2019\u201c\u201d])\s*$/s;
/** What is rarely meant to belong to a password; looked for in it without its margins. */
const ODDITIES: readonly (readonly [string, RegExp])[] = [
  ['is empty', /^$/],
  ['consists of blanks', /^\s+$/],
  ['begins with a blank', /^\s+\S/],
  ['ends with a blank', /\S\s+$/],
  ['stands in quotes', QUOTED],
];

/** What is odd about passwords that open nothing, to follow `check that password`; empty where nothing is. */
export function passwordRemark(passwords: readonly Secret[]): string {
  const odd = ODDITIES.filter(([, form]) => passwords.some((one) => form.test(withoutMargins(one).reveal())));
  const marked = passwords.some((one) => MARK.test(one.reveal())) ? ['begins with a byte order mark'] : [];
  const all = [...marked, ...odd.map(([what]) => what)];
  const last = all.pop();
  if (last === undefined) return '';
  return `: it ${all.length === 0 ? last : `${all.join(', ')} and ${last}`}`;
}

function encodeText(text: string): PasswordBytes {
  return { bmp: Buffer.from(`${text}\0`, 'utf16le').swap16(), utf8: Buffer.from(text, 'utf8') };
}
