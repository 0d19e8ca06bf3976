/**
 * Describes a content that holds neither keys nor certificates, by its innermost bytes and not by its name. `bundle.ts`
 * calls it for an error message. It never quotes the content, except names in JSON and single characters.
 */

import { decodeBase64 } from '../base/encoding.ts';
import { printable } from '../base/printable.ts';
import { TAG } from './der.ts';
import { jsonOf, latin1Of, type Unwrapped, unwrap } from './layers.ts';
import { boundaryFault, faultAt } from './text-faults.ts';

/** More bytes than a Key Vault secret can hold. */
const MAX_SECRET_BYTES = 64 * 1024;
const EXPECTED = 'PKCS#12 (PFX), PEM or DER, or base64 of one of them, is expected';
const KEYTOOL = 'convert it with "keytool -importkeystore -deststoretype pkcs12" and store the result';
/** The first bytes of other kinds of files, in hexadecimal, each with a noun and the remedy. */
const MAGIC: readonly (readonly [string, string])[] = [
  ['feedfeed', `is a Java keystore (JKS); ${KEYTOOL}`],
  ['cececece', `is a Java keystore (JCEKS); ${KEYTOOL}`],
  ['504b0304', 'is a ZIP archive; store the file that is in it'],
  ['1f8b08', 'is compressed with gzip; store the file that is in it'],
  [hexOf('PuTTY-User-Key-File'), 'is a key of PuTTY; export it with PuTTYgen as OpenSSH key, and convert that to PEM'],
  [hexOf('ssh-'), 'is a public key of SSH; store the private key, as PEM'],
  [hexOf('Salted__'), 'is encrypted by "openssl enc"; store what is in it'],
  [hexOf('<'), `is XML or HTML; ${EXPECTED}`],
];
/** Base64 of `-----BEGIN `. */
const PEM_IN_BASE64 = 'LS0tLS1CRUdJTi';
const MOSTLY_BASE64 = /^[A-Za-z0-9+/=_-]{32}/;
const FOREIGN_TO_BASE64 = /[^A-Za-z0-9+/=_\s-]/;
const BLANK = /^[\s\u200b\u2060\ufeff]+$/;
const MAX_MEMBERS = 20;
const MAX_DEPTH = 4;
const MAX_NAME = 60;

/** A description that follows the words `the content`, such as ` is a Java keystore (JKS); convert it …`. */
export function describeUnknown(content: Buffer, unwrapped: Unwrapped, contentType: string | undefined): string {
  const { innermost, layers } = unwrapped;
  const wrapped = layers.length === 0 ? '' : `, once decoded from ${layers.join(' and ')},`;
  const known = recognised(innermost);
  if (known !== undefined) return wrapped + known;
  const named = contentType ? ` (content type "${printable(contentType.slice(0, 80))}")` : '';
  if (content.length === 0) return ` is empty${named}; ${EXPECTED}`;
  const begun = content[0] === TAG.sequence || startsDer(innermost);
  const seen = begun ? 'truncated or damaged' : 'neither PKCS#12 nor PEM nor DER';
  const fault = strayIn(innermost);
  return ` is ${seen}${fault}${named}${goWords(content, contentType)}; ${EXPECTED}`;
}

/** The clause, with a leading space. */
function recognised(bytes: Buffer): string | undefined {
  const start = bytes.toString('hex', 0, 20);
  const magic = MAGIC.find(([hex]) => start.startsWith(hex))?.[1];
  if (magic !== undefined) return ` ${magic}`;
  const text = bytes.toString('utf8');
  if (BLANK.test(text)) return ` holds only white space; ${EXPECTED}`;
  const json = describeJson(bytes);
  if (json !== undefined) return ` ${json}`;
  const boundary = boundaryFault(latin1Of(bytes));
  if (boundary !== undefined) return ` is not PEM: ${boundary}`;
  if (text.includes('\ufffd') && bytes.includes('\ufffd')) {
    return ' was binary and has been stored as text, which lost bytes of it (it holds U+FFFD); store base64 of the file';
  }
  return text.includes(PEM_IN_BASE64) && strayIn(bytes) === ''
    ? ' is a text that holds PEM in base64 among other things; store that value by itself'
    : undefined;
}

function describeJson(bytes: Buffer): string | undefined {
  const value = jsonOf(bytes);
  if (typeof value !== 'object' || value === null) return undefined;
  const held = membersOf(value, '', 0).slice(0, MAX_MEMBERS);
  for (const [name, text] of held) {
    const { core, layers } = unwrap(Buffer.from(text));
    if (core === undefined) continue;
    const under = layers.length === 0 ? '' : ` under ${layers.join(' under ')}`;
    const kind = { pkcs12: 'a PFX', pem: 'PEM', der: 'DER' }[core.kind];
    return `is JSON, whose member "${printable(name)}" holds ${kind}${under}; store that value by itself`;
  }
  if ('kty' in value || 'keys' in value) return 'is a JSON web key (JWK); store the key as PEM';
  return `is JSON without keys or certificates; ${EXPECTED}`;
}

/** The texts in a JSON value, each with its path. */
function membersOf(value: object, path: string, depth: number): readonly (readonly [string, string])[] {
  return Object.entries(value).flatMap(([name, member]: [string, unknown]) => {
    const at = `${path}${path === '' ? '' : '.'}${name.slice(0, MAX_NAME)}`;
    if (typeof member === 'string') return [[at, member] as const];
    const isDeeper = typeof member === 'object' && member !== null && depth < MAX_DEPTH;
    return isDeeper ? membersOf(member, at, depth + 1) : [];
  });
}

/** True for DER of more than a few bytes. */
function startsDer([first, second = 0]: Buffer): boolean {
  return first === TAG.sequence && second >= 0x80 && second <= 0x84;
}

/** The place of a foreign character in a text that begins as base64. */
function strayIn(bytes: Buffer): string {
  const text = latin1Of(bytes);
  const begins = MOSTLY_BASE64.test(text.trimStart().replace(/^["']/, ''));
  const at = begins ? text.trimEnd().slice(1, -1).search(FOREIGN_TO_BASE64) + 1 : 0;
  return at > 0 ? `: it is base64 up to ${faultAt(text, at)}` : '';
}

/** The official provider's message for a PFX that is not base64, so that a search for it succeeds. */
function goWords(content: Buffer, contentType: string | undefined): string {
  if (contentType !== 'application/x-pkcs12' || content.length > MAX_SECRET_BYTES) return '';
  const decoded = decodeBase64(content.toString('latin1'));
  return decoded.ok ? '' : `: illegal base64 data at input byte ${decoded.offset}`;
}

function hexOf(text: string): string {
  return Buffer.from(text).toString('hex');
}
