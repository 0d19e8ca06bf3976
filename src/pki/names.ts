/**
 * Writes the names of certificates for messages: on one line, bounded in length, printable. Findings, writers and
 * `inspect` call it.
 */

import type { X509Certificate } from 'node:crypto';
import { dayOf, validTo } from './certificate.ts';

const MAX_NAME_LENGTH = 300;
/** The limit of RFC 5280, 20 bytes in hexadecimal. */
const MAX_SERIAL_LENGTH = 40;
const MAX_NAMED = 3;

/** A distinguished name on one line, in the certificate's order: `O=Example, CN=broker`. */
export function subjectOf(certificate: X509Certificate): string {
  return oneLine(certificate.subject) || '(no subject)';
}

/** The issuer's distinguished name on one line. */
export function issuerOf(certificate: X509Certificate): string {
  return oneLine(certificate.issuer) || '(no issuer)';
}

/**
 * Subjects in quotes. Equal subjects, also those of `besides`, get serial number and validity. The list has the first
 * few and the number of the others.
 */
export function subjectsOf(certificates: readonly X509Certificate[], besides: readonly X509Certificate[] = []): string {
  const subjects = certificates.map(subjectOf);
  const all = [...subjects, ...besides.map(subjectOf)];
  const isDouble = (subject: string) => all.indexOf(subject) !== all.lastIndexOf(subject);
  const texts = certificates.slice(0, MAX_NAMED).map((certificate, i) => {
    const subject = subjects[i] ?? '';
    if (!isDouble(subject)) return `"${subject}"`;
    const serial = certificate.serialNumber.slice(0, MAX_SERIAL_LENGTH);
    return `"${subject}" (serial number ${serial}, valid to ${dayOf(validTo(certificate))})`;
  });
  const more = certificates.length - texts.length;
  const last = more > 0 ? `${more} more` : texts.pop();
  return texts.length === 0 ? (last ?? '') : `${texts.join(', ')} and ${last}`;
}

/** The last common name of the subject, if it has one. */
export function commonNameOf(certificate: X509Certificate): string | undefined {
  const names = (certificate.subject ?? '').split('\n').filter((part) => part.startsWith('CN='));
  return (
    names
      .at(-1)
      ?.slice('CN='.length, MAX_NAME_LENGTH)
      .replace(/\p{Cc}/gu, '?') || undefined
  );
}

/**
 * A name for messages, of bounded length and without control characters. Node gives `undefined` for an empty name,
 * against its types.
 */
function oneLine(name: string | undefined): string {
  const line = (name ?? '')
    .split('\n')
    .join(', ')
    .replace(/\p{Cc}/gu, '?');
  return line.length > MAX_NAME_LENGTH ? `${line.slice(0, MAX_NAME_LENGTH)}…` : line;
}
