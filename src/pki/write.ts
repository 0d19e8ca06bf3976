/**
 * Writes the files of a certificate, one for each kind of `outputs.ts`. Conversion calls it; `inspect` asks it what can
 * be written. It refuses an output whose key or certificates are missing or do not belong together.
 */

import type { KeyObject, X509Certificate } from 'node:crypto';
import { Secret } from '../base/secret.ts';
import { badContent, refusing } from './bad-content.ts';
import type { CertificateMaterial } from './certified-key.ts';
import { pathOf } from './chain.ts';
import { commonNameOf, subjectOf, subjectsOf } from './names.ts';
import { type KeyFormat, type OutputKind, type Pkcs12Profile, traitsOf } from './outputs.ts';
import { PKCS12_FORMS, writePkcs12, writeTruststore } from './pkcs12-write.ts';
import { describeKey, publicKeyNameOf } from './public-key.ts';

/** The settings of a written output. */
export interface OutputOptions {
  /** The default is PKCS#8, which every reader accepts. */
  readonly keyFormat?: KeyFormat;
  /** The profile of `pfx` and `truststore`; default `modern`. */
  readonly pfxForm?: Pkcs12Profile;
  /** The password. By default `pfx` has the empty one, and `truststore` has none. */
  readonly password?: Secret;
  /**
   * The salts of `pfx` and `truststore` are made from this and the contents; callers pass the version of the object.
   */
  readonly seed: Buffer;
}

/**
 * Writes one output: PEM in 64 columns with LF, PKCS#12 or DER. The same material and options give the same bytes.
 * `chain` is empty if the leaf needs no intermediates.
 *
 * Throws: ERR_BAD_CONTENT if the file cannot be made; the message names the missing part and the remedy.
 */
export async function writeOutput(
  output: OutputKind,
  material: CertificateMaterial,
  options: OutputOptions,
): Promise<Buffer> {
  const { keyFormat = 'pkcs8', pfxForm = 'modern', password, seed } = options;
  const { encoding, holdsKey, trustsRoots } = traitsOf(output);
  const missing = CONTENTS[output].mayBeEmpty ? undefined : missingFor(output, material);
  if (missing !== undefined) throw badContent(missing);
  const certificates = certificatesFor(output, material);
  const key = holdsKey ? material.key : undefined;
  switch (encoding) {
    case 'pem':
      return Buffer.from(privateKeyPem(key, keyFormat) + certificatesPem(certificates));
    case 'der':
      return Buffer.concat(certificates.map(({ raw }) => raw));
    case 'pkcs12': {
      if (!holdsKey) return writeTruststore(certificates, { password, seed, form: pfxForm });
      const trusted = trustsRoots ? material.authorities : [];
      const contents = { key, certificates, trusted, friendlyName: leafOf(material).map(commonNameOf)[0] };
      return writePkcs12(contents, { ...PKCS12_FORMS[pfxForm], password: password ?? new Secret(''), seed });
    }
  }
}

/** The certificates of an output's file, in its order. */
export function certificatesFor(output: OutputKind, material: CertificateMaterial): readonly X509Certificate[] {
  return CONTENTS[output].certificates(material);
}

/**
 * Returns the reason why an output cannot be made of the material, as an error message; `undefined` if it can be made.
 */
export function missingFor(output: OutputKind, material: CertificateMaterial): string | undefined {
  return CONTENTS[output].missing(material);
}

/**
 * True if the content has nothing that an output could be made of. A file that is optional is left out then, and only
 * then: a part that is there and cannot be used is an error.
 */
export function isAbsentFor(output: OutputKind, material: CertificateMaterial): boolean {
  return CONTENTS[output].isAbsent(material);
}

/** True if the content has a private key, also one that cannot be used. */
export function hasKey({ key, unreadKey }: Pick<CertificateMaterial, 'key' | 'unreadKey'>): boolean {
  return key !== undefined || unreadKey !== undefined;
}

/** Certificates as PEM, one block after the other. */
export function certificatesPem(certificates: readonly X509Certificate[]): string {
  return certificates.map((certificate) => certificate.toString()).join('');
}

/** A private key as PEM. Throws: ERR_BAD_CONTENT if the format does not fit the kind of key. */
export function privateKeyPem(key: KeyObject | undefined, format: KeyFormat = 'pkcs8'): string {
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

const KEY_KINDS: Readonly<Record<KeyFormat, { type: string; name: string } | undefined>> = {
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
    return 'it holds no private key; Key Vault returns the key of a certificate only if its policy says "exportable": true (never a key in an HSM); create the certificate again with an exportable key';
  }
  if (chain.leaf === undefined || fits) return undefined;
  return `its private key (${describeKey(key)}) does not belong to the certificate of "${subjectOf(chain.leaf)}" (${publicKeyNameOf(chain.leaf)}) nor to another one in it; import the key and the certificate that were made together`;
}

function missingIntermediates(material: CertificateMaterial): string | undefined {
  if (material.chain.intermediates.length > 0) return severalServers(material);
  return 'it holds no intermediate certificate';
}

function missingAuthorities({ authorities }: CertificateMaterial): string | undefined {
  if (authorities.length > 0) return undefined;
  return 'it holds no root (self-signed) certificate; add it to the certificate in the vault, or name a secret that holds the CA certificates';
}

/** Refuses several servers in one content: a choice could serve the wrong name. */
function severalServers({ chain, rivals }: CertificateMaterial): string | undefined {
  if (chain.leaf === undefined || rivals.length === 0) return undefined;
  const named = subjectsOf([chain.leaf, ...rivals]);
  return `it holds ${rivals.length + 1} private keys that have a certificate of their own, of ${named}; keep one key and its certificates, and store the others as secrets of their own`;
}

function leafOf({ chain }: CertificateMaterial): readonly X509Certificate[] {
  return chain.leaf === undefined ? [] : [chain.leaf];
}

/** The part of the material without which an output cannot be made. */
interface NeededPart {
  isAbsent(material: CertificateMaterial): boolean;
  /**
   * Returns the reason why the part is absent or cannot be used, as an error message; `undefined` if it can be used.
   */
  missing(material: CertificateMaterial): string | undefined;
}

const LEAF: NeededPart = {
  isAbsent: ({ chain }) => chain.leaf === undefined,
  missing: (material) => severalServers(material) ?? missingLeaf(material),
};
const INTERMEDIATES: NeededPart = {
  isAbsent: ({ chain }) => chain.intermediates.length === 0,
  missing: missingIntermediates,
};
const AUTHORITIES: NeededPart = {
  isAbsent: ({ authorities }) => authorities.length === 0,
  missing: missingAuthorities,
};
const KEY: NeededPart = {
  isAbsent: (material) => !hasKey(material),
  missing: (material) => severalServers(material) ?? missingKey(material),
};
const KEY_AND_LEAF: NeededPart = {
  isAbsent: KEY.isAbsent,
  missing: (material) => KEY.missing(material) ?? missingLeaf(material),
};

const KEY_LEAF_AND_AUTHORITIES: NeededPart = {
  isAbsent: (material) => KEY.isAbsent(material) || AUTHORITIES.isAbsent(material),
  missing: (material) => KEY_AND_LEAF.missing(material) ?? missingAuthorities(material),
};

/** The certificates of an output's file, in its order; the key and the encoding are traits of {@link OUTPUTS}. */
interface OutputContents extends NeededPart {
  /** {@link writeOutput} writes an empty file if the needed part is absent. */
  readonly mayBeEmpty?: boolean;
  certificates(material: CertificateMaterial): readonly X509Certificate[];
}

const leafAndIntermediates = (material: CertificateMaterial) => [...leafOf(material), ...material.chain.intermediates];

const CONTENTS: Readonly<Record<OutputKind, OutputContents>> = {
  certificate: { ...LEAF, certificates: leafOf },
  chain: { ...INTERMEDIATES, mayBeEmpty: true, certificates: ({ chain }) => chain.intermediates },
  fullChain: { ...LEAF, certificates: leafAndIntermediates },
  ca: { ...AUTHORITIES, certificates: ({ authorities }) => authorities },
  privateKey: { ...KEY, certificates: () => [] },
  combined: { ...KEY_AND_LEAF, certificates: leafAndIntermediates },
  pfx: { ...KEY_AND_LEAF, certificates: ({ chain }) => pathOf(chain) },
  keystore: { ...KEY_LEAF_AND_AUTHORITIES, certificates: ({ chain }) => pathOf(chain) },
  truststore: { ...AUTHORITIES, certificates: ({ authorities }) => authorities },
  der: { ...LEAF, certificates: leafOf },
};
