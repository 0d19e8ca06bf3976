/**
 * Makes the files of the classic form: secrets as they are, certificates as PEM or PFX, public keys as PEM.
 * `convert.ts` calls it. The files equal those of the official provider byte for byte.
 */

import { ProviderError } from '../../base/errors.ts';
import { Secret } from '../../base/secret.ts';
import { looksLikePem, looksLikePkcs12 } from '../../pki/bundle.ts';
import { type CertificateFinding, examine } from '../../pki/findings.ts';
import { publicKeyPemFromJwk } from '../../pki/jwk.ts';
import { isPemWithLostLines, splitPem, upstreamPem, upstreamPemOfText } from '../../pki/official-pem.ts';
import { writePem } from '../../pki/pem.ts';
import type { CertificateReason } from '../../pki/reasons.ts';
import { writeOutput } from '../../pki/write.ts';
import type { ContentSpec } from '../../spc/model.ts';
import type { MountedFile } from '../../wire/contract.ts';
import type { FetchedObject } from '../ports.ts';
import {
  bytesOf,
  type CertificateCache,
  type Content,
  type ContentFacts,
  OWN_CHAIN,
  type Understanding,
} from './certificate-cache.ts';
import { type CertificateWatch, DATE_REASONS } from './certificate-watch.ts';
import { decodeText } from './encoding.ts';

type ValueSpec = Extract<ContentSpec, { kind: 'value' }>;
type FetchedSecret = Extract<FetchedObject, { type: 'secret' }>;

/** Everything that one value is converted with. */
export interface ValueContext {
  readonly content: ValueSpec;
  /** Path of the file, version index included. */
  readonly path: string;
  /** Name of the object, for warnings. */
  readonly name: string;
  readonly watch: CertificateWatch;
  readonly contents: CertificateCache;
  readonly signal: AbortSignal;
}

const PKCS12_TYPE = 'application/x-pkcs12';
const PEM_TYPE = 'application/x-pem-file';
/** Problems that are reported of a leaf that has no chain by design. */
const LEAF_REASONS: readonly CertificateReason[] = [...DATE_REASONS, 'weak_rsa', 'weak_signature', 'no_san'];

/** The classic form writes all certificates into one file, whether they belong to the chain or not. */
const CLASSIC: Understanding = {
  ...OWN_CHAIN,
  view: 'one file',
  examine: async ({ chain, key, rivals }) => [examine(chain, key, { rivals, others: 'come behind it in the file' })],
};
const NO_PRIVATE_KEY: CertificateFinding = {
  reason: 'no_private_key',
  message:
    'there is no private key, so that the file holds certificates only and no server can use it; a certificate gives its ' +
    'key away only if its policy says "exportable": true (keys in an HSM never do), so create it anew with an exportable key',
};
const LINE_BREAKS_LOST: CertificateFinding = {
  reason: 'line_breaks_lost',
  message:
    'the value is PEM, but its line breaks are gone or something stands before its BEGIN lines, so that OpenSSL, Go and ' +
    'others cannot read it; "files" repairs it',
};

/**
 * Returns files as the official provider makes them: secrets as they are, certificate-backed secrets as PEM, public
 * keys and certificates as PEM.
 * Throws: ERR_BAD_CONTENT.
 */
export async function convertValue(fetched: FetchedObject, context: ValueContext): Promise<readonly MountedFile[]> {
  const { content, path, contents, signal } = context;
  const single = (text: string): readonly MountedFile[] => [{ path, mode: content.mode, contents: Buffer.from(text) }];
  switch (fetched.type) {
    case 'secret':
      return convertSecret(fetched, context);
    case 'key':
      return single(publicKeyPemFromJwk(fetched.key));
    case 'cert':
      await lookIfReadable(contents.of({ value: fetched.der, contentType: '' }, signal), context, LEAF_REASONS);
      return single(writePem('CERTIFICATE', fetched.der));
  }
}

async function convertSecret(fetched: FetchedSecret, context: ValueContext): Promise<readonly MountedFile[]> {
  const { content, path } = context;
  const { mode, encoding, format } = content;
  const draft = (suffix: string, value: string | Buffer): MountedFile => {
    const contents = typeof value !== 'string' && encoding === 'utf-8' ? value : decodeText(value.toString(), encoding);
    return { path: `${path}${suffix}`, mode, contents };
  };
  const whole = await wholeOf(fetched, context);
  if (!fetched.certificateBacked && encoding === 'utf-8' && isPemWithLostLines(whole.toString())) {
    context.watch.tell(context.name, LINE_BREAKS_LOST);
  }
  if (format === 'pfx' || !content.split || !fetched.certificateBacked) return [draft('', whole)];
  const { certificates, keys } = splitPem(whole.toString());
  return [draft('.crt', certificates), draft('.key', keys), draft('', whole)];
}

/**
 * Returns the content of the official provider's file before it is decoded. A secret that belongs to no certificate is
 * a plain value, unless the manifest asks for PEM and the value is a PFX.
 */
async function wholeOf(fetched: FetchedSecret, context: ValueContext): Promise<Buffer | string> {
  const { format } = context.content;
  if (!fetched.certificateBacked) {
    const isPlainPfx = format === 'pem' && looksLikePkcs12(bytesOf(fetched.value));
    return isPlainPfx ? orAsItIs(PEM_OF_PFX, fetched, context) : fetched.value.reveal();
  }
  const source = contentOf(fetched, context);
  const stored = storedForm(fetched);
  if (stored === 'pem') return format === 'pfx' ? orAsItIs(PFX_OF_PEM, fetched, context) : orderedPem(fetched, context);
  if (format !== 'pfx') {
    await lookAtWhole(source, context);
    return PEM_OF_PFX.make(source, fetched, context);
  }
  await lookAtWhole(source, context);
  return fetched.value.reveal();
}

/** Returns the form of a certificate's secret: by its content type, or without one by its content. */
function storedForm({ value, contentType }: FetchedSecret): 'pkcs12' | 'pem' {
  if (contentType === PKCS12_TYPE) return 'pkcs12';
  if (contentType === PEM_TYPE) return 'pem';
  if (contentType === '') {
    const bytes = bytesOf(value);
    if (looksLikePkcs12(bytes)) return 'pkcs12';
    if (looksLikePem(bytes)) return 'pem';
  }
  throw new ProviderError(
    'ERR_BAD_CONTENT',
    `failed to get certificate. unknown content type '${contentType}'; known: ${PKCS12_TYPE}, ${PEM_TYPE}` +
      `${contentType === '' ? ', and the content shows neither' : ''}`,
  );
}

/**
 * Returns PEM as it is, or in the order of the chain. A value with the content type of PEM that is not PEM is
 * unchanged.
 */
async function orderedPem(fetched: FetchedSecret, context: ValueContext): Promise<Buffer | string> {
  const source = contentOf(fetched, context);
  const text = fetched.value.reveal();
  const order = context.content.orderChain;
  const facts = await lookAtWhole(source, context);
  return facts === undefined
    ? text
    : source.file(`pem of pem ${order}`, async (content) => upstreamPemOfText(text, content, order));
}

/** The change of a value from one form to another. */
interface FormChange {
  /** Encodings that can describe the result; others describe the value itself. */
  readonly encodings: readonly ValueSpec['encoding'][];
  make(source: Content, fetched: FetchedSecret, context: ValueContext): Promise<Buffer>;
}

const PEM_OF_PFX: FormChange = {
  encodings: ['utf-8'],
  make(source, _, { content: { orderChain } }) {
    return source.file(`pem of pkcs12 ${orderChain}`, async (content) => upstreamPem(content, orderChain));
  },
};

/**
 * Returns the PFX in base64. If the content has several server certificates, the first is taken, as in the official
 * provider.
 */
const PFX_OF_PEM: FormChange = {
  encodings: ['utf-8', 'base64'],
  make(source, { version }) {
    return source.file(`pfx ${version}`, async ({ material }) => {
      const options = { password: new Secret(''), seed: Buffer.from(version) };
      return (await writeOutput('pfx', { ...material, rivals: [] }, options)).toString('base64');
    });
  },
};

/**
 * Returns the result of a conversion that the official provider does not make. A manifest that the official provider
 * mounts must mount here too: if the conversion fails, the value is written as it is, with a warning.
 */
async function orAsItIs(
  { encodings, make }: FormChange,
  fetched: FetchedSecret,
  context: ValueContext,
): Promise<Buffer | string> {
  const { encoding, format } = context.content;
  const text = fetched.value.reveal();
  const passOn = (why: string) => {
    const message =
      `objectFormat "${format}" has no effect: ${why}; the file holds the value as it is; ` +
      'to choose what is written use "files", with "passwordFrom" where a password is needed';
    context.watch.tell(context.name, { reason: 'not_converted', message });
    return text;
  };
  if (!encodings.includes(encoding)) return passOn(`objectEncoding "${encoding}" is that of the value itself`);
  const source = contentOf(fetched, context);
  await lookIfReadable(source, context);
  try {
    return await make(source, fetched, context);
  } catch (error) {
    context.signal.throwIfAborted();
    const isPassable = isBadContent(error) && isDecodable(text, encoding);
    if (!isPassable) throw error;
    return passOn(error.message);
  }
}

function isBadContent(error: unknown): error is ProviderError {
  return error instanceof ProviderError && error.code === 'ERR_BAD_CONTENT';
}

/**
 * True if the value can be decoded. If not, the Mount fails, and the error of the conversion is more precise than that
 * of the decoder.
 */
function isDecodable(text: string, encoding: ValueSpec['encoding']): boolean {
  try {
    decodeText(text, encoding);
    return true;
  } catch {
    return false;
  }
}

/** Checks the secret of a certificate, also for its private key, which is missing if it is not exportable. */
async function lookAtWhole(source: Content, context: ValueContext): Promise<ContentFacts | undefined> {
  const facts = await lookIfReadable(source, context);
  if (facts?.hasKey === false) context.watch.tell(context.name, NO_PRIVATE_KEY);
  return facts;
}

/** Checks a content that can be read. Other contents are not checked, as in the official provider. */
async function lookIfReadable(
  source: Content,
  { watch, name, signal }: ValueContext,
  reasons?: readonly CertificateReason[],
): Promise<ContentFacts | undefined> {
  let facts: ContentFacts;
  try {
    facts = await source.facts();
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof ProviderError)) throw error;
    return undefined;
  }
  watch.look(name, facts.examinations, reasons);
  return facts;
}

function contentOf({ value, contentType }: FetchedSecret, { contents, signal }: ValueContext): Content {
  return contents.of({ value: bytesOf(value), contentType }, signal, CLASSIC);
}
