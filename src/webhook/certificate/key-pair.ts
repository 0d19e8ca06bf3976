/**
 * The certificate that the webhook serves with, and what is read of it. Made by `issue.ts` or read by `files.ts`; the
 * server and the metrics use it.
 */

import { X509Certificate } from 'node:crypto';
import { validFrom, validTo } from '../../pki/certificate.ts';

/** A certificate with its private key. */
export interface KeyPair {
  /** PEM: the certificate of the server first, then its intermediates. */
  readonly certificate: string;
  /** PEM of the private key. */
  readonly key: string;
  readonly period: Period;
}

/** The time in which a certificate is valid, in milliseconds since 1970. */
export interface Period {
  readonly notBefore: number;
  readonly notAfter: number;
}

/** Returns the period of the first certificate of a PEM text. Throws: an `Error` of Node if there is none. */
export function periodOf(pem: string): Period {
  const certificate = new X509Certificate(pem);
  return { notBefore: validFrom(certificate), notAfter: validTo(certificate) };
}

/** True if a certificate is valid at a time. */
export function isValidAt({ notBefore, notAfter }: Period, time: number): boolean {
  return notBefore <= time && time < notAfter;
}
