/**
 * Issues the certificate of the server from the webhook's own authority. Called by `keeper.ts` at the start and for each
 * renewal. The private key is made here and never leaves the process. Refuses an authority whose certificate and key do
 * not belong together.
 */

import 'reflect-metadata';
import { type KeyObject, randomBytes, webcrypto, X509Certificate } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { importPrivateKey } from '../../pki/keys.ts';
import { readPem, writePem } from '../../pki/pem.ts';
import type { KeyPair, Period } from './key-pair.ts';

/** The authority of the webhook, which its configurations trust. */
export interface Authority {
  /** PEM of the certificate. */
  readonly certificate: string;
  /** PEM of the private key: PKCS#1, PKCS#8 or SEC 1. */
  readonly key: string;
  readonly period: Period;
}

/** How long an issued certificate is valid. The keeper renews it after two thirds. */
const LIFETIME_MS = 7 * 24 * 60 * 60 * 1000;
/** The clock of an API server may be late by this time. */
const CLOCK_SKEW_MS = 60 * 60 * 1000;

const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
const SUBJECT_KEY_ID = '2.5.29.14';
const KEY_ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256' } as const;

/**
 * Issues a certificate for DNS names with a new key. It is not valid longer than the authority.
 * Throws: an `Error` that names the file and the remedy; ERR_BAD_CONTENT.
 */
export async function issueKeyPair(authority: Authority, dnsNames: readonly string[], now: number): Promise<KeyPair> {
  const issuer = new x509.X509Certificate(authority.certificate);
  const issuerKey = readKey(authority);
  const period = periodWithin(authority.period, now);
  const keys = await webcrypto.subtle.generateKey(KEY_ALGORITHM, true, ['sign', 'verify']);
  const algorithm = signatureOf(issuerKey);
  const issuerId = issuer.getExtension<x509.SubjectKeyIdentifierExtension>(SUBJECT_KEY_ID)?.keyId;
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    // A common name has at most 64 characters; clients read the alternative names.
    subject: 'CN=akv-csi-webhook',
    issuer: issuer.subjectName,
    notBefore: new Date(period.notBefore),
    notAfter: new Date(period.notAfter),
    publicKey: keys.publicKey,
    signingKey: await webcrypto.subtle.importKey('pkcs8', pkcs8(issuerKey), algorithm, false, ['sign']),
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([SERVER_AUTH]),
      new x509.SubjectAlternativeNameExtension(dnsNames.map((value) => ({ type: 'dns', value }))),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      ...(issuerId === undefined ? [] : [new x509.AuthorityKeyIdentifierExtension(issuerId)]),
    ],
  });
  const exported = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
  return {
    certificate: writePem('CERTIFICATE', Buffer.from(certificate.rawData)),
    key: writePem('PRIVATE KEY', Buffer.from(exported)),
    period,
  };
}

/** The period of a certificate that is made now. X.509 has whole seconds. */
function periodWithin(issuer: Period, now: number): Period {
  const second = Math.floor(now / 1000) * 1000;
  return {
    notBefore: Math.max(issuer.notBefore, second - CLOCK_SKEW_MS),
    notAfter: Math.min(issuer.notAfter, second + LIFETIME_MS),
  };
}

function readKey({ certificate, key: pem }: Authority): KeyObject {
  const block = readPem(pem).find(({ label }) => label.endsWith('PRIVATE KEY'));
  if (block === undefined) throw new Error('ca.key holds no private key in PEM; mount the Secret of the chart there');
  const key = importPrivateKey(block.der);
  if (!new X509Certificate(certificate).checkPrivateKey(key))
    throw new Error('ca.crt and ca.key do not belong together; take both from one Secret');
  return key;
}

function pkcs8(key: KeyObject): Buffer {
  return key.export({ type: 'pkcs8', format: 'der' });
}

function signatureOf(key: KeyObject): { name: string; hash: string; namedCurve?: string } {
  if (key.asymmetricKeyType === 'rsa') return { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
  const namedCurve = key.export({ format: 'jwk' }).crv ?? '';
  return { name: 'ECDSA', namedCurve, hash: namedCurve === 'P-384' ? 'SHA-384' : 'SHA-256' };
}

/** Returns a positive serial number of constant length. */
function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes.writeUInt8((bytes.readUInt8(0) & 0x3f) | 0x40, 0);
  return bytes.toString('hex');
}
