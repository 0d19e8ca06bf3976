/**
 * Patterns that match a text in the encodings of URLs, forms, JSON, HTML and backslashes. `Redactor` searches for
 * secrets with them. Base64 and hexadecimal are not covered, since they change every character.
 */

/**
 * A pattern that matches the text in these encodings, also nested ones. Each character may be encoded in a different
 * way, since encoders differ in the characters that they encode.
 */
export function spellings(text: string): string {
  return text.replace(/[\t-\r ]+|[^A-Za-z0-9]/gu, (part) => (/[\t-\r ]/.test(part) ? WHITE_SPACE : spellingsOf(part)));
}

// The beginnings of escapes, which may be escaped themselves. No pattern begins with an unbounded repetition, so that the
// time of a search grows linearly with the text.
const PERCENT = '%(?:25)*';
const BACKSLASH = `(?:\\\\|${PERCENT}5[cC]){1,4}`;
const SEMICOLON = `(?:;|${PERCENT}3[bB])`;
const AMPERSAND = `(?:&|${PERCENT}26|\\\\{1,4}u0026)(?:amp${SEMICOLON})*`;
const NUMBER_SIGN = `(?:#|${PERCENT}23)`;
const WHITE_SPACE =
  `(?:[\\t-\\r ]|\\+|${PERCENT}(?:20|0[9a-dA-D])|${BACKSLASH}(?:[nrtfv]|u00(?:20|0[9a-dA-D]))|` +
  `${AMPERSAND}${NUMBER_SIGN}(?:32|9|1[0-3]|[xX]0*(?:20|[9a-dA-D]))${SEMICOLON})+`;

function spellingsOf(char: string): string {
  const code = char.codePointAt(0) ?? 0;
  const plain = `${BACKSLASH.replace('{1', '{0')}${char.replace(/[\\^$.*+?()[\]{}|/]/, '\\$&')}`;
  const url = [...Buffer.from(char)].map((byte) => `${PERCENT}${hexPattern(byte, 2)}`).join('');
  const json = char.split('').map((unit) => `${BACKSLASH}u${hexPattern(unit.charCodeAt(0), 4)}`);
  const numbers = `${NUMBER_SIGN}(?:0*${code}|[xX]0*${hexPattern(code, 1)})`;
  const html = [numbers, ...(HTML[char] ?? [])].join('|');
  const short = char === '\b' ? `|${BACKSLASH}b` : '';
  return `(?:${plain}|${url}|${json.join('')}|${AMPERSAND}(?:${html})${SEMICOLON}${short})`;
}

const HTML: Readonly<Record<string, readonly string[]>> = {
  '&': ['amp'],
  '<': ['lt'],
  '>': ['gt'],
  '"': ['quot'],
  "'": ['apos'],
};

/** A pattern of the number as hexadecimal digits in either case. */
function hexPattern(value: number, digits: number): string {
  const hex = value.toString(16).padStart(digits, '0');
  return hex.replace(/[a-f]/g, (letter) => `[${letter}${letter.toUpperCase()}]`);
}
