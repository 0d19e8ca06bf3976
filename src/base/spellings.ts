// Tells in how many ways an encoder may write a text. `Redactor` looks for secrets by it. Base64 and hex are not among
// them: they change every character.

/**
 * A pattern of the text in the spellings of URLs and forms, JSON, HTML and backslashes, also one within another. Each
 * character may have its own: what has to be encoded differs from one encoder to the next.
 */
export function spellings(text: string): string {
  return text.replace(/[\t-\r ]+|[^A-Za-z0-9]/gu, (part) => (/[\t-\r ]/.test(part) ? WHITE_SPACE : spellingsOf(part)));
}

// What begins an escape, which may be escaped itself. Nothing here begins with something that may be repeated without a
// bound, so that a search takes time in proportion to the text.
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

/** The number as hexadecimal digits in either case. */
function hexPattern(value: number, digits: number): string {
  const hex = value.toString(16).padStart(digits, '0');
  return hex.replace(/[a-f]/g, (letter) => `[${letter}${letter.toUpperCase()}]`);
}
