/**
 * Finds the place where a text stops being PEM or base64. `pem.ts` and `diagnosis.ts` call it for their messages. It
 * refuses nothing. One line of a message names at most one character of the content.
 */

/** `-`, and characters that are typed or pasted instead of it. */
const DASHES = '-\\u2010-\\u2015\\u2212\\ufe58\\ufe63\\uff0d';
const BOUNDARY = /\b(?:BEGIN|END) [A-Z0-9 ]{0,60}[A-Z0-9]/gi;
const LEFT = new RegExp(`([${DASHES}]{0,20})([^\\S\\r\\n]{0,10})$`, 'u');
const RIGHT = new RegExp(`^([^\\S\\r\\n]{0,10})([${DASHES}]{0,20})`, 'u');
/** The number of characters that are read on each side of the words. */
const MARGIN = 30;
const LABELS = /^\S+ (?:.* )?(?:CERTIFICATE|KEY|CERTIFICATE REQUEST|CRL|PKCS7|PKCS12|CMS)$/i;
/** The maximum of bytes of a character in UTF-8. */
const MAX_UTF8 = 4;

/** Characters that are invisible or look like others. */
const NAMES: ReadonlyMap<number, string> = new Map([
  [0x09, 'a tab'],
  [0x20, 'a blank'],
  [0xa0, 'a no-break space'],
  [0xad, 'a soft hyphen'],
  [0x200b, 'a zero-width space'],
  [0x200c, 'a zero-width character'],
  [0x200d, 'a zero-width character'],
  [0x2010, 'a hyphen'],
  [0x2011, 'a hyphen'],
  [0x2013, 'an en dash'],
  [0x2014, 'an em dash'],
  [0x2018, 'a typographic quote'],
  [0x2019, 'a typographic quote'],
  [0x201c, 'a typographic quote'],
  [0x201d, 'a typographic quote'],
  [0x2026, 'an ellipsis'],
  [0x202f, 'a narrow no-break space'],
  [0x2060, 'a zero-width character'],
  [0x2212, 'a minus sign'],
  [0x3000, 'a wide blank'],
  [0xfeff, 'a byte order mark'],
  [0xfffd, 'the replacement for bytes that were not text'],
]);

/** `line 7, character 12: U+00A0 (a no-break space)` of an offset in a text of Latin-1. */
export function faultAt(text: string, offset: number): string {
  const before = text.slice(0, offset);
  const lines = before.split(/\r\n|[\r\n]/);
  const column = utf8Of(lines.at(-1) ?? '').length + 1;
  return `line ${lines.length}, character ${column}: ${characterAt(text, offset)}`;
}

/** The line of an offset, from 1. */
export function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split(/\r\n|[\r\n]/).length;
}

/**
 * The fault of the first line that is meant to begin or end a block of PEM and does not, as a clause; `undefined` if
 * there is no such line. The text is Latin-1 and begins on `firstLine`.
 */
export function boundaryFault(latin1: string, firstLine = 1): string | undefined {
  const text = utf8Of(latin1);
  for (const { 0: words, index } of text.matchAll(BOUNDARY)) {
    if (!LABELS.test(words)) continue;
    const end = index + words.length;
    const [, left = '', gap = ''] = LEFT.exec(text.slice(Math.max(0, index - MARGIN), index)) ?? [];
    const [, space = '', right = ''] = RIGHT.exec(text.slice(end, end + MARGIN)) ?? [];
    const fault = dashFault(left, right) ?? wordFault(words, gap + (right === '' ? '' : space));
    if (fault === undefined) continue;
    const line = firstLine + lineAt(text, index) - 1;
    return `line ${line} ${fault}; write it as "-----${words.toUpperCase()}-----"`;
  }
  return undefined;
}

function dashFault(left: string, right: string): string | undefined {
  const foreign = /[^-]/.exec(left + right)?.[0];
  if (foreign !== undefined) return `has ${named(foreign.charCodeAt(0))} where a "-" belongs`;
  const wrong = [left, right].map(({ length }) => length).find((length) => length !== 5);
  return wrong === undefined ? undefined : `has ${wrong} ${wrong === 1 ? 'dash' : 'dashes'} where 5 belong`;
}

function wordFault(words: string, blanks: string): string | undefined {
  if (words !== words.toUpperCase()) return 'has small letters where capital letters belong';
  return blanks === '' ? undefined : 'has a blank between its dashes and its words';
}

function characterAt(text: string, offset: number): string {
  const code = utf8Of(text.slice(offset, offset + MAX_UTF8)).codePointAt(0) ?? 0;
  const isLatin1 = code === 0xfffd && text[offset] !== '\xef';
  return named(isLatin1 ? text.charCodeAt(offset) : code);
}

function named(code: number): string {
  if (code > 0x20 && code < 0x7f) return `"${String.fromCodePoint(code)}"`;
  const name = NAMES.get(code);
  return `U+${code.toString(16).toUpperCase().padStart(4, '0')}${name === undefined ? '' : ` (${name})`}`;
}

/** Decodes a text as UTF-8 that was read as Latin-1; a text with other characters stays unchanged. */
function utf8Of(latin1: string): string {
  return /[^\0-\xff]/.test(latin1) ? latin1 : Buffer.from(latin1, 'latin1').toString('utf8');
}
