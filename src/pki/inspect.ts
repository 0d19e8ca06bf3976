import type { X509Certificate } from 'node:crypto';
import type { CertificateBundle } from './bundle.ts';
import { alternativeNamesOf, publicKeyNameOf, signatureAlgorithmOf, validFrom, validTo } from './certificate.ts';
import { type Chain, keyFits, pathOf } from './chain.ts';
import { type CertificateFinding, checkCertificates } from './findings.ts';
import { describeKey } from './keys.ts';
import { type CertificateMaterial, pairKey } from './material.ts';
import { issuerOf, subjectOf } from './names.ts';
import { CERTIFICATE_OUTPUTS, type CertificateOutput, missingFor } from './write.ts';

/** A certificate in plain data; times are ISO 8601, empty where the certificate holds no readable one. */
export interface InspectedCertificate {
  readonly subject: string;
  readonly issuer: string;
  readonly alternativeNames: readonly string[];
  readonly notBefore: string;
  readonly notAfter: string;
  readonly key: string;
  readonly signature: string;
  readonly serialNumber: string;
  readonly fingerprint256: string;
  readonly ca: boolean;
  readonly place: 'leaf' | 'intermediate' | 'root' | 'unrelated';
}

/** What the provider would write for one output, or why it cannot. */
export interface InspectedOutput {
  readonly output: CertificateOutput;
  readonly possible: boolean;
  readonly content: string;
}

/** What is inside a content, without the values of keys: plain JSON data. */
export interface Inspection {
  readonly format: CertificateBundle['format'];
  /** In the order of the content; `fits` is the subject of the certificate that has the key's public part. */
  readonly keys: readonly { readonly kind: string; readonly fits: string | null }[];
  /** In the order of the content. */
  readonly certificates: readonly InspectedCertificate[];
  /** Whether the leaf's private key is there; null without a leaf or without a key. */
  readonly keyFitsLeaf: boolean | null;
  readonly chain: {
    /** Indexes into `certificates`, from leaf to root. */
    readonly path: readonly number[];
    readonly complete: boolean;
    readonly missingIssuer: string | null;
  };
  readonly findings: readonly CertificateFinding[];
  readonly outputs: readonly InspectedOutput[];
}

/** Says what a bundle holds; `now` in milliseconds since 1970. */
export async function inspectBundle(bundle: CertificateBundle, { now }: { readonly now: number }): Promise<Inspection> {
  const material = await pairKey(bundle);
  const { chain, key, fits } = material;
  const prints = bundle.certificates.map(({ fingerprint256 }) => fingerprint256);
  return {
    format: bundle.format,
    keys: bundle.keys.map((one) => {
      const owner = bundle.certificates.find((certificate) => keyFits(one, certificate));
      return { kind: describeKey(one), fits: owner === undefined ? null : subjectOf(owner) };
    }),
    certificates: bundle.certificates.map((certificate) => inspectCertificate(certificate, chain)),
    keyFitsLeaf: key === undefined || chain.leaf === undefined ? null : fits,
    chain: {
      path: pathOf(chain).map(({ fingerprint256 }) => prints.indexOf(fingerprint256)),
      complete: chain.complete,
      missingIssuer: chain.missingIssuer ?? null,
    },
    findings: checkCertificates(chain, key, now),
    outputs: CERTIFICATE_OUTPUTS.map((output) => inspectOutput(output, material)),
  };
}

function inspectCertificate(certificate: X509Certificate, chain: Chain): InspectedCertificate {
  return {
    subject: subjectOf(certificate),
    issuer: issuerOf(certificate),
    alternativeNames: alternativeNamesOf(certificate),
    notBefore: isoTime(validFrom(certificate)),
    notAfter: isoTime(validTo(certificate)),
    key: publicKeyNameOf(certificate),
    signature: signatureAlgorithmOf(certificate).name,
    serialNumber: certificate.serialNumber,
    fingerprint256: certificate.fingerprint256,
    ca: certificate.ca,
    place: placeOf(certificate, chain),
  };
}

function placeOf({ fingerprint256 }: X509Certificate, chain: Chain): InspectedCertificate['place'] {
  const isIn = (list: readonly X509Certificate[]) => list.some((other) => other.fingerprint256 === fingerprint256);
  if (chain.leaf?.fingerprint256 === fingerprint256) return 'leaf';
  if (isIn(chain.intermediates)) return 'intermediate';
  return isIn(chain.roots) ? 'root' : 'unrelated';
}

function inspectOutput(output: CertificateOutput, material: CertificateMaterial): InspectedOutput {
  const missing = missingFor(output, material);
  return missing === undefined
    ? { output, possible: true, content: contentOf(output, material) }
    : { output, possible: false, content: missing };
}

function contentOf(output: CertificateOutput, { key, chain, authorities }: CertificateMaterial): string {
  const leaf = chain.leaf === undefined ? [] : [chain.leaf];
  const names = (certificates: readonly X509Certificate[]) => certificates.map(subjectOf).join(' | ');
  const privateKey = key === undefined ? '' : `private key (${describeKey(key)})`;
  switch (output) {
    case 'certificate':
    case 'der':
      return names(leaf);
    case 'chain':
      return names(chain.intermediates);
    case 'fullChain':
      return names([...leaf, ...chain.intermediates]);
    case 'ca':
    case 'truststore':
      return names(authorities);
    case 'privateKey':
      return privateKey;
    case 'combined':
      return `${privateKey} | ${names([...leaf, ...chain.intermediates])}`;
    case 'pfx':
      return `${privateKey} | ${names(pathOf(chain))}`;
  }
}

function isoTime(milliseconds: number): string {
  return Number.isFinite(milliseconds) ? new Date(milliseconds).toISOString().replace('.000Z', 'Z') : '';
}
