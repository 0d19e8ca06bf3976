import { X509Certificate } from 'node:crypto';
import { ProviderError } from '../base/errors.ts';
import { Secret } from '../base/secret.ts';
import { type CertificateBundle, looksLikePem, looksLikePkcs12, readBundle } from '../pki/bundle.ts';
import type { CertificateReason } from '../pki/findings.ts';
import { publicKeyPemFromJwk } from '../pki/jwk.ts';
import { pairKey } from '../pki/material.ts';
import { writePem } from '../pki/pem.ts';
import { splitPem, upstreamPem, upstreamPemOfText } from '../pki/upstream.ts';
import { writeOutput } from '../pki/write.ts';
import type { ContentSpec } from '../spc/model.ts';
import { type CertificateWatch, DATE_REASONS } from './certificate-watch.ts';
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
  const { content, path, watch, name } = context;
  const single = (text: string): readonly FileDraft[] => [{ path, mode: content.mode, contents: Buffer.from(text) }];
  switch (fetched.type) {
    case 'secret':
      return convertSecret(fetched, context);
    case 'key':
      return single(publicKeyPemFromJwk(fetched.key));
    case 'cert':
      lookAtLeaf(fetched.der, name, watch);
      return single(writePem('CERTIFICATE', fetched.der));
  }
}

async function convertSecret(fetched: FetchedSecret, context: ValueContext): Promise<readonly FileDraft[]> {
  const { content, path } = context;
  const text = fetched.value.reveal();
  const draft = (suffix: string, value: string): FileDraft => ({
    path: `${path}${suffix}`,
    mode: content.mode,
    contents: decodeText(value, content.encoding),
  });
  const kind = kindOf(fetched, content);
  if (kind === 'plain') return [draft('', text)];
  if (content.format === 'pfx' && kind === 'pkcs12') {
    await readableBundle(fetched, context);
    return [draft('', text)];
  }
  if (content.format === 'pfx') return [draft('', await pfxOf(fetched, context))];
  const pem = kind === 'pkcs12' ? await pemOfPkcs12(fetched, context) : await pemOfText(fetched, context);
  if (!content.split || !fetched.certificateBacked) return [draft('', pem)];
  const { certificates, keys } = await splitPem(pem);
  return [draft('.crt', certificates), draft('.key', keys), draft('', pem)];
}

/**
 * A secret that belongs to no certificate is a value like any other, unless the manifest asks for PEM and it is a PFX.
 * A certificate's secret is what its content type says; without one, what the content shows.
 */
function kindOf(
  { value, contentType, certificateBacked }: FetchedSecret,
  { format }: ValueSpec,
): 'plain' | 'pkcs12' | 'pem' {
  const bytes = () => Buffer.from(value.reveal());
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

async function pemOfPkcs12(fetched: FetchedSecret, context: ValueContext): Promise<string> {
  const bundle = await bundleOf(fetched, context);
  context.watch.look(context.name, pairKey(bundle));
  return upstreamPem(bundle, { order: context.content.orderChain });
}

/** What is called PEM and is something else goes through as it is, like PEM that cannot be read. */
async function pemOfText(fetched: FetchedSecret, context: ValueContext): Promise<string> {
  const text = fetched.value.reveal();
  const bundle = await readableBundle(fetched, context);
  if (bundle === undefined || !text.includes('-----BEGIN ')) return text;
  return upstreamPemOfText(text, bundle, { order: context.content.orderChain });
}

/** What can be read is looked at; the rest goes through unseen, as the official provider lets everything. */
async function readableBundle(fetched: FetchedSecret, context: ValueContext): Promise<CertificateBundle | undefined> {
  let bundle: CertificateBundle;
  try {
    bundle = await bundleOf(fetched, context);
  } catch (error) {
    context.signal.throwIfAborted();
    if (!(error instanceof ProviderError)) throw error;
    return undefined;
  }
  context.watch.look(context.name, pairKey(bundle));
  return bundle;
}

/** A PFX in base64 of a certificate that Key Vault holds as PEM. */
async function pfxOf(fetched: FetchedSecret, context: ValueContext): Promise<string> {
  const material = pairKey(await bundleOf(fetched, context));
  context.watch.look(context.name, material);
  const pfx = await writeOutput('pfx', material, { password: new Secret(''), seed: Buffer.from(fetched.version) });
  return pfx.toString('base64');
}

function bundleOf({ value, contentType }: FetchedSecret, { signal }: ValueContext): Promise<CertificateBundle> {
  return readBundle(Buffer.from(value.reveal()), { contentType, signal });
}

/** A damaged certificate is written as it came: whoever reads the file will say so. */
function lookAtLeaf(der: Buffer, name: string, watch: CertificateWatch): void {
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(der);
  } catch {
    return;
  }
  watch.lookAlone(name, [certificate], LEAF_REASONS);
}
