/**
 * Strict decoders for base64, base64url and hexadecimal text. `mount/convert` decodes values with them, and needs the
 * error offsets of Go's decoders; `azure/login` decodes parts of tokens and keys. They refuse what Node's own decoders
 * skip.
 */

/** The result of a strict decoding: the bytes, or the offset of the first invalid character. */
export type Decoded = { readonly ok: true; readonly bytes: Buffer } | { readonly ok: false; readonly offset: number };

const BASE64_INVALID = /[^A-Za-z0-9+/]/;
const FOREIGN = /[^A-Za-z0-9+/\r\n]/;

/**
 * Standard base64 (RFC 4648 section 4) with padding. CR and LF are skipped, other foreign characters are refused.
 * Node's own decoder accepts garbage, the URL alphabet and missing padding.
 * Offsets count characters of `text`, from 0, and are those of Go's decoder.
 */
export function decodeBase64(text: string): Decoded {
  const compact = text.replace(/[\r\n]/g, '');
  const body = compact.replace(/={1,2}$/, '');
  if (compact.length % 4 !== 0 || BASE64_INVALID.test(body)) return { ok: false, offset: base64Offset(text) };
  return { ok: true, bytes: Buffer.from(compact, 'base64') };
}

/**
 * Decodes hexadecimal, two digits for each byte, in either case, without separators. Offsets count characters of
 * `text`, from 0.
 */
export function decodeHex(text: string): Decoded {
  const invalid = text.search(/[^0-9A-Fa-f]/);
  if (invalid !== -1) return { ok: false, offset: invalid };
  if (text.length % 2 !== 0) return { ok: false, offset: text.length };
  return { ok: true, bytes: Buffer.from(text, 'hex') };
}

/**
 * Returns the bytes of a text in base64url without padding, or undefined for everything else. Padding, foreign characters
 * and spare bits are refused, so that one content has one text.
 */
export function decodeBase64Url(text: unknown): Buffer | undefined {
  if (typeof text !== 'string') return undefined;
  const bytes = Buffer.from(text, 'base64url');
  return bytes.toString('base64url') === text ? bytes : undefined;
}

/** The offset that Go reports: of a foreign character, behind misplaced padding, or of a group that is cut off. */
function base64Offset(text: string): number {
  const foreign = text.search(FOREIGN);
  const start = foreign === -1 ? text.length : foreign;
  let filled = text.slice(0, start).replace(/[\r\n]/g, '').length % 4;
  for (let at = start; at < text.length; at++) {
    const char = text[at] ?? '';
    if (char === '\r' || char === '\n') continue;
    if (BASE64_INVALID.test(char)) return char !== '=' || filled < 2 ? at : paddingOffset(text, at, filled);
    filled = (filled + 1) % 4;
  }
  return text.length - filled;
}

/** The same offset if padding begins at `at`, in a group that has two or three characters. */
function paddingOffset(text: string, at: number, filled: number): number {
  const next = skipNewlines(text, at + 1);
  if (filled === 3 || next === text.length) return next;
  return text[next] === '=' ? skipNewlines(text, next + 1) : next - 1;
}

function skipNewlines(text: string, at: number): number {
  return at + (/^[\r\n]*/.exec(text.slice(at))?.[0].length ?? 0);
}
