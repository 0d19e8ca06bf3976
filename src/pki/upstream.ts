import type { X509Certificate } from 'node:crypto';
import { naming } from './bad-content.ts';
import type { CertificateBundle } from './bundle.ts';
import { pathOf } from './chain.ts';
import { pairKey } from './material.ts';
import { CERTIFICATE_LABELS, type PemBlock, readPem, writePem } from './pem.ts';
import { isPkcs12 } from './pkcs12-read.ts';
import { certificatesPem, privateKeyPem } from './write.ts';

/** Whether certificates are to be put in the order of their chain (`--construct-pem-chain`). */
export interface UpstreamOptions {
  readonly order: boolean;
  readonly signal?: AbortSignal;
}

/**
 * The official provider's one file for a PFX: private keys as PKCS#8, then the certificates; with `order` those of the
 * chain from leaf to root first, then the others as they stood.
 *
 * Differs: the official provider keeps the order of an incomplete chain and fails on a doubled root; here doubles are
 * dropped and what fits stands behind the leaf.
 */
export async function upstreamPem(bundle: CertificateBundle, { order, signal }: UpstreamOptions): Promise<string> {
  const keys = bundle.keys.map((key) => privateKeyPem(key)).join('');
  return keys + certificatesPem(order ? await inChainOrder(bundle, signal) : bundle.certificates);
}

/**
 * The official provider's one file for PEM content: the content byte for byte, unless `order` is wanted and the
 * certificates do not stand in the order of their chain. `bundle` is what was read of `text`.
 *
 * Differs: the official provider never orders PEM.
 */
export async function upstreamPemOfText(
  text: string,
  bundle: CertificateBundle,
  { order, signal }: UpstreamOptions,
): Promise<string> {
  if (!order) return text;
  const ordered = await inChainOrder(bundle, signal);
  const isOrdered =
    ordered.length === bundle.certificates.length &&
    ordered.every(({ fingerprint256 }, i) => fingerprint256 === bundle.certificates[i]?.fingerprint256);
  if (isOrdered) return text;
  const blocks = readPem(text);
  if (blocks.length === 0) return upstreamPem(bundle, { order });
  // The key may be inside.
  if (blocks.some(({ der }) => isPkcs12(der))) return text;
  const others = blocks.filter(({ label }) => !CERTIFICATE_LABELS.includes(label));
  return others.map(blockPem).join('') + certificatesPem(ordered);
}

/**
 * The parts of such a file for `--write-cert-and-key-in-separate-files`: all CERTIFICATE blocks, and all others.
 * Errors: ERR_BAD_CONTENT where a block is damaged.
 */
export async function splitPem(text: string): Promise<{ readonly certificates: string; readonly keys: string }> {
  const blocks = await naming('the PEM content', () => readPem(text));
  const joined = (wanted: readonly PemBlock[]) => wanted.map(blockPem).join('');
  return {
    certificates: joined(blocks.filter(({ label }) => label === 'CERTIFICATE')),
    keys: joined(blocks.filter(({ label }) => label !== 'CERTIFICATE')),
  };
}

/** The chain's certificates from leaf to root, then the others in the order they have. */
async function inChainOrder(
  bundle: CertificateBundle,
  signal: AbortSignal | undefined,
): Promise<readonly X509Certificate[]> {
  const { chain } = await pairKey(bundle, signal === undefined ? {} : { signal });
  const distinct = new Map<string, X509Certificate>();
  for (const certificate of [...pathOf(chain), ...bundle.certificates]) {
    if (!distinct.has(certificate.fingerprint256)) distinct.set(certificate.fingerprint256, certificate);
  }
  return [...distinct.values()];
}

function blockPem({ label, der, encrypted }: PemBlock): string {
  return encrypted ?? writePem(label, der);
}
