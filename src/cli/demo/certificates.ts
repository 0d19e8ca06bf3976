/**
 * Reads and verifies the key pairs of a mounted volume, as a TLS library would. The demo calls it for each volume.
 * It refuses a key that does not fit, and a chain that does not end at the expected root.
 */

import { type KeyObject, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ProviderError } from '../../base/errors.ts';
import { readBundle } from '../../pki/bundle.ts';
import { buildChain, type Chain, keyFits, pathOf } from '../../pki/chain.ts';
import { type CertificateFinding, checkCertificates } from '../../pki/findings.ts';
import { subjectOf } from '../../pki/names.ts';
import { describeKey } from '../../pki/public-key.ts';

/** Files of a volume that hold a certificate and its key. */
export interface KeyPairFiles {
  /** Leaf, then its intermediates. */
  readonly certificate: string;
  readonly key: string;
}

/** A verified certificate of a volume, with its key. */
export interface MountedKeyPair {
  readonly files: KeyPairFiles;
  readonly leaf: X509Certificate;
  readonly key: KeyObject;
  readonly chain: Chain;
  /** Warnings and notes about the certificate. */
  readonly findings: readonly CertificateFinding[];
}

const LAYOUTS: readonly KeyPairFiles[] = [
  { certificate: 'tls.crt', key: 'tls.key' },
  { certificate: 'client_cert.pem', key: 'client_key.pem' },
];

/** Returns the key pair files among the names; undefined if there are none. */
export function keyPairFilesAmong(names: readonly string[]): KeyPairFiles | undefined {
  return LAYOUTS.find(({ certificate, key }) => names.includes(certificate) && names.includes(key));
}

/** Returns the certificates of a PEM file, in its order; empty if there are none. */
export async function certificatesIn(path: string): Promise<readonly X509Certificate[]> {
  const blocks = (await readFile(path, 'latin1')).match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g);
  return (blocks ?? []).map((pem) => new X509Certificate(pem));
}

/**
 * Reads a key pair as a TLS library does, and verifies it against the root that the other side trusts: the key belongs
 * to the first certificate, and every signature up to that root is valid.
 * Throws: ERR_BAD_CONTENT with the part that does not fit.
 */
export async function checkKeyPair(
  directory: string,
  files: KeyPairFiles,
  { root, now }: { readonly root: X509Certificate; readonly now: number },
): Promise<MountedKeyPair> {
  const [certificates, { keys }] = await Promise.all([
    certificatesIn(join(directory, files.certificate)),
    readFile(join(directory, files.key)).then((content) => readBundle(content)),
  ]);
  const refuse = (reason: string) =>
    new ProviderError('ERR_BAD_CONTENT', `${join(directory, files.certificate)}: ${reason}`);
  const [leaf] = certificates;
  const [key] = keys;
  if (leaf === undefined || key === undefined) throw refuse(`there is no certificate, or no key in ${files.key}`);
  if (!keyFits(key, leaf)) throw refuse(`the key in ${files.key} does not fit its first certificate`);
  const chain = await buildChain(certificates, { key, extra: [root] });
  const end = chain.roots[0];
  if (!chain.complete || end?.fingerprint256 !== root.fingerprint256) {
    throw refuse(`its chain does not end in the root "${subjectOf(root)}"`);
  }
  const findings = checkCertificates(chain, key, now);
  return { files, leaf, key, chain, findings };
}

/** Returns two lines for the screen, about the key and about the chain. */
export function describeKeyPair({ files, leaf, key, chain }: MountedKeyPair): { key: string; chain: string } {
  return {
    key: `key fits: ${files.key} (${describeKey(key)}) belongs to ${subjectOf(leaf)}`,
    chain: `chain fits: ${pathOf(chain).map(subjectOf).join(' < ')}; every signature is valid`,
  };
}
