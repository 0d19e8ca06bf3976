/**
 * Reads facts of a certificate that Node does not give, or gives as text: dates, signature algorithm, key usage.
 * The search for issuers, the findings and `inspect` call it. It refuses nothing: damaged parts count as absent.
 */

import type { X509Certificate } from 'node:crypto';
import { type Der, expect, octets, oid, readDer, sequence, TAG } from './der.ts';
import { OID } from './pkcs12-oids.ts';

/** Start of validity, in milliseconds since 1970; NaN if the certificate holds no date. */
export function validFrom(certificate: X509Certificate): number {
  return Date.parse(certificate.validFrom);
}

/** End of validity, in milliseconds since 1970; NaN if the certificate holds no date. */
export function validTo(certificate: X509Certificate): number {
  return Date.parse(certificate.validTo);
}

/** A day for messages, such as `2026-11-23`. */
export function dayOf(milliseconds: number): string {
  return Number.isFinite(milliseconds) ? new Date(milliseconds).toISOString().slice(0, 10) : 'an unreadable date';
}

/** A digest with known collisions. */
export type WeakDigest = 'SHA-1' | 'MD5' | 'MD2';

/** The signature algorithm of a certificate: its usual name, or its identifier if it is unknown. */
export interface SignatureAlgorithm {
  readonly name: string;
  readonly weak?: WeakDigest;
}

const SIGNATURES: Readonly<Record<string, SignatureAlgorithm>> = {
  '1.2.840.113549.1.1.2': { name: 'RSA with MD2', weak: 'MD2' },
  '1.2.840.113549.1.1.4': { name: 'RSA with MD5', weak: 'MD5' },
  '1.2.840.113549.1.1.5': { name: 'RSA with SHA-1', weak: 'SHA-1' },
  '1.3.14.3.2.29': { name: 'RSA with SHA-1', weak: 'SHA-1' },
  '1.2.840.113549.1.1.14': { name: 'RSA with SHA-224' },
  '1.2.840.113549.1.1.11': { name: 'RSA with SHA-256' },
  '1.2.840.113549.1.1.12': { name: 'RSA with SHA-384' },
  '1.2.840.113549.1.1.13': { name: 'RSA with SHA-512' },
  '1.2.840.10045.4.1': { name: 'ECDSA with SHA-1', weak: 'SHA-1' },
  '1.2.840.10045.4.3.1': { name: 'ECDSA with SHA-224' },
  '1.2.840.10045.4.3.2': { name: 'ECDSA with SHA-256' },
  '1.2.840.10045.4.3.3': { name: 'ECDSA with SHA-384' },
  '1.2.840.10045.4.3.4': { name: 'ECDSA with SHA-512' },
  '1.2.840.10040.4.3': { name: 'DSA with SHA-1', weak: 'SHA-1' },
  '2.16.840.1.101.3.4.3.2': { name: 'DSA with SHA-256' },
  '1.3.101.112': { name: 'Ed25519' },
  '1.3.101.113': { name: 'Ed448' },
};
const RSA_PSS = '1.2.840.113549.1.1.10';

/** The algorithm of the issuer's signature; Node does not give it. */
export function signatureAlgorithmOf(certificate: X509Certificate): SignatureAlgorithm {
  try {
    const [, algorithm] = sequence(readDer(certificate.raw));
    const [identifier, parameters] = sequence(algorithm);
    const name = oid(identifier);
    return name === RSA_PSS ? pssAlgorithm(parameters) : (SIGNATURES[name] ?? { name });
  } catch {
    return { name: 'unknown' };
  }
}

/** RSA-PSS names its digest in its parameters; without one it is SHA-1 (RFC 4055 section 3.1). */
function pssAlgorithm(parameters: Der | undefined): SignatureAlgorithm {
  const hash = parameters && sequence(parameters).find(({ tag }) => tag === TAG.context(0));
  const name = hash === undefined ? OID.digests.sha1 : oid(sequence(readDer(hash.content))[0]);
  if (name === OID.digests.sha1) return { name: 'RSA-PSS with SHA-1', weak: 'SHA-1' };
  const digest = Object.entries(OID.digests).find(([, known]) => known === name)?.[0];
  return { name: `RSA-PSS with ${digest?.replace(/^sha(?!3-)/, 'sha-').toUpperCase() ?? name}` };
}

/** Subject alternative names as Node writes them, such as `DNS:broker.example`. Damaged ones become null. */
export function alternativeNamesOf(certificate: X509Certificate): readonly string[] {
  const text: string | null | undefined = certificate.subjectAltName;
  return text === undefined || text === null || text === '' ? [] : text.split(/, (?=[A-Za-z ]+:)/);
}

const KEY_USAGE = '2.5.29.15';
const KEY_CERT_SIGN = 0x04;

/** True if the key usage allows the certificate to issue others; Node does not give it. */
export function issuesCertificates(certificate: X509Certificate): boolean {
  try {
    const [tbs] = sequence(readDer(certificate.raw));
    const wrapped = sequence(tbs).find(({ tag }) => tag === TAG.context(3));
    const extensions = wrapped === undefined ? [] : sequence(readDer(wrapped.content)).map(sequence);
    const usage = extensions.find(([identifier]) => oid(identifier) === KEY_USAGE);
    const bits = expect(readDer(octets(usage?.at(-1))), TAG.bitString).content;
    return ((bits[1] ?? 0) & KEY_CERT_SIGN) !== 0;
  } catch {
    return false;
  }
}
