/** Result of a strict decoding: the bytes, or the offset of the first character that does not belong there. */
export type Decoded = { readonly ok: true; readonly bytes: Buffer } | { readonly ok: false; readonly offset: number };

const BASE64_INVALID = /[^A-Za-z0-9+/]/;

/**
 * Standard base64 (RFC 4648 section 4) with padding. CR and LF are skipped, everything else that is foreign is refused:
 * Node's own decoder takes garbage, the URL alphabet and missing padding in silence.
 * Offsets count characters of `text`, from 0.
 */
export function decodeBase64(text: string): Decoded {
  const compact = text.replace(/[\r\n]/g, '');
  const body = compact.replace(/={1,2}$/, '');
  const invalid = body.search(BASE64_INVALID);
  if (invalid !== -1) return { ok: false, offset: originalOffset(text, invalid) };
  if (compact.length % 4 !== 0) return { ok: false, offset: text.length };
  const bytes = Buffer.from(compact, 'base64');
  if (bytes.toString('base64') !== compact) return { ok: false, offset: originalOffset(text, body.length - 1) };
  return { ok: true, bytes };
}

/** Hexadecimal, two digits a byte, either case, nothing between. Offsets count characters of `text`, from 0. */
export function decodeHex(text: string): Decoded {
  const invalid = text.search(/[^0-9A-Fa-f]/);
  if (invalid !== -1) return { ok: false, offset: invalid };
  if (text.length % 2 !== 0) return { ok: false, offset: text.length };
  return { ok: true, bytes: Buffer.from(text, 'hex') };
}

function originalOffset(text: string, compactOffset: number): number {
  let seen = -1;
  for (let i = 0; i < text.length; i++) {
    const char = text[i];
    if (char !== '\r' && char !== '\n') seen++;
    if (seen === compactOffset) return i;
  }
  return text.length;
}
