/**
 * The files that a certificate can be written as, with the traits that parameters, warnings and writers ask for.
 * `spc/` checks manifests against this table, `pki/write.ts` has one writer for each of its rows. Imports nothing.
 */

/** The traits of one kind of file, and the settings that it takes. */
export interface OutputTraits {
  readonly encoding: 'pem' | 'pkcs12' | 'der';
  /** The file holds the private key. */
  readonly holdsKey: boolean;
  /** The file holds at least one certificate. */
  readonly holdsCertificates: boolean;
  /** A {@link KeyFormat} can be chosen. */
  readonly takesKeyFormat: boolean;
  /** A password can be chosen. */
  readonly takesPassword: boolean;
  /** A {@link Pkcs12Profile} can be chosen. */
  readonly takesProfile: boolean;
  /** The roots are trusted entries in it, in Java's way. */
  readonly trustsRoots: boolean;
  /** The file may be declared optional, since a valid certificate may lack its contents. */
  readonly mayBeOptional: boolean;
}

/** A PEM file of certificates; the rows of the table name what differs. */
const CERTIFICATES_PEM: OutputTraits = {
  encoding: 'pem',
  holdsKey: false,
  holdsCertificates: true,
  takesKeyFormat: false,
  takesPassword: false,
  takesProfile: false,
  trustsRoots: false,
  mayBeOptional: false,
};
const KEY_PEM: OutputTraits = { ...CERTIFICATES_PEM, holdsKey: true, takesKeyFormat: true };
const PKCS12: OutputTraits = { ...CERTIFICATES_PEM, encoding: 'pkcs12', takesPassword: true };

/** Each kind of file by its name in a manifest, in the order in which files are written and listed. */
export const OUTPUTS = {
  certificate: CERTIFICATES_PEM,
  chain: { ...CERTIFICATES_PEM, mayBeOptional: true },
  fullChain: CERTIFICATES_PEM,
  ca: { ...CERTIFICATES_PEM, mayBeOptional: true },
  privateKey: { ...KEY_PEM, holdsCertificates: false },
  combined: KEY_PEM,
  pfx: { ...PKCS12, holdsKey: true, takesProfile: true },
  keystore: { ...PKCS12, holdsKey: true, takesProfile: true, trustsRoots: true },
  truststore: { ...PKCS12, trustsRoots: true },
  der: { ...CERTIFICATES_PEM, encoding: 'der' },
} as const satisfies Readonly<Record<string, OutputTraits>>;

/** A kind of file that a certificate can be written as: a row of {@link OUTPUTS}. */
export type OutputKind = keyof typeof OUTPUTS;

/** The kinds of {@link OUTPUTS}, in its order. */
export const OUTPUT_KINDS = Object.keys(OUTPUTS) as readonly OutputKind[];

/** The formats of a private key: PKCS#8 (`PRIVATE KEY`), PKCS#1 (`RSA PRIVATE KEY`), SEC 1 (`EC PRIVATE KEY`). */
export const KEY_FORMATS = ['pkcs8', 'pkcs1', 'sec1'] as const;

/** One of {@link KEY_FORMATS}. */
export type KeyFormat = (typeof KEY_FORMATS)[number];

/** The ciphers of a written PKCS#12 file: `legacy` is 3DES and SHA-1, for readers that know nothing newer. */
export const PKCS12_PROFILES = ['modern', 'legacy'] as const;

/** One of {@link PKCS12_PROFILES}. */
export type Pkcs12Profile = (typeof PKCS12_PROFILES)[number];

/** The traits of a kind. */
export function traitsOf(kind: OutputKind): OutputTraits {
  return OUTPUTS[kind];
}

/** The kinds that have a trait, in the order of {@link OUTPUTS}. */
export function outputsThat(trait: Exclude<keyof OutputTraits, 'encoding'>): readonly OutputKind[] {
  return OUTPUT_KINDS.filter((kind) => traitsOf(kind)[trait]);
}
