/**
 * Finds what is wrong with a chain and its key: dates, missing issuers, weak signatures, missing names. Conversion and
 * `inspect` call it. It refuses nothing: a finding is a warning or a note, never an error.
 */

import type { KeyObject, X509Certificate } from 'node:crypto';
import {
  alternativeNamesOf,
  dayOf,
  issuesCertificates,
  signatureAlgorithmOf,
  validFrom,
  validTo,
} from './certificate.ts';
import { type Chain, keyFits, pathOf } from './chain.ts';
import { subjectOf, subjectsOf } from './names.ts';
import { publicKeyNameOf } from './public-key.ts';
import type { CertificateReason } from './reasons.ts';

/** One thing that is wrong, for a log line and a metric. */
export interface CertificateFinding {
  readonly reason: CertificateReason;
  readonly message: string;
  /** True if the certificate is usually correct: a note for `inspect` and `check`, not a warning. */
  readonly isNote?: true;
}

const MIN_RSA_BITS = 2048;
const MAX_NAMED = 3;
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';

/** The validity of a certificate, in milliseconds since 1970. */
interface Validity {
  readonly subject: string;
  readonly from: number;
  readonly to: number;
}

/** Options of {@link examine}. */
export interface ExamineOptions {
  /** Leaves of other private keys in the content. */
  readonly rivals?: readonly X509Certificate[];
  /** The clause on certificates without a place in the chain; default `are left out of it`. */
  readonly others?: string;
}

/**
 * The findings on a chain that do not depend on the time, and the validity of its certificates: texts and dates only.
 */
export interface Examination {
  readonly lasting: readonly CertificateFinding[];
  readonly validities: readonly Validity[];
}

/**
 * Makes the checks of servers, brokers and clients before they see the certificate. `now` is in milliseconds since
 * 1970. A finding never prevents a file: a policy would have to decide on expired certificates.
 */
export function checkCertificates(
  chain: Chain,
  key: KeyObject | undefined,
  now: number,
): readonly CertificateFinding[] {
  return findingsAt(examine(chain, key), now);
}

/**
 * The part of {@link checkCertificates} that is expensive and does not depend on the time.
 */
export function examine(
  chain: Chain,
  key: KeyObject | undefined,
  { rivals = [], others = 'are left out of it' }: ExamineOptions = {},
): Examination {
  const path = pathOf(chain);
  const server = serverOf(chain, key);
  return {
    lasting: [
      ...checkKey(chain, key),
      ...checkRivals(chain, rivals),
      ...checkCompleteness(chain),
      ...path.flatMap(checkKeySize),
      ...path.filter((one) => one === server || !chain.roots.includes(one)).flatMap(checkSignature),
      ...checkKeyAlgorithms(path),
      ...checkAlternativeNames(server),
      ...checkUnrelated(chain, rivals, others),
    ],
    validities: path.map((one) => ({ subject: subjectOf(one), from: validFrom(one), to: validTo(one) })),
  };
}

/** The part of {@link checkCertificates} that depends on the time and is cheap. */
export function findingsAt({ lasting, validities }: Examination, now: number): readonly CertificateFinding[] {
  return [...validities.flatMap((validity) => checkValidity(validity, now)), ...lasting];
}

/** The findings on certificates of CAs. A self-signed certificate that is not a CA's can be trusted for itself. */
export function checkAuthorities(
  authorities: readonly X509Certificate[],
  roots: readonly X509Certificate[],
): readonly CertificateFinding[] {
  if (authorities.some((one) => one.ca || roots.includes(one))) return [];
  const message = `none of the certificates is a CA certificate, only ${subjectsOf(authorities)}: no certificate can be verified with them; store the certificates of the CA that issued them`;
  return [{ reason: 'no_ca', message }];
}

function checkValidity({ subject, from, to }: Validity, now: number): readonly CertificateFinding[] {
  if (now > to) {
    const message = `the certificate of "${subject}" expired on ${dayOf(to)}; renew it in the vault`;
    return [{ reason: 'expired', message }];
  }
  if (now >= from) return [];
  const message = `the certificate of "${subject}" is not valid before ${dayOf(from)}; check the clock of the node, or wait until then`;
  return [{ reason: 'not_yet_valid', message }];
}

function checkKey({ leaf }: Chain, key: KeyObject | undefined): readonly CertificateFinding[] {
  if (leaf === undefined || key === undefined || keyFits(key, leaf)) return [];
  const message = `the private key does not belong to the certificate of "${subjectOf(leaf)}" nor to another one there; import the key and the certificate that were made together`;
  return [{ reason: 'key_mismatch', message }];
}

function checkRivals({ leaf }: Chain, rivals: readonly X509Certificate[]): readonly CertificateFinding[] {
  if (leaf === undefined || rivals.length === 0) return [];
  const message = `there are ${rivals.length + 1} private keys that have a certificate of their own, of ${subjectsOf([leaf, ...rivals])}; if only one can be used, it is the first in the content; keep one key and its certificates`;
  return [{ reason: 'several_keys', message }];
}

function checkCompleteness(chain: Chain): readonly CertificateFinding[] {
  const { leaf, complete, intermediates, missingIssuer } = chain;
  if (leaf === undefined || complete) return [];
  if (intermediates.length > 0 && missingIssuer !== undefined && !hasIssuerOfSameName(chain)) {
    return [{ reason: 'chain_incomplete', message: rightIfRoot(missingIssuer), isNote: true }];
  }
  const message = `the chain of "${subjectOf(leaf)}" is incomplete: ${whatIsMissing(chain)}`;
  return [{ reason: 'chain_incomplete', message }];
}

function whatIsMissing(chain: Chain): string {
  const { missingIssuer } = chain;
  if (missingIssuer === undefined) {
    return 'its CA certificates signed each other in a circle, and no self-signed root is there; add the root';
  }
  return hasIssuerOfSameName(chain)
    ? `a certificate of the issuer "${missingIssuer}" is there, but its key did not make the signature (another key of that name, a kind of key unknown here, or a damaged certificate); replace it with the one that did`
    : `the certificate of its issuer "${missingIssuer}" is missing; import the certificate with its whole chain, or name a secret that holds the CA certificates`;
}

/** True if a certificate has the name of the missing issuer, but its key did not make the signature. */
function hasIssuerOfSameName(chain: Chain): boolean {
  const all = [...pathOf(chain), ...chain.roots, ...chain.unrelated];
  return all.some((other) => subjectOf(other) === chain.missingIssuer);
}

/** The remark on a chain that ends before its root, which servers and clients do not send. */
export function rightIfRoot(missingIssuer: string): string {
  return `the certificate of the issuer "${missingIssuer}" is missing. This is correct if the issuer is the root, which servers do not send; add it if it is an intermediate, or clients cannot verify the chain`;
}

function checkKeySize(certificate: X509Certificate): readonly CertificateFinding[] {
  const bits = rsaBits(certificate);
  if (bits === undefined || bits >= MIN_RSA_BITS) return [];
  const message = `the certificate of "${subjectOf(certificate)}" has an RSA key of ${bits} bits, which current TLS software refuses; issue it again with at least ${MIN_RSA_BITS}`;
  return [{ reason: 'weak_rsa', message }];
}

function rsaBits(certificate: X509Certificate): number | undefined {
  const [kind, bits] = publicKeyNameOf(certificate).split(' ');
  return kind === 'RSA' || kind === 'RSA-PSS' ? Number(bits) : undefined;
}

/** The signature of a root is not verified by anyone, unless the root is the server's own certificate. */
function checkSignature(certificate: X509Certificate): readonly CertificateFinding[] {
  const { name, weak } = signatureAlgorithmOf(certificate);
  if (weak === undefined) return [];
  const message = `the certificate of "${subjectOf(certificate)}" is signed with ${name}, and ${weak} is refused by current TLS software; issue it again with SHA-256`;
  return [{ reason: 'weak_signature', message }];
}

function checkKeyAlgorithms(path: readonly X509Certificate[]): readonly CertificateFinding[] {
  const families = new Set(path.map((certificate) => publicKeyNameOf(certificate).split(/[ -]/)[0] ?? ''));
  if (families.size < 2) return [];
  const parts = path.map((certificate) => `"${subjectOf(certificate)}" ${publicKeyNameOf(certificate)}`);
  const message = `the chain mixes key algorithms (${listed(parts)}), which some brokers refuse; issue it with one algorithm throughout`;
  return [{ reason: 'mixed_key_algorithms', message }];
}

/** The leaf, unless it is a CA. `openssl req -x509` marks servers as CAs too, but without the key usage to issue. */
function serverOf({ leaf }: Chain, key: KeyObject | undefined): X509Certificate | undefined {
  return leaf?.ca && (key === undefined || issuesCertificates(leaf)) ? undefined : leaf;
}

function checkAlternativeNames(server: X509Certificate | undefined): readonly CertificateFinding[] {
  if (server === undefined || !servesTls(server) || alternativeNamesOf(server).length > 0) return [];
  const message = `the certificate of "${subjectOf(server)}" has no subject alternative name, and clients ignore the common name; issue it again with its DNS names`;
  return [{ reason: 'no_san', message }];
}

/**
 * True unless the certificate is for clients only, which are found by subject. Node names the extended key usage
 * `keyUsage`.
 */
function servesTls({ keyUsage }: X509Certificate): boolean {
  const usages: readonly string[] | null | undefined = keyUsage;
  return usages === undefined || usages === null || usages.includes(SERVER_AUTH) || !usages.includes(CLIENT_AUTH);
}

function checkUnrelated(
  chain: Chain,
  rivals: readonly X509Certificate[],
  others: string,
): readonly CertificateFinding[] {
  const { unrelated, leaf } = chain;
  const strangers = unrelated.filter((certificate) => !rivals.includes(certificate));
  if (leaf === undefined || strangers.length === 0) return [];
  const names = subjectsOf(strangers, [...pathOf(chain), ...chain.roots]);
  const message = `there are certificates that have no place in the chain of "${subjectOf(leaf)}" and ${others}: ${names}; remove them from the certificate in the vault if they are not meant`;
  return [{ reason: 'unrelated_certificates', message }];
}

function listed(parts: readonly string[]): string {
  const more = parts.length - MAX_NAMED;
  return more > 0 ? `${parts.slice(0, MAX_NAMED).join(', ')} and ${more} more` : parts.join(', ');
}
