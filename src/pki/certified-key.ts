/**
 * Pairs the private keys of a content with its certificates, and sorts the certificates into a chain. Conversion,
 * `inspect` and the login with a client certificate call it. It refuses nothing: the writers decide what is missing.
 */

import type { KeyObject, X509Certificate } from 'node:crypto';
import { nextTurn } from '../base/turns.ts';
import type { CertificateBundle } from './bundle.ts';
import { type Chain, chainIn, keyFits, pathOf } from './chain.ts';
import { IssuerSearch, type SearchOptions } from './issuers.ts';

/** A certificate ready to be written: what a bundle means, once its parts have found their places. */
export interface CertificateMaterial {
  /** Absent where the content holds none, as for a key that cannot be exported. */
  readonly key: KeyObject | undefined;
  readonly chain: Chain;
  /** Whether `key` belongs to the chain's leaf. */
  readonly fits: boolean;
  /** What the outputs `ca` and `truststore` hold. */
  readonly authorities: readonly X509Certificate[];
  /** Leaves of other private keys, each with its key in the content: which of the servers is meant, nobody can tell. */
  readonly rivals: readonly X509Certificate[];
  /** A private key in a form that is not read, and what to do about it. */
  readonly unreadKey: string | undefined;
  /** What else the content holds, as nouns, such as a certificate request. */
  readonly passedOver?: readonly string[];
}

/** What is paired: a bundle, or keys and certificates from elsewhere. */
export type Unpaired = Pick<CertificateBundle, 'keys' | 'certificates'> &
  Partial<Pick<CertificateBundle, 'unreadKey' | 'passedOver'>>;

/**
 * Pairs key and leaf of a bundle and orders the chain. Of several keys that have a certificate the first in the content
 * is taken, and the others' leaves are its `rivals`: nothing that a renewal changes has a say. Copies of one key are one
 * key, and the key of a CA that issued another key's leaf is none of a server. Where no key fits any certificate, the
 * first key is given with `fits: false`.
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
 * Reads a bundle as a collection of CA certificates: all of them are `authorities`, in the bundle's order without
 * doubles, except leaves whose private key is there too.
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

/** Without the keys of CAs on the paths of the others. */
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
