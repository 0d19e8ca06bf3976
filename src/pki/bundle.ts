import type { KeyObject, X509Certificate } from 'node:crypto';
import { decodeBase64 } from '../base/encoding.ts';
import type { Secret } from '../base/secret.ts';
import { badContent, naming } from './bad-content.ts';
import { BundleReader } from './bundle-reader.ts';
import { readDer, TAG } from './der.ts';
import { WorkBudget } from './kdf.ts';
import { nextTurn } from './pace.ts';
import { passwordCandidates } from './password.ts';
import { isPkcs12 } from './pkcs12-read.ts';

/** Keys and certificates of one content, each kind in the order of the content. */
export interface CertificateBundle {
  readonly format: 'pkcs12' | 'pem' | 'der';
  readonly keys: readonly KeyObject[];
  readonly certificates: readonly X509Certificate[];
  /** A private key in a form that is not read, as a noun with the remedy; absent where there is none. */
  readonly unreadKey: string | undefined;
}

/** Options of {@link readBundle}. */
export interface ReadOptions {
  /** What the vault calls the content; used in messages only, since the content itself is the better witness. */
  readonly contentType?: string;
  /** Of PKCS#12 and encrypted keys. */
  readonly password?: Secret;
  /** What to do where a password is needed and none is given, for the message; default the words for a manifest. */
  readonly passwordRemedy?: string;
  readonly signal?: AbortSignal;
}

/** The longest content that is read: ten times what a Key Vault secret can hold, and room for all the roots a browser trusts. */
export const MAX_CONTENT_BYTES = 256 * 1024;
/** More than a Key Vault secret can hold. */
const MAX_SECRET_BYTES = 64 * 1024;
const BASE64 = /^[A-Za-z0-9+/_-]+={0,2}$/;
/** How JKS and JCEKS begin. */
const JAVA_MAGIC: readonly number[] = [0xfeedfeed, 0xcececece];
const PASSWORD_REMEDY =
  'store it without a password, or name the secret that holds its password by "passwordFrom" beside "files"';

/**
 * Reads PKCS#12, PEM or DER, or base64 of one of them: private keys of any kind, certificates, PKCS#7 collections.
 * The cost is bounded whatever the content, and no turn of the event loop takes more than a few milliseconds of it.
 *
 * Errors: ERR_BAD_CONTENT with a message that says what was found and what to do, never the content; the signal's
 * reason when it aborts.
 */
export async function readBundle(content: Buffer, options: ReadOptions = {}): Promise<CertificateBundle> {
  await nextTurn(options.signal);
  if (content.length > MAX_CONTENT_BYTES) {
    throw badContent(
      `the content has more than ${MAX_CONTENT_BYTES} bytes, which no certificate has; see whether it is the right one`,
    );
  }
  const reader = new BundleReader({
    passwords: await naming('the content', () => passwordCandidates(options.password)),
    passwordGiven: options.password !== undefined,
    passwordRemedy: options.passwordRemedy ?? PASSWORD_REMEDY,
    budget: new WorkBudget(options.signal),
  });
  const found = unwrap(content);
  switch (found.kind) {
    case 'pkcs12':
      await naming('the PKCS#12 content', () => reader.addPkcs12(found.bytes));
      break;
    case 'pem':
      await naming('the PEM content', () => reader.addPem(found.text));
      break;
    case 'der':
      await naming('the DER content', () => reader.addDer(found.bytes));
      break;
    case 'unknown':
      throw badContent(`the content is ${describeUnknown(content, options.contentType)}`);
  }
  const { keys, certificates, unreadKey } = reader;
  if (keys.length + certificates.length > 0) return { format: found.kind, keys, certificates, unreadKey };
  const only = reader.passedOver.size === 0 ? '' : `, only ${[...reader.passedOver].join(', ')}`;
  throw badContent(`the content holds neither a private key nor a certificate${only}`);
}

/** Whether content is PKCS#12 or base64 of it. */
export function looksLikePkcs12(content: Buffer): boolean {
  return content.length <= MAX_CONTENT_BYTES && unwrap(content).kind === 'pkcs12';
}

/** Whether content is a text with PEM blocks, or base64 of one. */
export function looksLikePem(content: Buffer): boolean {
  return content.length <= MAX_CONTENT_BYTES && unwrap(content).kind === 'pem';
}

type Found =
  | { readonly kind: 'pkcs12' | 'der'; readonly bytes: Buffer }
  | { readonly kind: 'pem'; readonly text: string }
  | { readonly kind: 'unknown' };

/**
 * What the content is, out of its base64, which some tools apply twice, and which comes in quotes (JSON), with blanks
 * (YAML, variables), without padding and in the alphabet of URLs.
 */
function unwrap(content: Buffer, layers = 2): Found {
  if (content[0] === TAG.sequence) {
    if (isPkcs12(content)) return { kind: 'pkcs12', bytes: content };
    if (isWholeElement(content)) return { kind: 'der', bytes: content };
  }
  const text = textOf(content);
  if (text.includes('-----BEGIN ')) return { kind: 'pem', text };
  const compact = text.replace(/[\s"]/g, '');
  return layers > 0 && BASE64.test(compact) ? unwrap(Buffer.from(compact, 'base64'), layers - 1) : { kind: 'unknown' };
}

/** Latin-1 is enough for all that is read here; Windows editors write UTF-16 with a mark. */
function textOf(content: Buffer): string {
  const utf16 = content[0] === 0xff && content[1] === 0xfe;
  return utf16 ? content.toString('utf16le', 2) : content.toString('latin1').replace(/^\xef\xbb\xbf/, '');
}

function isWholeElement(content: Buffer): boolean {
  try {
    readDer(content);
    return true;
  } catch {
    return false;
  }
}

function describeUnknown(content: Buffer, contentType: string | undefined): string {
  const named = contentType ? ` (content type "${contentType.slice(0, 80)}")` : '';
  const expected = 'PKCS#12 (PFX), PEM or DER, or base64 of one of them, is expected';
  if (content.length === 0) return `empty${named}; ${expected}`;
  if (content.length >= 4 && JAVA_MAGIC.includes(content.readUInt32BE(0))) {
    return 'a Java keystore (JKS); convert it with "keytool -importkeystore -deststoretype pkcs12" and store the result';
  }
  const begun = content[0] === TAG.sequence || content.toString('latin1', 0, 2) === 'MI';
  const seen = begun ? 'truncated or damaged' : 'neither PKCS#12 nor PEM nor DER';
  return `${seen}${named}${goWords(content, contentType)}; ${expected}`;
}

/** What the official provider says of a PFX that is not base64, for those who search for it. */
function goWords(content: Buffer, contentType: string | undefined): string {
  if (contentType !== 'application/x-pkcs12' || content.length > MAX_SECRET_BYTES) return '';
  const decoded = decodeBase64(content.toString('latin1'));
  return decoded.ok ? '' : `: illegal base64 data at input byte ${decoded.offset}`;
}
