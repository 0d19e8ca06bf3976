import type { KeyObject, X509Certificate } from 'node:crypto';
import type { CertificateBundle } from './bundle.ts';
import { type Chain, chainIn, keyFits } from './chain.ts';
import { IssuerSearch, type SearchOptions } from './issuers.ts';
import { nextTurn } from './pace.ts';

/** A certificate ready to be written: what a bundle means, once its parts have found their places. */
export interface CertificateMaterial {
  /** Absent where the content holds none, as for a key that cannot be exported. */
  readonly key: KeyObject | undefined;
  readonly chain: Chain;
  /** Whether `key` belongs to the chain's leaf. */
  readonly fits: boolean;
  /** What the outputs `ca` and `truststore` hold. */
  readonly authorities: readonly X509Certificate[];
}

/**
 * Pairs key and leaf of a bundle and orders the chain. Of several keys the one is taken whose certificate makes the
 * best chain: no CA, complete. Where no key fits any certificate, the first key is given with `fits: false`.
 */
export async function pairKey(
  bundle: Pick<CertificateBundle, 'keys' | 'certificates'>,
  options: SearchOptions = {},
): Promise<CertificateMaterial> {
  const { keys, certificates } = bundle;
  const search = await IssuerSearch.among(certificates, options);
  const pairs: { readonly key: KeyObject; readonly chain: Chain }[] = [];
  for (const key of keys) {
    await nextTurn(options.signal);
    if (certificates.some((certificate) => keyFits(key, certificate))) {
      pairs.push({ key, chain: await chainIn(search, key) });
    }
  }
  const best = pairs.sort((a, b) => rankOf(a.chain) - rankOf(b.chain) || comparePrints(a.chain, b.chain))[0];
  if (best !== undefined) return { ...best, fits: true, authorities: best.chain.roots };
  const chain = await chainIn(search, undefined);
  return { key: keys[0], chain, fits: false, authorities: chain.roots };
}

/**
 * Reads a bundle as a collection of CA certificates: all of them are `authorities`, in the bundle's order without
 * doubles, except a leaf whose private key is there too.
 */
export async function authoritiesOf(
  bundle: Pick<CertificateBundle, 'keys' | 'certificates'>,
  options: SearchOptions = {},
): Promise<CertificateMaterial> {
  const material = await pairKey(bundle, options);
  const { leaf, roots } = material.chain;
  const distinct = new Map(bundle.certificates.map((certificate) => [certificate.fingerprint256, certificate]));
  const isPairedLeaf = (certificate: X509Certificate) =>
    material.fits && certificate.fingerprint256 === leaf?.fingerprint256 && !roots.includes(leaf);
  return { ...material, authorities: [...distinct.values()].filter((certificate) => !isPairedLeaf(certificate)) };
}

/** Servers before CAs, complete chains before others. */
function rankOf({ leaf, complete }: Chain): number {
  return (leaf?.ca ? 2 : 0) + (complete ? 0 : 1);
}

function comparePrints(a: Chain, b: Chain): number {
  return (a.leaf?.fingerprint256 ?? '') < (b.leaf?.fingerprint256 ?? '') ? -1 : 1;
}
