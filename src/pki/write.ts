import type { KeyObject, X509Certificate } from 'node:crypto';
import { Secret } from '../base/secret.ts';
import { badContent, refusing } from './bad-content.ts';
import type { CertificateMaterial } from './certified-key.ts';
import { pathOf } from './chain.ts';
import { commonNameOf, subjectOf, subjectsOf } from './names.ts';
import { PKCS12_FORMS, writePkcs12, writeTruststore } from './pkcs12-write.ts';
import { describeKey, publicKeyNameOf } from './public-key.ts';

/** What a certificate can be written as. */
export const CERTIFICATE_OUTPUTS = [
  'certificate',
  'chain',
  'fullChain',
  'ca',
  'privateKey',
  'combined',
  'pfx',
  'truststore',
  'der',
] as const;

/** What a certificate can be written as: see {@link CERTIFICATE_OUTPUTS}. */
export type CertificateOutput = (typeof CERTIFICATE_OUTPUTS)[number];

/** How a private key is written: PKCS#8 (`PRIVATE KEY`), PKCS#1 (`RSA PRIVATE KEY`) or SEC 1 (`EC PRIVATE KEY`). */
export type PrivateKeyFormat = 'pkcs8' | 'pkcs1' | 'sec1';

/** How an output is written. */
export interface OutputOptions {
  /** Default PKCS#8, the one every reader takes. */
  readonly keyFormat?: PrivateKeyFormat;
  /** Of `pfx` and `truststore`; default `modern`. */
  readonly pfxForm?: 'modern' | 'legacy';
  /** Of `pfx`, by default the empty one, and of `truststore`, by default none at all. */
  readonly password?: Secret;
  /** Salts of `pfx` and `truststore` come from this and the contents: give the object's version. */
  readonly seed: Buffer;
}

/**
 * Writes one output: PEM in 64 columns with LF, PKCS#12 or DER. The same material and options give the same bytes.
 * `chain` is empty where the leaf needs no intermediates.
 *
 * Errors: ERR_BAD_CONTENT where the file cannot be made, saying what is missing and what to do.
 */
export async function writeOutput(
  output: CertificateOutput,
  material: CertificateMaterial,
  options: OutputOptions,
): Promise<Buffer> {
  const { keyFormat = 'pkcs8', pfxForm = 'modern', password, seed } = options;
  const { chain, key, authorities } = material;
  const missing = output === 'chain' ? undefined : missingFor(output, material);
  if (missing !== undefined) throw badContent(missing);
  const leaf = chain.leaf === undefined ? [] : [chain.leaf];
  switch (output) {
    case 'certificate':
      return Buffer.from(certificatesPem(leaf));
    case 'chain':
      return Buffer.from(certificatesPem(chain.intermediates));
    case 'fullChain':
      return Buffer.from(certificatesPem([...leaf, ...chain.intermediates]));
    case 'ca':
      return Buffer.from(certificatesPem(authorities));
    case 'privateKey':
      return Buffer.from(privateKeyPem(key, keyFormat));
    case 'combined':
      return Buffer.from(privateKeyPem(key, keyFormat) + certificatesPem([...leaf, ...chain.intermediates]));
    case 'pfx': {
      const contents = { key, certificates: pathOf(chain), friendlyName: leaf.map(commonNameOf)[0] };
      return writePkcs12(contents, { ...PKCS12_FORMS[pfxForm], password: password ?? new Secret(''), seed });
    }
    case 'truststore':
      return writeTruststore(authorities, { password, seed, form: pfxForm });
    case 'der':
      return Buffer.concat(leaf.map(({ raw }) => raw));
  }
}

/**
 * Why an output cannot be made of the material, as an error message; `undefined` where it can.
 */
export function missingFor(output: CertificateOutput, material: CertificateMaterial): string | undefined {
  switch (output) {
    case 'certificate':
    case 'fullChain':
    case 'der':
      return severalServers(material) ?? missingLeaf(material);
    case 'chain':
      if (material.chain.intermediates.length > 0) return severalServers(material);
      return 'it holds no intermediate certificate';
    case 'ca':
    case 'truststore':
      if (material.authorities.length > 0) return undefined;
      return 'it holds no root (self-signed) certificate; add it to the certificate in the vault, or name a secret that holds the CA certificates';
    case 'privateKey':
      return severalServers(material) ?? missingKey(material);
    case 'combined':
    case 'pfx':
      return severalServers(material) ?? missingKey(material) ?? missingLeaf(material);
  }
}

/**
 * Whether the content has nothing that an output could be made of. A file that is optional is left out then, and only
 * then: what is there and cannot be used is an error.
 */
export function isAbsentFor(output: CertificateOutput, { chain, authorities, ...keys }: CertificateMaterial): boolean {
  switch (output) {
    case 'certificate':
    case 'fullChain':
    case 'der':
      return chain.leaf === undefined;
    case 'chain':
      return chain.intermediates.length === 0;
    case 'ca':
    case 'truststore':
      return authorities.length === 0;
    case 'privateKey':
    case 'combined':
    case 'pfx':
      return !hasKey(keys);
  }
}

/** Whether the content has a private key, be it one that cannot be used. */
export function hasKey({ key, unreadKey }: Pick<CertificateMaterial, 'key' | 'unreadKey'>): boolean {
  return key !== undefined || unreadKey !== undefined;
}

/** Certificates as PEM, one block after the other. */
export function certificatesPem(certificates: readonly X509Certificate[]): string {
  return certificates.map((certificate) => certificate.toString()).join('');
}

/** A private key as PEM. Errors: ERR_BAD_CONTENT where the format is not made for this kind of key. */
export function privateKeyPem(key: KeyObject | undefined, format: PrivateKeyFormat = 'pkcs8'): string {
  if (key === undefined) return '';
  const kind = KEY_KINDS[format];
  if (kind !== undefined && key.asymmetricKeyType !== kind.type) {
    throw badContent(
      `its private key is ${describeKey(key)}, and keyFormat "${format}" is for ${kind.name} keys only; use "pkcs8", which holds every key`,
    );
  }
  return refusing('its private key cannot be written: it is damaged', () =>
    key.export({ format: 'pem', type: format }).toString(),
  );
}

const KEY_KINDS: Readonly<Record<PrivateKeyFormat, { type: string; name: string } | undefined>> = {
  pkcs8: undefined,
  pkcs1: { type: 'rsa', name: 'RSA' },
  sec1: { type: 'ec', name: 'EC' },
};

function missingLeaf({ chain, passedOver = [] }: CertificateMaterial): string | undefined {
  if (chain.leaf !== undefined) return undefined;
  return `it holds no certificate, only ${['a private key', ...passedOver].join(' and ')}`;
}

function missingKey({ key, chain, fits, unreadKey }: CertificateMaterial): string | undefined {
  if (key === undefined && unreadKey !== undefined) return `its private key cannot be used: it is ${unreadKey}`;
  if (key === undefined) {
    return 'it holds no private key; a certificate gives its key away only if its policy says "exportable": true (keys in an HSM never do), so create it anew with an exportable key';
  }
  if (chain.leaf === undefined || fits) return undefined;
  return `its private key (${describeKey(key)}) does not belong to the certificate of "${subjectOf(chain.leaf)}" (${publicKeyNameOf(chain.leaf)}) nor to another one in it; import the key and the certificate that were made together`;
}

/** Choosing for the user would serve another name than the one meant. */
function severalServers({ chain, rivals }: CertificateMaterial): string | undefined {
  if (chain.leaf === undefined || rivals.length === 0) return undefined;
  const named = subjectsOf([chain.leaf, ...rivals]);
  return `it holds ${rivals.length + 1} private keys that have a certificate of their own, of ${named}; keep one key and its certificates, and store the others as secrets of their own`;
}
