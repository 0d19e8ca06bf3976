/**
 * Pairs the private keys of a content with its certificates, and sorts the certificates into a chain. Conversion,
 * `inspect` and the login with a client certificate call it. It refuses nothing: the writers decide what is missing.
 */

import type { KeyObject, X509Certificate } from 'node:crypto';
import { nextTurn } from '../base/turns.ts';
import type { CertificateBundle } from './bundle.ts';
import { type Chain, chainIn, keyFits, pathOf } from './chain.ts';
import { IssuerSearch, type SearchOptions } from './issuers.ts';

/** The parts of a bundle in their roles: key, chain and authorities, ready to be written. */
export interface CertificateMaterial {
  /** Absent if the content holds none, for example because the key cannot be exported. */
  readonly key: KeyObject | undefined;
  readonly chain: Chain;
  /** True if `key` belongs to the leaf of the chain. */
  readonly fits: boolean;
  /** The certificates of the outputs `ca` and `truststore`. */
  readonly authorities: readonly X509Certificate[];
  /** Leaves of other private keys in the content. The provider cannot tell which of these servers is meant. */
  readonly rivals: readonly X509Certificate[];
  /** A private key in an unsupported form, with the remedy. */
  readonly unreadKey: string | undefined;
  /** Other parts of the content, as nouns, such as a certificate request. */
  readonly passedOver?: readonly string[];
}

/** The input of the pairing: a bundle, or keys and certificates of another source. */
export type Unpaired = Pick<CertificateBundle, 'keys' | 'certificates'> &
  Partial<Pick<CertificateBundle, 'unreadKey' | 'passedOver'>>;

/**
 * Pairs key and leaf of a bundle and orders the chain. If several keys have a certificate, the first in the content is
 * taken, and the leaves of the others are its `rivals`; the choice does not depend on anything that a renewal changes.
 * Copies of one key count once. The key of a CA that issued the leaf of another key is not a server's. If no key fits
 * any certificate, the result has the first key and `fits: false`.
 */
export async function pairKey(bundle: Unpaired, options: SearchOptions = {}): Promise<CertificateMaterial> {
  const { keys, certificates, unreadKey, passedOver = [] } = bundle;
  const search = await IssuerSearch.among(certificates, options);
  const all = [...certificates, ...(options.extra ?? [])];
  const pairs: Pair[] = [];
  for (const key of keys) {
    await nextTurn(options.signal);
    if (!certificates.some((certificate) => keyFits(key, certificate))) continue;
    const owned = printsOf(all.filter((certificate) => keyFits(key, certificate)));
    if (pairs.some(({ leaf }) => owned.has(leaf.fingerprint256))) continue;
    const chain = await chainIn(search, key);
    if (chain.leaf !== undefined) pairs.push({ key, chain, leaf: chain.leaf, owned });
  }
  const [first, ...others] = serversAmong(pairs);
  const rivals = others.map(({ leaf }) => leaf);
  const chain = first?.chain ?? (await chainIn(search, undefined));
  const key = first?.key ?? keys[0];
  return { key, chain, fits: first !== undefined, authorities: chain.roots, rivals, unreadKey, passedOver };
}

/**
 * Reads a bundle as a collection of CA certificates: all of them are `authorities`, in the order of the bundle without
 * duplicates, except leaves whose private key is in the bundle.
 */
export async function authoritiesOf(bundle: Unpaired, options: SearchOptions = {}): Promise<CertificateMaterial> {
  const material = await pairKey(bundle, options);
  const { fits, rivals, chain } = material;
  const { leaf, roots } = chain;
  const distinct = new Map(bundle.certificates.map((certificate) => [certificate.fingerprint256, certificate]));
  const paired = fits && leaf !== undefined ? [leaf, ...rivals] : [];
  for (const print of printsOf(paired.filter((one) => !roots.includes(one)))) distinct.delete(print);
  return { ...material, authorities: [...distinct.values()] };
}

/** A private key, the chain of its certificate, and the fingerprints of all certificates it fits. */
interface Pair {
  readonly key: KeyObject;
  readonly chain: Chain;
  readonly leaf: X509Certificate;
  readonly owned: ReadonlySet<string>;
}

/** The pairs without those of CAs on the paths of the others. */
function serversAmong(pairs: readonly Pair[]): readonly Pair[] {
  const paths = pairs.map(({ chain }) => [...printsOf(pathOf(chain).slice(1))]);
  const isIssuer = ({ owned }: Pair, own: number) =>
    paths.some((prints, i) => i !== own && prints.some((print) => owned.has(print)));
  const servers = pairs.filter((pair, i) => !isIssuer(pair, i));
  return servers.length > 0 ? servers : pairs;
}

function printsOf(certificates: readonly X509Certificate[]): ReadonlySet<string> {
  return new Set(certificates.map(({ fingerprint256 }) => fingerprint256));
}
