/**
 * Finds the issuers of certificates by name, key identifier and verified signature. The chain and the pairing of keys call
 * it. The number of signatures is bounded; certificates beyond the bound count as not issued by one another.
 */

import type { X509Certificate } from 'node:crypto';
import { nextTurn } from '../base/turns.ts';
import { validFrom, validTo } from './certificate.ts';
import { publicKeyOf } from './public-key.ts';

/** Signatures verified in one search: a path through all certificates of a content, and each against itself. */
const MAX_SIGNATURES = 512;

/** Certificates of one subject that are looked at; more bear one name only where somebody means harm. */
const MAX_SAME_SUBJECT = 64;

/** Signatures that may turn out wrong in one search: a hostile collection must not cost more. */
const MAX_FAILED_SIGNATURES = MAX_SAME_SUBJECT;

/** A certificate under search, with what is asked of it often. */
export interface Candidate {
  readonly certificate: X509Certificate;
  /** Subject and issuer in the form they are compared in. */
  readonly subject: string;
  readonly issuer: string;
  /** Whether subject and issuer are the same name: self-signed, unless another key of that name signed it. */
  readonly selfIssued: boolean;
  /** Its place in the content; doubles have that of the first. */
  readonly position: number;
}

interface Named {
  readonly fitting: readonly Candidate[];
  readonly others: readonly Candidate[];
}

const NOBODY: Named = { fitting: [], others: [] };

/**
 * Who issued whom among some certificates. Lists are in one order whatever the input's: the longest valid first.
 * The cost is bounded: names are compared first, each pair's signature is verified once and in its own turn of the
 * event loop, and after {@link MAX_FAILED_SIGNATURES} wrong ones or {@link MAX_SIGNATURES} in all the rest counts as
 * wrong.
 */
export class IssuerSearch {
  /** The certificates themselves, without doubles. */
  readonly own: readonly Candidate[];
  readonly #namedBy: ReadonlyMap<Candidate, Named>;
  readonly #namedIssuers = new Set<Candidate>();
  readonly #verified = new Map<Candidate, Map<Candidate, boolean>>();
  readonly #signal: AbortSignal | undefined;
  #failures = 0;
  #signatures = 0;

  private constructor(
    own: readonly Candidate[],
    namedBy: ReadonlyMap<Candidate, Named>,
    signal: AbortSignal | undefined,
  ) {
    this.own = own;
    this.#namedBy = namedBy;
    this.#signal = signal;
    for (const candidate of own) {
      const { fitting, others } = namedBy.get(candidate) ?? NOBODY;
      for (const issuer of fitting.length > 0 ? fitting : others) this.#namedIssuers.add(issuer);
    }
  }

  /** A search among `certificates` and those of `extra`; names and key identifiers are compared now. */
  static async among(
    certificates: readonly X509Certificate[],
    { extra = [], signal }: SearchOptions = {},
  ): Promise<IssuerSearch> {
    const distinct = new Map<string, Candidate>();
    const addAll = async (from: readonly X509Certificate[]) => {
      for (const certificate of from) {
        await nextTurn(signal);
        const print = certificate.fingerprint256;
        if (!distinct.has(print)) distinct.set(print, candidateOf(certificate, distinct.size));
      }
    };
    await addAll(certificates);
    const own = [...distinct.values()].sort(compareCandidates);
    await addAll(extra);
    const all = [...distinct.values()].sort(compareCandidates);
    const bySubject = new Map<string, Candidate[]>();
    for (const candidate of all) {
      const sameName = bySubject.get(candidate.subject);
      if (sameName === undefined) bySubject.set(candidate.subject, [candidate]);
      else if (sameName.length < MAX_SAME_SUBJECT) sameName.push(candidate);
    }
    const namedBy = new Map<Candidate, Named>();
    for (const candidate of all) {
      await nextTurn(signal);
      namedBy.set(candidate, namedAmong(bySubject.get(candidate.issuer) ?? [], candidate));
    }
    return new IssuerSearch(own, namedBy, signal);
  }

  /** Whether another of the own certificates names this one as its issuer (signatures not looked at). */
  isNamedAsIssuer(candidate: Candidate): boolean {
    return this.#namedIssuers.has(candidate);
  }

  /** Whether the certificate is signed with its own key. */
  async isSelfSigned(candidate: Candidate): Promise<boolean> {
    return candidate.selfIssued && (await this.#isSignedBy(candidate, candidate));
  }

  /** The other certificates that signed this one, except those `skip` names; key identifiers that match come first. */
  async issuersOf(
    candidate: Candidate,
    skip: (issuer: Candidate) => boolean = () => false,
  ): Promise<readonly Candidate[]> {
    const { fitting, others } = this.#namedBy.get(candidate) ?? NOBODY;
    const issuers: Candidate[] = [];
    for (const issuer of [...fitting, ...others]) {
      if (!skip(issuer) && (await this.#isSignedBy(candidate, issuer))) issuers.push(issuer);
    }
    return issuers;
  }

  async #isSignedBy(candidate: Candidate, issuer: Candidate): Promise<boolean> {
    const known = this.#verified.get(candidate) ?? new Map<Candidate, boolean>();
    this.#verified.set(candidate, known);
    const answer = known.get(issuer) ?? (await this.#verify(candidate, issuer));
    known.set(issuer, answer);
    return answer;
  }

  async #verify(candidate: Candidate, issuer: Candidate): Promise<boolean> {
    if (this.#failures >= MAX_FAILED_SIGNATURES || this.#signatures >= MAX_SIGNATURES) return false;
    this.#signatures++;
    await nextTurn(this.#signal);
    const right = verifies(candidate.certificate, issuer.certificate);
    if (!right) this.#failures++;
    return right;
  }
}

/**
 * The certificates that are not signed with their own key, in their order. What key usage says plays no part, as in
 * {@link IssuerSearch.isSelfSigned}: Key Vault's self-signed certificates say that they issue none.
 */
export async function withoutRoots(
  certificates: readonly X509Certificate[],
  signal: AbortSignal,
): Promise<readonly X509Certificate[]> {
  const left: X509Certificate[] = [];
  for (const certificate of certificates) {
    await nextTurn(signal);
    const { subject, issuer } = certificate;
    const selfSigned = comparable(subject) === comparable(issuer) && verifies(certificate, certificate);
    if (!selfSigned) left.push(certificate);
  }
  return left;
}

/** Certificates to search among besides, and who may call the search off. */
export interface SearchOptions {
  /** Certificates from elsewhere, taken only where they complete a path. */
  readonly extra?: readonly X509Certificate[];
  readonly signal?: AbortSignal;
}

/** The certificates whose subject is this one's issuer, parted by whether key identifier and usage fit too. */
function namedAmong(issuers: readonly Candidate[], candidate: Candidate): Named {
  const others = issuers.filter((issuer) => issuer !== candidate);
  const fits = (issuer: Candidate) => candidate.certificate.checkIssued(issuer.certificate);
  const fitting = others.filter(fits);
  return { fitting, others: others.filter((issuer) => !fitting.includes(issuer)) };
}

function verifies(certificate: X509Certificate, issuer: X509Certificate): boolean {
  try {
    return certificate.verify(publicKeyOf(issuer));
  } catch {
    return false;
  }
}

function candidateOf(certificate: X509Certificate, position: number): Candidate {
  const subject = comparable(certificate.subject);
  const issuer = comparable(certificate.issuer);
  return { certificate, subject, issuer, selfIssued: subject === issuer, position };
}

/** Names are compared without case and multiple spaces, as RFC 5280 section 7.1 wants. Node gives none for an empty one. */
function comparable(name: string | undefined): string {
  return (name ?? '').toLowerCase().replace(/[^\S\n]+/g, ' ');
}

/**
 * The longest valid first, then the newest. Between equals names decide, which stay the same when a certificate is
 * renewed; the fingerprint, which does not, only tells certificates apart that serve the same names.
 */
function compareCandidates(a: Candidate, b: Candidate): number {
  return (
    (validTo(b.certificate) || 0) - (validTo(a.certificate) || 0) ||
    (validFrom(b.certificate) || 0) - (validFrom(a.certificate) || 0) ||
    compareTexts(a.subject, b.subject) ||
    compareTexts(a.issuer, b.issuer) ||
    compareTexts(a.certificate.subjectAltName ?? '', b.certificate.subjectAltName ?? '') ||
    compareTexts(a.certificate.fingerprint256, b.certificate.fingerprint256)
  );
}

/** Orders texts the same way on every machine. */
export function compareTexts(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
