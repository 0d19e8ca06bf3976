/**
 * Finds the issuers of certificates by name, key identifier and verified signature. The chain and the pairing of keys
 * call it. The number of signatures is bounded; certificates beyond the bound count as not issued by one another.
 */

import type { X509Certificate } from 'node:crypto';
import { nextTurn } from '../base/turns.ts';
import { validFrom, validTo } from './certificate.ts';
import { publicKeyOf } from './public-key.ts';

/**
 * The limit of verified signatures in one search: a path through all certificates of a content, and each one against
 * itself.
 */
const MAX_SIGNATURES = 512;

/** The limit of certificates with one subject; only a hostile content has more. */
const MAX_SAME_SUBJECT = 64;

/** The limit of wrong signatures in one search, which bounds the cost of a hostile collection. */
const MAX_FAILED_SIGNATURES = MAX_SAME_SUBJECT;

/** A certificate of a search, with its facts that are read often. */
export interface Candidate {
  readonly certificate: X509Certificate;
  /** Subject and issuer, normalised for comparison. */
  readonly subject: string;
  readonly issuer: string;
  /** True if subject and issuer have the same name: self-signed, unless another key of that name signed it. */
  readonly selfIssued: boolean;
  /** Its place in the content; duplicates have the place of the first. */
  readonly position: number;
}

interface Named {
  readonly fitting: readonly Candidate[];
  readonly others: readonly Candidate[];
}

const NOBODY: Named = { fitting: [], others: [] };

/**
 * Finds issuers among certificates. The order of a result does not depend on the order of the input: the longest valid
 * certificate is first. The cost is bounded: names are compared first, and the signature of each pair is verified once,
 * in a new turn of the event loop. After {@link MAX_FAILED_SIGNATURES} wrong signatures, or {@link MAX_SIGNATURES} in
 * all, the rest counts as wrong.
 */
export class IssuerSearch {
  /** The certificates of the content, without duplicates. */
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

  /** Starts a search among `certificates` and `extra`; names and key identifiers are compared at once. */
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

  /** True if another certificate of the content names this one as its issuer; signatures are not verified. */
  isNamedAsIssuer(candidate: Candidate): boolean {
    return this.#namedIssuers.has(candidate);
  }

  /** True if the certificate is signed with its own key. */
  async isSelfSigned(candidate: Candidate): Promise<boolean> {
    return candidate.selfIssued && (await this.#isSignedBy(candidate, candidate));
  }

  /** The other certificates that signed this one, except those in `skip`; matching key identifiers come first. */
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
 * The certificates that are not signed with their own key, in their order. Key usage does not matter, as in
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

/** Further certificates for a search, and the signal that ends it. */
export interface SearchOptions {
  /** Certificates of another source, which are used only to complete a path. */
  readonly extra?: readonly X509Certificate[];
  readonly signal?: AbortSignal;
}

/** The certificates whose subject is this one's issuer, divided by whether key identifier and usage match too. */
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

/**
 * Normalises a name: case and repeated spaces do not matter (RFC 5280 section 7.1). Node gives none for an empty name.
 */
function comparable(name: string | undefined): string {
  return (name ?? '').toLowerCase().replace(/[^\S\n]+/g, ' ');
}

/**
 * The longest valid first, then the newest. Equal ones are ordered by name, which a renewal does not change. The
 * fingerprint, which a renewal changes, only orders certificates with the same names.
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
