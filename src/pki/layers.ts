/**
 * Removes the layers of a content until keys or certificates show: base64, hexadecimal, UTF-16, JSON, bytes stored as
 * characters. `bundle.ts` reads the innermost content, `diagnosis.ts` describes it if it cannot be read. It refuses
 * nothing: every layer makes the content smaller, and at most six are removed.
 */

import { isJsonObject, parseJson } from '../base/json.ts';
import { Secret } from '../base/secret.ts';
import { readDer, TAG } from './der.ts';
import { isPkcs12 } from './pkcs12-read.ts';

/** A format of keys and certificates, with the bytes or the text. */
export type Core =
  | { readonly kind: 'pkcs12' | 'der'; readonly bytes: Buffer }
  | { readonly kind: 'pem'; readonly text: string };

/** A layer that a content can be wrapped in. */
export type Layer = 'base64' | 'hexadecimal' | 'UTF-16' | 'JSON' | 'characters';

/** A content without its layers. */
export interface Unwrapped {
  /** The layers, the outermost first. */
  readonly layers: readonly Layer[];
  /** The bytes inside the last known layer. */
  readonly innermost: Buffer;
  /** Absent if `innermost` has no supported format. */
  readonly core?: Core;
  /** The password next to a PFX in JSON. */
  readonly password?: Secret;
}

interface Inner {
  readonly layer: Layer;
  readonly bytes: Buffer;
  readonly password?: Secret;
}

const MAX_LAYERS = 6;
const JSON_LIMITS = { bytes: 256 * 1024, entries: 1000, depth: 8 };
const BASE64 = /^[A-Za-z0-9+/_-]+={0,2}$/;
const HEX = /^(?:[0-9A-Fa-f]{2}){8,}$/;
const ASCII = /^[\t\n\r -~]*$/;
/** `data:application/x-pkcs12;base64,` of a web page. */
const DATA_URL = /^\s*data:[\w.+/;=-]{0,100};base64,/;
/** Separators in base64 or hexadecimal text: blanks, quotes, escaped line breaks. */
const BETWEEN = /[\s"']|\\{1,8}[nr]/g;
/** The number of bytes that are checked for zeros in every second place. */
const UTF16_SAMPLE = 64;
/** Windows-1252 from 0x80 to 0x9f; the rest of it is Latin-1. */
const WINDOWS_1252 = '€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ';
/** The first bytes of DER, Java keystores and UTF-16 with its byte order mark. */
const BINARY = /^(?:30(?:8[0-4]|2|[67])|feedfeed|cececece|fffe|feff)/;

/** Removes the layers of a content, at the cost of a few passes over it. */
export function unwrap(content: Buffer): Unwrapped {
  const layers: Layer[] = [];
  let innermost = content;
  let password: Secret | undefined;
  for (;;) {
    const core = coreOf(innermost);
    const inner = core === undefined && layers.length < MAX_LAYERS ? innerOf(innermost) : undefined;
    if (inner === undefined) {
      return { layers, innermost, ...(core === undefined ? {} : { core }), ...(password ? { password } : {}) };
    }
    layers.push(inner.layer);
    innermost = inner.bytes;
    password = inner.password ?? password;
  }
}

/** Latin-1, which keeps every byte, without the byte order mark. This suffices for PEM, which is ASCII. */
export function latin1Of(bytes: Buffer): string {
  return bytes.toString('latin1').replace(/^\xef\xbb\xbf/, '');
}

/** The value of a JSON text within the limits of a content; `undefined` if it is not JSON. */
export function jsonOf(bytes: Buffer): unknown {
  const text = bytes
    .toString('utf8')
    .replace(/^\ufeff/, '')
    .trim();
  if (!/^[{["]/.test(text)) return undefined;
  const parsed = parseJson(text, JSON_LIMITS);
  return parsed.ok ? parsed.value : undefined;
}

function coreOf(bytes: Buffer): Core | undefined {
  const text = latin1Of(bytes);
  if (bytes[0] === TAG.sequence && !ASCII.test(text)) {
    if (isPkcs12(bytes)) return { kind: 'pkcs12', bytes };
    if (isWholeElement(bytes)) return { kind: 'der', bytes };
  }
  return text.includes('-----BEGIN ') ? { kind: 'pem', text } : undefined;
}

function innerOf(bytes: Buffer): Inner | undefined {
  const utf16 = fromUtf16(bytes);
  if (utf16 !== undefined) return { layer: 'UTF-16', bytes: Buffer.from(utf16) };
  const compact = latin1Of(bytes).replace(DATA_URL, '').replace(BETWEEN, '');
  const digits = compact.replace(/^0x|[:-]/gi, '');
  if (HEX.test(digits)) return { layer: 'hexadecimal', bytes: Buffer.from(digits, 'hex') };
  if (BASE64.test(compact)) return { layer: 'base64', bytes: Buffer.from(compact, 'base64') };
  return fromJson(bytes) ?? fromCharacters(bytes);
}

/** The text of UTF-16, which has a byte order mark or a zero in every second byte. */
function fromUtf16(bytes: Buffer): string | undefined {
  const [first, second] = bytes;
  const sample = bytes.subarray(0, Math.min(UTF16_SAMPLE, bytes.length & ~1));
  const zeros = (rest: number) => sample.filter((byte, i) => byte === 0 && i % 2 === rest).length;
  // A few characters beyond Latin-1 are accepted.
  const isText = (high: number) => sample.length >= 8 && zeros(high) * 2 > sample.length * 0.8 && zeros(1 - high) === 0;
  const even = bytes.subarray(0, bytes.length & ~1);
  if (first === 0xff && second === 0xfe) return even.toString('utf16le', 2);
  if (first === 0xfe && second === 0xff) return Buffer.from(even).swap16().toString('utf16le', 2);
  if (isText(1)) return even.toString('utf16le');
  return isText(0) ? Buffer.from(even).swap16().toString('utf16le') : undefined;
}

/** A JSON string, or Microsoft's form of a PFX: `{"data": "<base64>", "dataType": "pfx", "password": "…"}`. */
function fromJson(bytes: Buffer): Inner | undefined {
  const value = jsonOf(bytes);
  if (typeof value === 'string') return { layer: 'JSON', bytes: Buffer.from(value) };
  if (!isJsonObject(value)) return undefined;
  const members = new Map(Object.entries(value).map(([name, member]) => [name.toLowerCase(), member]));
  const [data, password] = [members.get('data'), members.get('password')];
  if (typeof data !== 'string' || typeof members.get('datatype') !== 'string') return undefined;
  const inner = { layer: 'JSON', bytes: Buffer.from(data) } as const;
  return typeof password === 'string' ? { ...inner, password: new Secret(password) } : inner;
}

/** Bytes that were converted to one character each, as if a binary file had been read as Latin-1 or Windows-1252. */
function fromCharacters(bytes: Buffer): Inner | undefined {
  const text = bytes.toString('utf8').replace(/^\ufeff/, '');
  const start = bytesOfCharacters(text.slice(0, 4));
  if (start === undefined || !BINARY.test(start.toString('hex'))) return undefined;
  const all = bytesOfCharacters(text);
  return all === undefined || all.equals(bytes) ? undefined : { layer: 'characters', bytes: all };
}

function bytesOfCharacters(text: string): Buffer | undefined {
  const bytes = Buffer.alloc(text.length);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    const byte = code <= 0xff ? code : WINDOWS_1252.indexOf(text.charAt(i)) + 0x80;
    if (byte < 0x80 && code > 0xff) return undefined;
    bytes[i] = byte;
  }
  return bytes;
}

function isWholeElement(bytes: Buffer): boolean {
  try {
    readDer(bytes);
    return true;
  } catch {
    return false;
  }
}
