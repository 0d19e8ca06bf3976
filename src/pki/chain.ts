/**
 * Orders certificates from the leaf to the root by verified signatures. Pairing, the writers and conversion call it.
 * It refuses nothing: certificates without a place in the path are listed as unrelated.
 */

import type { KeyObject, X509Certificate } from 'node:crypto';
import { validTo } from './certificate.ts';
import { type Candidate, compareTexts, IssuerSearch, type SearchOptions } from './issuers.ts';
import { issuerOf } from './names.ts';

/**
 * Certificates by their place in a chain. Every step of the path is a verified signature. The order of the certificates
 * does not change the chain, unless one key has certificates of several names. A self-signed leaf is its own root: it
 * has both places.
 */
export interface Chain {
  /** The certificate of the private key; without a key, the one that issued none of the others. */
  readonly leaf?: X509Certificate;
  /** The certificates between leaf and root, the issuer of the leaf first. */
  readonly intermediates: readonly X509Certificate[];
  /** Self-signed certificates: the one that ends the path first, then other CAs. */
  readonly roots: readonly X509Certificate[];
  /** Other certificates that are not roots: unrelated ones, other servers, cross-signed duplicates. */
  readonly unrelated: readonly X509Certificate[];
  /** True if the path ends in a self-signed certificate. */
  readonly complete: boolean;
  /** The distinguished name of the missing issuer of an incomplete path; absent if the path is a circle. */
  readonly missingIssuer?: string;
}

/** Options of {@link buildChain}. */
export interface ChainOptions extends SearchOptions {
  readonly key?: KeyObject;
}

/** The limit of leaves whose paths are compared. */
const MAX_LEAVES = 8;

/**
 * Orders certificates into a chain by issuer and subject, key identifiers and verified signatures. If certificates are
 * cross-signed, a path to a self-signed certificate on which nothing expires before the leaf is preferred, then the
 * shortest, then the one that is valid longest. The current time does not matter: the same certificates always give the
 * same chain.
 */
export async function buildChain(certificates: readonly X509Certificate[], options: ChainOptions = {}): Promise<Chain> {
  return chainIn(await IssuerSearch.among(certificates, options), options.key);
}

/** The chain of `key` in a search; one search may serve several keys. */
export async function chainIn(search: IssuerSearch, key: KeyObject | undefined): Promise<Chain> {
  const paths: Path[] = [];
  for (const leaf of leavesOf(search, key)) paths.push(await bestPath(leaf, search));
  const { steps, complete } = paths.sort(comparePaths)[0] ?? { steps: [], complete: false };
  const [leaf] = steps;
  const end = steps.at(-1);
  if (leaf === undefined || end === undefined) return { intermediates: [], roots: [], unrelated: [], complete };
  const roots = new Set(complete ? [end] : []);
  for (const other of search.own) if (other.certificate.ca && (await search.isSelfSigned(other))) roots.add(other);
  const circular = !complete && (await search.issuersOf(end)).length > 0;
  return {
    leaf: leaf.certificate,
    intermediates: certificatesOf(steps.slice(1, complete ? -1 : undefined)),
    roots: certificatesOf([...roots]),
    unrelated: certificatesOf(search.own.filter((candidate) => !steps.includes(candidate) && !roots.has(candidate))),
    complete,
    ...(complete || circular ? {} : { missingIssuer: issuerOf(end.certificate) }),
  };
}

/** The certificates of the path from the leaf to the root, each once. */
export function pathOf({ leaf, intermediates, roots, complete }: Chain): readonly X509Certificate[] {
  const end = complete ? roots.slice(0, 1) : [];
  return [...new Set([...(leaf === undefined ? [] : [leaf]), ...intermediates, ...end])];
}

/** True if the certificate holds the public part of this private key. */
export function keyFits(key: KeyObject, certificate: X509Certificate): boolean {
  try {
    return certificate.checkPrivateKey(key);
  } catch {
    return false;
  }
}

/**
 * The possible leaves, servers before CAs: the certificates of the key, with the name that is first in the content;
 * without a key, the certificates that issued no other, ordered by name. A renewal changes neither.
 */
function leavesOf(search: IssuerSearch, key: KeyObject | undefined): readonly Candidate[] {
  const fitting = key === undefined ? [] : search.own.filter(({ certificate }) => keyFits(key, certificate));
  if (fitting.length > 0) {
    const leaves = narrow(fitting, [(leaf) => !leaf.selfIssued, isServer]);
    const [first] = leaves.toSorted((a, b) => a.position - b.position);
    return leaves.filter(({ subject }) => subject === first?.subject).slice(0, MAX_LEAVES);
  }
  const ends = search.own.filter((candidate) => !search.isNamedAsIssuer(candidate));
  const leaves = narrow(ends.length > 0 ? ends : search.own, [isServer, (leaf) => !leaf.selfIssued]);
  return leaves.toSorted((a, b) => compareTexts(a.subject, b.subject)).slice(0, MAX_LEAVES);
}

/** Applies each test, unless no candidate passes it. */
function narrow(
  candidates: readonly Candidate[],
  tests: readonly ((candidate: Candidate) => boolean)[],
): readonly Candidate[] {
  let left = candidates;
  for (const test of tests) {
    const passing = left.filter(test);
    if (passing.length > 0) left = passing;
  }
  return left;
}

function isServer({ certificate }: Candidate): boolean {
  return !certificate.ca;
}

/** A path from a leaf towards a root. */
interface Path {
  readonly steps: readonly Candidate[];
  readonly complete: boolean;
}

/** The shortest path of certificates that outlive the leaf; if there is none, of any. */
async function bestPath(leaf: Candidate, search: IssuerSearch): Promise<Path> {
  const end = validTo(leaf.certificate);
  const lasting = await shortestPath(leaf, search, ({ certificate }) => validTo(certificate) < end);
  return lasting.complete ? lasting : shortestPath(leaf, search, () => false);
}

/** Searches breadth first for the nearest self-signed certificate; if there is none, returns the longest path. */
async function shortestPath(leaf: Candidate, search: IssuerSearch, skip: (one: Candidate) => boolean): Promise<Path> {
  const childOf = new Map<Candidate, Candidate | undefined>([[leaf, undefined]]);
  let farthest = leaf;
  let farthestDepth = 0;
  const queue = [{ candidate: leaf, depth: 0 }];
  for (const { candidate, depth } of queue) {
    if (await search.isSelfSigned(candidate)) return { steps: pathTo(candidate, childOf), complete: true };
    if (depth > farthestDepth) {
      farthest = candidate;
      farthestDepth = depth;
    }
    for (const issuer of await search.issuersOf(candidate, (one) => childOf.has(one) || skip(one))) {
      childOf.set(issuer, candidate);
      queue.push({ candidate: issuer, depth: depth + 1 });
    }
  }
  return { steps: pathTo(farthest, childOf), complete: false };
}

function pathTo(end: Candidate, childOf: ReadonlyMap<Candidate, Candidate | undefined>): readonly Candidate[] {
  const path: Candidate[] = [];
  for (let step: Candidate | undefined = end; step !== undefined; step = childOf.get(step)) path.unshift(step);
  return path;
}

/** Complete paths first, then longer ones; equal ones stay in the order of their leaves. */
function comparePaths(a: Path, b: Path): number {
  if (a.complete !== b.complete) return a.complete ? -1 : 1;
  return a.complete ? 0 : b.steps.length - a.steps.length;
}

function certificatesOf(candidates: readonly Candidate[]): readonly X509Certificate[] {
  return candidates.map(({ certificate }) => certificate);
}
