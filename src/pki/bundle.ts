/**
 * Reads a content from a vault as private keys and certificates, whatever its format is. Conversion, `inspect`, the
 * login with a client certificate and the emulator call it. It refuses a content that holds neither.
 */

import type { KeyObject, X509Certificate } from 'node:crypto';
import type { Secret } from '../base/secret.ts';
import { nextTurn } from '../base/turns.ts';
import { badContent, naming } from './bad-content.ts';
import { BundleReader } from './bundle-reader.ts';
import { describeUnknown } from './diagnosis.ts';
import { WorkBudget } from './kdf.ts';
import { type Core, unwrap } from './layers.ts';
import { passwordCandidates, passwordRemark } from './password.ts';

/** The keys and certificates of one content, in the order of the content. */
export interface CertificateBundle {
  readonly format: 'pkcs12' | 'pem' | 'der';
  readonly keys: readonly KeyObject[];
  readonly certificates: readonly X509Certificate[];
  /** A private key in an unsupported form, as a noun with the remedy; absent if there is none. */
  readonly unreadKey: string | undefined;
  /** Other parts of the content, as nouns, such as a certificate request. */
  readonly passedOver: readonly string[];
}

/** Options of {@link readBundle}. */
export interface BundleOptions {
  /** The content type of the vault. It is used in messages only: the format is read from the content. */
  readonly contentType?: string;
  /** The password of PKCS#12 and encrypted keys. */
  readonly password?: Secret;
  /** The remedy in the message for a missing password; by default the one for a manifest. */
  readonly passwordRemedy?: string;
  readonly signal?: AbortSignal;
}

/** The longest content that is read: ten times the size of a Key Vault secret, enough for all roots of a browser. */
export const MAX_CONTENT_BYTES = 256 * 1024;
/** Some tools apply base64 twice. */
const MAX_PLAIN_LAYERS = 2;
const FORMAT_NAMES: Readonly<Record<Core['kind'], string>> = { pkcs12: 'PKCS#12', pem: 'PEM', der: 'DER' };
const PASSWORD_REMEDY =
  'store it without a password, or name the secret that holds its password by "passwordFrom" next to "files"';

/**
 * Reads PKCS#12, PEM or DER under the layers of `layers.ts`, such as base64: private keys of any kind, certificates,
 * PKCS#7 collections. The kind of a block or element is read from its content, not from its label. The cost is bounded
 * for any content, and no turn of the event loop takes more than a few milliseconds.
 *
 * Throws: ERR_BAD_CONTENT with a message that names the finding and the remedy, never the content; the reason of the
 * signal if it aborts.
 */
export async function readBundle(content: Buffer, options: BundleOptions = {}): Promise<CertificateBundle> {
  await nextTurn(options.signal);
  if (content.length > MAX_CONTENT_BYTES) {
    throw badContent(
      `the content has more than ${MAX_CONTENT_BYTES} bytes, which no certificate has; check that it is the right object`,
    );
  }
  const unwrapped = unwrap(content);
  const { core } = unwrapped;
  const given = [options.password, unwrapped.password].filter((password) => password !== undefined);
  const passwords = await naming('the content', () => passwordCandidates(given));
  if (core === undefined) throw badContent(`the content${describeUnknown(content, unwrapped, options.contentType)}`);
  const reader = new BundleReader({
    passwords,
    passwordGiven: given.length > 0,
    passwordRemark: passwordRemark(given),
    passwordRemedy: options.passwordRemedy ?? PASSWORD_REMEDY,
    budget: new WorkBudget(options.signal),
  });
  await naming(`the ${FORMAT_NAMES[core.kind]} content`, () => addTo(reader, core));
  const { keys, certificates, unreadKey } = reader;
  const passedOver = [...reader.passedOver];
  if (keys.length + certificates.length > 0) return { format: core.kind, keys, certificates, unreadKey, passedOver };
  const only = passedOver.length === 0 ? '' : `, only ${passedOver.join(', ')}`;
  throw badContent(`the content holds neither a private key nor a certificate${only}`);
}

function addTo(reader: BundleReader, core: Core): Promise<void> {
  switch (core.kind) {
    case 'pkcs12':
      return reader.addPkcs12(core.bytes);
    case 'pem':
      return reader.addPem(core.text);
    case 'der':
      return reader.addDer(core.bytes);
  }
}

/** True if the content is PKCS#12 or base64 of it. */
export function looksLikePkcs12(content: Buffer): boolean {
  return plainCoreOf(content) === 'pkcs12';
}

/** True if the content is a text with PEM blocks, or base64 of one. */
export function looksLikePem(content: Buffer): boolean {
  return plainCoreOf(content) === 'pem';
}

/**
 * The content without its base64. A content under other layers is a plain value unless the manifest asks for `files`.
 */
function plainCoreOf(content: Buffer): Core['kind'] | undefined {
  if (content.length > MAX_CONTENT_BYTES) return undefined;
  const { core, layers } = unwrap(content);
  const isPlain = layers.length <= MAX_PLAIN_LAYERS && layers.every((layer) => layer === 'base64');
  return isPlain ? core?.kind : undefined;
}
