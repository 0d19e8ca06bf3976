/**
 * Issues certificates and authorities, and reads uploaded certificates. Vaults, seeds and the host of the emulator call
 * it. Refuses uploads without a certificate or with a key that does not match.
 */

import type { KeyObject, X509Certificate } from 'node:crypto';
import { ProviderError } from '../../base/errors.ts';
import type { Secret } from '../../base/secret.ts';
import { refusing } from '../../pki/bad-content.ts';
import { readBundle } from '../../pki/bundle.ts';
import { keyFits } from '../../pki/chain.ts';
import { publicKeyOf } from '../../pki/public-key.ts';
import { type AlternativeNames, issueCertificate, NO_NAMES } from './issue.ts';
import { generateKey, type KeySpec, keySpecOf, publicJwk } from './key-material.ts';
import type { CertificateContentType, SecretForm, StoredMaterial } from './secret-form.ts';

/** A certificate authority with its private key. */
export interface Authority {
  readonly name: string;
  readonly key: KeyObject;
  /** Its own certificate, then its issuers up to the root. */
  readonly chain: readonly [X509Certificate, ...X509Certificate[]];
}

/** The specification of a certificate. It is kept for the next version. */
export interface IssueSpec {
  /** Name of an authority, `Self`, or `Unknown` for imported certificates. */
  readonly issuer: string;
  readonly subject: string;
  readonly names: AlternativeNames;
  readonly ekus: readonly string[];
  readonly key: KeySpec;
  /** If false, the secret does not contain the private key. */
  readonly exportable: boolean;
  /** Milliseconds since 1970. */
  readonly validity: { readonly from: number; readonly to: number };
  readonly contentType: CertificateContentType;
  readonly form: SecretForm;
}

const DAY_MS = 24 * 3600 * 1000;

/** Returns a validity of about a year that began a day ago, because clocks differ. */
export function defaultValidity(now: number): IssueSpec['validity'] {
  return { from: now - DAY_MS, to: now + 365 * DAY_MS };
}

/** Makes an authority: a root, or an intermediate below `issuer`. */
export async function createAuthority(
  options: { name: string; subject: string; key: KeySpec; validity: IssueSpec['validity'] },
  issuer: Authority | undefined,
): Promise<Authority> {
  const key = await requireKey(options.key);
  const certificate = await issueCertificate({
    subject: options.subject,
    key,
    ...(issuer === undefined ? {} : { issuer: { certificate: issuer.chain[0], key: issuer.key } }),
    notBefore: options.validity.from,
    notAfter: options.validity.to,
    authority: true,
    names: NO_NAMES,
    ekus: [],
  });
  return { name: options.name, key, chain: [certificate, ...(issuer?.chain ?? [])] };
}

/** Makes the key and chain of a specification. `issuer` is its authority; absent for a self-signed certificate. */
export async function issueMaterial(spec: IssueSpec, issuer: Authority | undefined): Promise<StoredMaterial> {
  const key = await requireKey(spec.key);
  const leaf = await issueCertificate({
    subject: spec.subject,
    key,
    ...(issuer === undefined ? {} : { issuer: { certificate: issuer.chain[0], key: issuer.key } }),
    notBefore: spec.validity.from,
    notAfter: spec.validity.to,
    authority: false,
    names: spec.names,
    ekus: spec.ekus,
  });
  return { key, chain: [leaf, ...(issuer?.chain ?? [])], leaf };
}

/** Reads PEM or PFX; a PFX is bytes or base64. Throws: ERR_BAD_CONTENT. */
export async function uploadedMaterial(content: Secret, password: Secret | undefined): Promise<StoredMaterial> {
  const options = password === undefined ? {} : { password };
  const { keys, certificates } = await readBundle(Buffer.from(content.reveal(), 'utf8'), options);
  const [first, ...rest] = certificates;
  const [key] = keys;
  const leaf = key === undefined ? first : certificates.find((certificate) => keyFits(key, certificate));
  if (first === undefined) throw new ProviderError('ERR_BAD_CONTENT', 'there is no certificate in the content');
  if (leaf === undefined)
    throw new ProviderError('ERR_BAD_CONTENT', 'the private key matches none of the certificates');
  refusing('the key type of the certificate is not supported', () => publicJwk(publicKeyOf(leaf)));
  return { key, chain: [first, ...rest], leaf };
}

/**
 * Returns the specification of an imported certificate. `spec` supplies the members that the certificate does not
 * contain.
 */
export function importedSpec(spec: IssueSpec, { leaf }: StoredMaterial): IssueSpec {
  return {
    ...spec,
    issuer: 'Unknown',
    subject: leaf.subject.replaceAll('\n', ', '),
    key: keySpecOf(publicKeyOf(leaf)),
    validity: { from: Date.parse(leaf.validFrom), to: Date.parse(leaf.validTo) },
  };
}

async function requireKey(spec: KeySpec): Promise<KeyObject> {
  const key = await generateKey(spec);
  if (key === undefined) throw new Error(`a certificate needs an RSA or EC key, not ${spec.kty}`);
  return key;
}
