/**
 * Writes the names of certificates for messages: on one line, bounded in length, printable. Findings, writers and
 * `inspect` call it.
 */

import type { X509Certificate } from 'node:crypto';
import { dayOf, validTo } from './certificate.ts';

const MAX_NAME_LENGTH = 300;
/** What RFC 5280 allows, 20 bytes in hexadecimal. */
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
 * Subjects in quotes, told apart by serial number and validity where two are the same, or where one of `besides` has
 * it too; the first few, then how many more.
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

/** The subject's last common name, if it has one. */
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
 * Node leaves an empty name undefined, whatever its types say. What goes into messages has a bounded length and no
 * control characters.
 */
function oneLine(name: string | undefined): string {
  const line = (name ?? '')
    .split('\n')
    .join(', ')
    .replace(/\p{Cc}/gu, '?');
  return line.length > MAX_NAME_LENGTH ? `${line.slice(0, MAX_NAME_LENGTH)}…` : line;
}
