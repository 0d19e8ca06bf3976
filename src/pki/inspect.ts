/**
 * Describes keys, certificates, chain, findings and possible outputs of a content as plain data. `akv-csi inspect`
 * calls it. The result holds no values of keys.
 */

import type { X509Certificate } from 'node:crypto';
import type { CertificateBundle } from './bundle.ts';
import { alternativeNamesOf, signatureAlgorithmOf, validFrom, validTo } from './certificate.ts';
import { type CertificateMaterial, pairKey } from './certified-key.ts';
import { type Chain, keyFits, pathOf } from './chain.ts';
import { type CertificateFinding, examine, findingsAt, rightIfRoot } from './findings.ts';
import { issuerOf, subjectOf } from './names.ts';
import { OUTPUT_KINDS, type OutputKind, traitsOf } from './outputs.ts';
import { describeKey, publicKeyNameOf } from './public-key.ts';
import { certificatesFor, hasKey, missingFor } from './write.ts';

/** A certificate in plain data; times are ISO 8601, empty if the certificate holds no readable one. */
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

/** The file that the provider would write for one output, or the reason why it cannot. */
export interface InspectedOutput {
  readonly output: OutputKind;
  readonly possible: boolean;
  /** The contents of the file, in its order: subjects of certificates, `private key (<kind>)`. */
  readonly holds: readonly string[];
  /** The reason why the file cannot be made; null if it can be made. */
  readonly problem: string | null;
}

/** One finding: a warning is logged by a Mount, a note is shown by `inspect` only. */
export interface InspectedFinding extends Omit<CertificateFinding, 'isNote'> {
  readonly severity: 'warning' | 'note';
}

/**
 * The description of a content, without the values of keys: plain JSON data, the shape of `akv-csi inspect --json`.
 * Fields may be added, but never renamed or removed.
 */
export interface Inspection {
  readonly format: CertificateBundle['format'];
  /** In the order of the content; `fits` is the subject of the certificate that has the key's public part. */
  readonly keys: readonly { readonly kind: string; readonly fits: string | null }[];
  /** In the order of the content. */
  readonly certificates: readonly InspectedCertificate[];
  /** True if the content holds the private key of the leaf; null without a leaf or without a key. */
  readonly keyFitsLeaf: boolean | null;
  readonly chain: {
    /** Indexes into `certificates`, from leaf to root. */
    readonly path: readonly number[];
    readonly complete: boolean;
    readonly missingIssuer: string | null;
  };
  readonly findings: readonly InspectedFinding[];
  readonly outputs: readonly InspectedOutput[];
}

/** Describes a bundle; `now` is in milliseconds since 1970. */
export async function inspectBundle(bundle: CertificateBundle, { now }: { readonly now: number }): Promise<Inspection> {
  const material = await pairKey(bundle);
  const { chain, key, fits, rivals } = material;
  const prints = bundle.certificates.map(({ fingerprint256 }) => fingerprint256);
  const authoritiesOnly = key === undefined && bundle.certificates.every(({ ca }) => ca);
  const findings = findingsAt(examine(chain, key, { rivals }), now).filter(
    ({ reason }) => !(authoritiesOnly && reason === 'unrelated_certificates'),
  );
  return {
    format: bundle.format,
    keys: bundle.keys.map((one) => {
      const owner = bundle.certificates.find((certificate) => keyFits(one, certificate));
      return { kind: describeKey(one), fits: owner === undefined ? null : subjectOf(owner) };
    }),
    certificates: bundle.certificates.map((certificate) => ({
      ...inspectCertificate(certificate),
      place: placeOf(certificate, chain, authoritiesOnly),
    })),
    keyFitsLeaf: key === undefined || chain.leaf === undefined ? null : fits,
    chain: {
      path: pathOf(chain).map(({ fingerprint256 }) => prints.indexOf(fingerprint256)),
      complete: chain.complete,
      missingIssuer: chain.missingIssuer ?? null,
    },
    findings: findings.map((finding) => judge(finding, material)),
    outputs: OUTPUT_KINDS.map((output) => inspectOutput(output, material)),
  };
}

/**
 * Returns a finding with its severity. A missing root is only a note if the content has no key: a mounted tls.crt has
 * no root by design.
 */
function judge(finding: CertificateFinding, { key, chain }: CertificateMaterial): InspectedFinding {
  const { reason, message, isNote } = finding;
  const { missingIssuer } = chain;
  if (reason === 'chain_incomplete' && key === undefined && missingIssuer !== undefined) {
    return { severity: 'note', reason, message: rightIfRoot(missingIssuer) };
  }
  return { severity: isNote ? 'note' : 'warning', reason, message };
}

function inspectCertificate(certificate: X509Certificate): Omit<InspectedCertificate, 'place'> {
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
  };
}

function placeOf(
  { fingerprint256 }: X509Certificate,
  chain: Chain,
  authoritiesOnly: boolean,
): InspectedCertificate['place'] {
  const isIn = (list: readonly X509Certificate[]) => list.some((other) => other.fingerprint256 === fingerprint256);
  if (chain.leaf?.fingerprint256 === fingerprint256 && !authoritiesOnly) return 'leaf';
  if (isIn(chain.roots)) return 'root';
  return authoritiesOnly || isIn(chain.intermediates) ? 'intermediate' : 'unrelated';
}

function inspectOutput(output: OutputKind, material: CertificateMaterial): InspectedOutput {
  const problem = problemOf(output, material);
  return problem === undefined
    ? { output, possible: true, holds: contentsOf(output, material), problem: null }
    : { output, possible: false, holds: [], problem };
}

function problemOf(output: OutputKind, material: CertificateMaterial): string | undefined {
  if (!traitsOf(output).holdsKey || hasKey(material)) return missingFor(output, material);
  return 'there is no private key, only certificates; the secret of a certificate in Key Vault holds the key too, if its policy says "exportable": true';
}

function contentsOf(output: OutputKind, material: CertificateMaterial): readonly string[] {
  const key = traitsOf(output).holdsKey ? material.key : undefined;
  const privateKey = key === undefined ? [] : [`private key (${describeKey(key)})`];
  return [...privateKey, ...certificatesFor(output, material).map(subjectOf)];
}

function isoTime(milliseconds: number): string {
  return Number.isFinite(milliseconds) ? new Date(milliseconds).toISOString().replace('.000Z', 'Z') : '';
}
