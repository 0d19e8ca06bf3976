/**
 * Prepares the passwords that may open a content, and describes oddities of a password that does not. The readers of
 * encrypted content call it. It refuses passwords that are longer than any in use.
 */

import { Secret } from '../base/secret.ts';
import { badContent } from './bad-content.ts';

/**
 * A password in the encodings of the algorithms: `bmp` for the derivation of PKCS#12 (UTF-16, big-endian, two zero
 * bytes at the end), `utf8` for PBKDF2, PBKDF1 and scrypt.
 */
export interface PasswordBytes {
  readonly bmp: Buffer;
  readonly utf8: Buffer;
}

const MAX_PASSWORD_LENGTH = 4096;

/** The zero-length password of Windows and Key Vault, which differs from the empty one. */
const NULL_PASSWORD: PasswordBytes = { bmp: Buffer.alloc(0), utf8: Buffer.alloc(0) };

/** Encodes a password; `null` is the zero-length one. */
export function passwordBytes(password: Secret | null): PasswordBytes {
  return password === null ? NULL_PASSWORD : encodeText(password.reveal());
}

/**
 * A password without the byte order mark that editors put before a text, and without the line breaks that `echo` and
 * editors put at its end. Readers and writers of content remove the same characters.
 */
export function withoutMargins(password: Secret): Secret {
  const text = password.reveal().replace(/^\ufeff/, '');
  let end = text.length;
  while (end > 0 && (text[end - 1] === '\n' || text[end - 1] === '\r')) end--;
  return new Secret(text.slice(0, end));
}

/**
 * The passwords to try, the likeliest first. Without a given one: the empty password in its two forms (OpenSSL's and
 * Key Vault's). With one: the text without its margins, for letters beyond ASCII the form of OpenSSL before 1.1, and
 * the empty ones, since the file may have no password.
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
/** Characters that rarely belong to a password. */
const UNUSUAL: readonly (readonly [string, RegExp])[] = [
  ['is empty', /^$/],
  ['consists of blanks', /^\s+$/],
  ['begins with a blank', /^\s+\S/],
  ['ends with a blank', /\S\s+$/],
  ['is in quotes', QUOTED],
];

/**
 * Describes unusual characters of passwords that open nothing, to follow `check that password`; empty if there are
 * none.
 */
export function passwordRemark(passwords: readonly Secret[]): string {
  const odd = UNUSUAL.filter(([, form]) => passwords.some((one) => form.test(withoutMargins(one).reveal())));
  const marked = passwords.some((one) => MARK.test(one.reveal())) ? ['begins with a byte order mark'] : [];
  const all = [...marked, ...odd.map(([what]) => what)];
  const last = all.pop();
  if (last === undefined) return '';
  return `: it ${all.length === 0 ? last : `${all.join(', ')} and ${last}`}`;
}

function encodeText(text: string): PasswordBytes {
  return { bmp: Buffer.from(`${text}\0`, 'utf16le').swap16(), utf8: Buffer.from(text, 'utf8') };
}
