/**
 * Writes the secret of a certificate as PFX or PEM, in the form of Key Vault or of a seed. Vaults and seeds call it.
 */

import { type KeyObject, randomBytes, type X509Certificate } from 'node:crypto';
import { Secret } from '../../base/secret.ts';
import { PKCS12_FORMS, type Pkcs12Form, writePkcs12 } from '../../pki/pkcs12-write.ts';

/** Key and certificates of one version of a certificate. */
export interface StoredMaterial {
  /** Absent if only certificates were uploaded. */
  readonly key: KeyObject | undefined;
  /** From leaf to root if issued here. In the order of the upload if imported. */
  readonly chain: readonly [X509Certificate, ...X509Certificate[]];
  readonly leaf: X509Certificate;
}

/** Content types of the secret of a certificate. */
export const PFX = 'application/x-pkcs12';
export const PEM = 'application/x-pem-file';
export type CertificateContentType = typeof PFX | typeof PEM;

/** Orders of the certificates in a secret: Key Vault's order, and the fixed ones. */
export const CERTIFICATE_ORDERS = ['keyVault', 'rootFirst', 'leafFirst'] as const;

/** The form of the secret of a certificate. The PFX members do not affect PEM. */
export interface SecretForm {
  readonly order: (typeof CERTIFICATE_ORDERS)[number];
  /** If false, the private key is omitted, as for a key that cannot be exported. */
  readonly withKey: boolean;
  readonly pfx: PfxForm;
}

/** The protection of a PFX. */
export type PfxForm = Omit<Pkcs12Form, 'seed'>;

/** Key Vault's form: null password, SHA-1 MAC, 3DES key, RC2-40 certificates. */
export const KEY_VAULT_FORM: SecretForm = {
  order: 'keyVault',
  withKey: true,
  pfx: { ...PKCS12_FORMS.keyVault, password: null },
};

/** The parts of a chain that can be written to a PEM text. */
export const PEM_PARTS = ['key', 'leaf', 'intermediates', 'root'] as const;
export type PemPart = (typeof PEM_PARTS)[number];

/** Returns the value of the secret: base64 of a PFX, or PEM with the PKCS#8 key first. */
export async function secretValue(
  material: StoredMaterial,
  options: { contentType: CertificateContentType; form: SecretForm; imported: boolean },
): Promise<Secret> {
  const { contentType, form, imported } = options;
  const certificates = ordered(material, options);
  const key = form.withKey ? material.key : undefined;
  if (contentType === PEM) return new Secret(pemText(key, certificates));
  const pfx = await writePkcs12(
    { ...(key === undefined ? {} : { key }), certificates, ...(imported ? {} : { friendlyName: 'certificate' }) },
    { ...form.pfx, seed: randomBytes(32) },
  );
  return new Secret(pfx.toString('base64'));
}

/** Returns the PEM text of the given parts, in the given order. Self-signed certificates are roots. */
export function pemParts(material: StoredMaterial, parts: readonly PemPart[]): Secret {
  const issuers = material.chain.filter((certificate) => certificate !== material.leaf);
  const blocks: Readonly<Record<PemPart, () => string>> = {
    key: () => pemText(material.key, []),
    leaf: () => pemText(undefined, [material.leaf]),
    intermediates: () =>
      pemText(
        undefined,
        issuers.filter((certificate) => !isRoot(certificate)),
      ),
    root: () => pemText(undefined, issuers.filter(isRoot)),
  };
  return new Secret(parts.map((part) => blocks[part]()).join(''));
}

/** Returns PEM: the key as PKCS#8, then the certificates. */
export function pemText(key: KeyObject | undefined, certificates: readonly X509Certificate[]): string {
  const keyPem = key === undefined ? '' : key.export({ type: 'pkcs8', format: 'pem' });
  return `${keyPem}${certificates.map(String).join('')}`;
}

/**
 * Returns the certificates in Key Vault's order. Key Vault writes an issued chain from leaf to root in PEM and from
 * root to leaf in PFX, and keeps the order of an upload.
 */
function ordered(
  material: StoredMaterial,
  options: { contentType: CertificateContentType; form: SecretForm; imported: boolean },
): readonly X509Certificate[] {
  const { order } = options.form;
  const reverse = order === 'rootFirst' || (order === 'keyVault' && !options.imported && options.contentType !== PEM);
  return reverse ? material.chain.toReversed() : material.chain;
}

function isRoot(certificate: X509Certificate): boolean {
  return certificate.checkIssued(certificate);
}
