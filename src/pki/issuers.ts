import type { X509Certificate } from 'node:crypto';
import { validTo } from './certificate.ts';

/** Signatures that may turn out wrong in one search: a hostile collection must not cost more. */
const MAX_FAILED_SIGNATURES = 16;

/** Certificates of one subject that are looked at; more bear one name only where somebody means harm. */
const MAX_SAME_SUBJECT = 64;

/** A certificate under search, with what is asked of it often. */
export interface Candidate {
  readonly certificate: X509Certificate;
  /** Subject and issuer in the form they are compared in. */
  readonly subject: string;
  readonly issuer: string;
  /** Whether subject and issuer are the same name: self-signed, unless another key of that name signed it. */
  readonly selfIssued: boolean;
}

interface Named {
  readonly fitting: Candidate[];
  readonly others: Candidate[];
}

/**
 * Who issued whom among some certificates. Lists are in one order whatever the input's: the longest valid first.
 * The cost is bounded: names are compared first, each pair's signature is verified once, and after
 * {@link MAX_FAILED_SIGNATURES} wrong ones the rest counts as wrong.
 */
export class IssuerSearch {
  /** The certificates themselves, without doubles. */
  readonly own: readonly Candidate[];
  readonly #bySubject = new Map<string, Candidate[]>();
  readonly #namedBy = new Map<Candidate, Named>();
  readonly #namedIssuers = new Set<Candidate>();
  readonly #verified = new Map<Candidate, Map<Candidate, boolean>>();
  #failures = 0;

  constructor(certificates: readonly X509Certificate[], extra: readonly X509Certificate[]) {
    const distinct = new Map<string, Candidate>();
    for (const certificate of certificates) distinct.set(certificate.fingerprint256, candidateOf(certificate));
    this.own = [...distinct.values()].sort(compareCandidates);
    for (const certificate of extra) {
      if (!distinct.has(certificate.fingerprint256)) distinct.set(certificate.fingerprint256, candidateOf(certificate));
    }
    for (const candidate of [...distinct.values()].sort(compareCandidates)) {
      const sameName = this.#bySubject.get(candidate.subject);
      if (sameName === undefined) this.#bySubject.set(candidate.subject, [candidate]);
      else sameName.push(candidate);
    }
    for (const candidate of this.own) {
      const { fitting, others } = this.#named(candidate);
      for (const issuer of fitting.length > 0 ? fitting : others) this.#namedIssuers.add(issuer);
    }
  }

  /** Whether another of the own certificates names this one as its issuer (signatures not looked at). */
  isNamedAsIssuer(candidate: Candidate): boolean {
    return this.#namedIssuers.has(candidate);
  }

  /** Whether the certificate is signed with its own key. */
  isSelfSigned(candidate: Candidate): boolean {
    return candidate.selfIssued && this.#isSignedBy(candidate, candidate);
  }

  /** The other certificates that signed this one, except those `skip` names; key identifiers that match come first. */
  issuersOf(candidate: Candidate, skip: (issuer: Candidate) => boolean = () => false): readonly Candidate[] {
    const { fitting, others } = this.#named(candidate);
    return [...fitting, ...others].filter((issuer) => !skip(issuer) && this.#isSignedBy(candidate, issuer));
  }

  /** The certificates whose subject is this one's issuer, parted by whether key identifier and usage fit too. */
  #named(candidate: Candidate): Named {
    const known = this.#namedBy.get(candidate);
    if (known !== undefined) return known;
    const named: Named = { fitting: [], others: [] };
    for (const issuer of this.#bySubject.get(candidate.issuer)?.slice(0, MAX_SAME_SUBJECT) ?? []) {
      if (issuer === candidate) continue;
      (candidate.certificate.checkIssued(issuer.certificate) ? named.fitting : named.others).push(issuer);
    }
    this.#namedBy.set(candidate, named);
    return named;
  }

  #isSignedBy(candidate: Candidate, issuer: Candidate): boolean {
    const known = this.#verified.get(candidate) ?? new Map<Candidate, boolean>();
    this.#verified.set(candidate, known);
    const answer = known.get(issuer) ?? this.#verify(candidate, issuer);
    known.set(issuer, answer);
    return answer;
  }

  #verify(candidate: Candidate, issuer: Candidate): boolean {
    if (this.#failures >= MAX_FAILED_SIGNATURES) return false;
    const right = verifies(candidate.certificate, issuer.certificate);
    if (!right) this.#failures++;
    return right;
  }
}

function verifies(certificate: X509Certificate, issuer: X509Certificate): boolean {
  try {
    return certificate.verify(issuer.publicKey);
  } catch {
    return false;
  }
}

function candidateOf(certificate: X509Certificate): Candidate {
  const subject = comparable(certificate.subject);
  const issuer = comparable(certificate.issuer);
  return { certificate, subject, issuer, selfIssued: subject === issuer };
}

/** Names are compared without case and multiple spaces, as RFC 5280 section 7.1 wants. Node gives none for an empty one. */
function comparable(name: string | undefined): string {
  return (name ?? '').toLowerCase().replace(/[^\S\n]+/g, ' ');
}

function compareCandidates(a: Candidate, b: Candidate): number {
  const [aTo, bTo] = [a, b].map(({ certificate }) => validTo(certificate) || 0);
  if (aTo !== bTo) return (bTo ?? 0) - (aTo ?? 0);
  return a.certificate.fingerprint256 < b.certificate.fingerprint256 ? -1 : 1;
}
