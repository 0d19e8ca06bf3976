/**
 * Signs certificates and certificate requests. Certificates and the host of the emulator call it. Refuses subjects that
 * are not distinguished names and keys that cannot sign a certificate.
 */

import 'reflect-metadata';
import { createHash, createPublicKey, type KeyObject, randomBytes, webcrypto, X509Certificate } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { publicJwk } from './key-material.ts';

/** Subject alternative names of a certificate. */
export interface AlternativeNames {
  readonly dns: readonly string[];
  readonly ip: readonly string[];
  readonly email: readonly string[];
}

/** The parameters of a certificate. */
export interface CertificateRequest {
  /** A distinguished name such as `CN=bridge, O=Example`. A single word is the common name. */
  readonly subject: string;
  /** The subject's private key. */
  readonly key: KeyObject;
  /** The issuer that signs; absent for a self-signed certificate. */
  readonly issuer?: { readonly certificate: X509Certificate; readonly key: KeyObject };
  /** Milliseconds since 1970. */
  readonly notBefore: number;
  readonly notAfter: number;
  readonly authority: boolean;
  readonly names: AlternativeNames;
  /** Extended key usages as OIDs; ignored for authorities. */
  readonly ekus: readonly string[];
}

interface Signature {
  readonly name: 'RSASSA-PKCS1-v1_5' | 'ECDSA';
  readonly hash: string;
  readonly namedCurve?: string;
}

const EC_SIGNATURES: Readonly<Record<string, Signature>> = {
  'P-256': { name: 'ECDSA', hash: 'SHA-256', namedCurve: 'P-256' },
  'P-384': { name: 'ECDSA', hash: 'SHA-384', namedCurve: 'P-384' },
  'P-521': { name: 'ECDSA', hash: 'SHA-512', namedCurve: 'P-521' },
};
const RSA_SIGNATURE: Signature = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };

/** Server authentication and client authentication. */
export const DEFAULT_EKUS = ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'] as const;

/** No alternative names. */
export const NO_NAMES: AlternativeNames = { dns: [], ip: [], email: [] };

/** Returns true if certificates can be made for this key: RSA, P-256, P-384 and P-521. */
export function canCertify(key: KeyObject): boolean {
  return signatureOf(key) !== undefined;
}

/** Signs a certificate. Throws on a subject that is not a distinguished name. */
export async function issueCertificate(request: CertificateRequest): Promise<X509Certificate> {
  const signer = request.issuer?.key ?? request.key;
  const issuer = request.issuer && new x509.X509Certificate(request.issuer.certificate.raw);
  const subject = distinguishedName(request.subject);
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject,
    issuer: issuer?.subjectName ?? subject,
    notBefore: new Date(request.notBefore),
    notAfter: new Date(request.notAfter),
    publicKey: spki(request.key),
    signingKey: await cryptoKey(signer),
    signingAlgorithm: requireSignature(signer),
    extensions: extensions(request, signer),
  });
  return new X509Certificate(Buffer.from(certificate.rawData));
}

/** Returns a PKCS#10 certificate signing request in DER. */
export async function signingRequest(subject: string, key: KeyObject): Promise<Buffer> {
  const publicKey = await webcrypto.subtle.importKey('spki', spki(key), requireSignature(key), true, ['verify']);
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: distinguishedName(subject),
    signingAlgorithm: requireSignature(key),
    keys: { privateKey: await cryptoKey(key), publicKey },
  });
  return Buffer.from(request.rawData);
}

/** Returns true if the text is a valid subject of a certificate. */
export function isSubject(subject: string): boolean {
  try {
    return new x509.Name(distinguishedName(subject)).toJSON().length > 0;
  } catch {
    return false;
  }
}

function extensions(request: CertificateRequest, signer: KeyObject): x509.Extension[] {
  const { dns, ip, email } = request.names;
  const names = [
    ...dns.map((value) => ({ type: 'dns' as const, value })),
    ...ip.map((value) => ({ type: 'ip' as const, value })),
    ...email.map((value) => ({ type: 'email' as const, value })),
  ];
  return [
    new x509.BasicConstraintsExtension(request.authority, undefined, true),
    new x509.KeyUsagesExtension(keyUsage(request), true),
    ...(request.authority || request.ekus.length === 0 ? [] : [new x509.ExtendedKeyUsageExtension([...request.ekus])]),
    ...(names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(names)]),
    new x509.SubjectKeyIdentifierExtension(keyIdentifier(request.key)),
    new x509.AuthorityKeyIdentifierExtension(keyIdentifier(signer)),
  ];
}

function keyUsage(request: CertificateRequest): number {
  if (request.authority) return x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign;
  const rsa = request.key.asymmetricKeyType === 'rsa';
  return x509.KeyUsageFlags.digitalSignature | (rsa ? x509.KeyUsageFlags.keyEncipherment : 0);
}

/** Returns the same identifier for a key as subject and as issuer, so that issuers can be found by it. */
function keyIdentifier(key: KeyObject): string {
  return createHash('sha1').update(spki(key)).digest('hex');
}

function distinguishedName(subject: string): string {
  return subject.includes('=') ? subject : `CN=${subject}`;
}

/** Returns a positive serial number of constant length. */
function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes.writeUInt8((bytes.readUInt8(0) & 0x3f) | 0x40, 0);
  return bytes.toString('hex');
}

function spki(key: KeyObject): Buffer {
  return createPublicKey(key).export({ type: 'spki', format: 'der' });
}

function cryptoKey(key: KeyObject): Promise<webcrypto.CryptoKey> {
  const pkcs8 = key.export({ type: 'pkcs8', format: 'der' });
  return webcrypto.subtle.importKey('pkcs8', pkcs8, requireSignature(key), true, ['sign']);
}

function signatureOf(key: KeyObject): Signature | undefined {
  return key.asymmetricKeyType === 'rsa' ? RSA_SIGNATURE : EC_SIGNATURES[publicJwk(key).crv ?? ''];
}

function requireSignature(key: KeyObject): Signature {
  const signature = signatureOf(key);
  if (signature === undefined) throw new Error(`no certificates for keys of type ${key.asymmetricKeyType}`);
  return signature;
}
