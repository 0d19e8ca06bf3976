import { ProviderError } from '../base/errors.ts';
import { Secret } from '../base/secret.ts';
import { looksLikePem, looksLikePkcs12 } from '../pki/bundle.ts';
import type { CertificateReason } from '../pki/findings.ts';
import { publicKeyPemFromJwk } from '../pki/jwk.ts';
import { writePem } from '../pki/pem.ts';
import { splitPem, upstreamPem, upstreamPemOfText } from '../pki/upstream.ts';
import { writeOutput } from '../pki/write.ts';
import type { ContentSpec } from '../spc/model.ts';
import { type CertificateWatch, DATE_REASONS } from './certificate-watch.ts';
import { bytesOf, type Content, type ContentFacts, type Contents } from './contents.ts';
import type { FileDraft } from './convert.ts';
import { decodeText } from './encoding.ts';
import type { FetchedObject } from './ports.ts';

type ValueSpec = Extract<ContentSpec, { kind: 'value' }>;
type FetchedSecret = Extract<FetchedObject, { type: 'secret' }>;

/** What one value is converted with. */
export interface ValueContext {
  readonly content: ValueSpec;
  /** Path of the file, version index included. */
  readonly path: string;
  /** Name of the object, for warnings. */
  readonly name: string;
  readonly watch: CertificateWatch;
  readonly contents: Contents;
  readonly signal: AbortSignal;
}

const PKCS12_TYPE = 'application/x-pkcs12';
const PEM_TYPE = 'application/x-pem-file';
/** What can be said of a leaf that comes without its chain. */
const LEAF_REASONS: readonly CertificateReason[] = [...DATE_REASONS, 'weak_rsa', 'weak_signature', 'no_san'];

/**
 * Files as the official provider makes them: secrets as they are, certificate-backed secrets as PEM, public keys and
 * certificates as PEM.
 * Errors: ERR_BAD_CONTENT.
 */
export async function convertValue(fetched: FetchedObject, context: ValueContext): Promise<readonly FileDraft[]> {
  const { content, path, contents, signal } = context;
  const single = (text: string): readonly FileDraft[] => [{ path, mode: content.mode, contents: Buffer.from(text) }];
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

async function convertSecret(fetched: FetchedSecret, context: ValueContext): Promise<readonly FileDraft[]> {
  const { content, path } = context;
  const { mode, encoding, format } = content;
  const draft = (suffix: string, value: string | Buffer): FileDraft => {
    const contents = typeof value !== 'string' && encoding === 'utf-8' ? value : decodeText(value.toString(), encoding);
    return { path: `${path}${suffix}`, mode, contents };
  };
  const kind = kindOf(fetched, content);
  if (kind === 'plain') return [draft('', fetched.value.reveal())];
  const whole = await (format === 'pfx' ? pfxOf : pemOf)(fetched, kind, context);
  if (format === 'pfx' || !content.split || !fetched.certificateBacked) return [draft('', whole)];
  const { certificates, keys } = await splitPem(whole.toString());
  return [draft('.crt', certificates), draft('.key', keys), draft('', whole)];
}

/**
 * A secret that belongs to no certificate is a value like any other, unless the manifest asks for PEM and it is a PFX.
 * A certificate's secret is what its content type says; without one, what the content shows.
 */
function kindOf(
  { value, contentType, certificateBacked }: FetchedSecret,
  { format }: ValueSpec,
): 'plain' | 'pkcs12' | 'pem' {
  const bytes = () => bytesOf(value);
  if (!certificateBacked) return format === 'pem' && looksLikePkcs12(bytes()) ? 'pkcs12' : 'plain';
  if (contentType === PKCS12_TYPE) return 'pkcs12';
  if (contentType === PEM_TYPE) return 'pem';
  if (contentType === '') {
    if (looksLikePkcs12(bytes())) return 'pkcs12';
    if (looksLikePem(bytes())) return 'pem';
  }
  throw new ProviderError(
    'ERR_BAD_CONTENT',
    `failed to get certificate. unknown content type '${contentType}'; known are ${PKCS12_TYPE} and ${PEM_TYPE}` +
      `${contentType === '' ? ', and the content shows neither' : ''}`,
  );
}

/** The official provider's one file. What is called PEM and is something else goes through as it is. */
async function pemOf(fetched: FetchedSecret, kind: 'pkcs12' | 'pem', context: ValueContext): Promise<Buffer | string> {
  const source = sourceOf(fetched, context);
  const order = context.content.orderChain;
  if (kind === 'pkcs12') {
    context.watch.look(context.name, (await source.facts()).examinations);
    return source.file(`pem of pkcs12 ${order}`, ({ bundle }, signal) => upstreamPem(bundle, { order, signal }));
  }
  const text = fetched.value.reveal();
  const facts = await lookIfReadable(source, context);
  if (facts === undefined || !text.includes('-----BEGIN ')) return text;
  return source.file(`pem of pem ${order}`, ({ bundle }, signal) => upstreamPemOfText(text, bundle, { order, signal }));
}

/** A PFX in base64: as it came, or made of what Key Vault holds as PEM. */
async function pfxOf(fetched: FetchedSecret, kind: 'pkcs12' | 'pem', context: ValueContext): Promise<Buffer | string> {
  const source = sourceOf(fetched, context);
  if (kind === 'pkcs12') {
    await lookIfReadable(source, context);
    return fetched.value.reveal();
  }
  context.watch.look(context.name, (await source.facts()).examinations);
  return source.file(`pfx ${fetched.version}`, async ({ material }) => {
    const pfx = await writeOutput('pfx', material, { password: new Secret(''), seed: Buffer.from(fetched.version) });
    return pfx.toString('base64');
  });
}

/** What can be read is looked at; the rest goes through unseen, as the official provider lets everything. */
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

function sourceOf({ value, contentType }: FetchedSecret, { contents, signal }: ValueContext): Content {
  return contents.of({ value: bytesOf(value), contentType }, signal);
}
