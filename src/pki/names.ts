import type { X509Certificate } from 'node:crypto';

const MAX_NAME_LENGTH = 300;

/** A distinguished name on one line, in the certificate's order: `O=Example, CN=broker`. */
export function subjectOf(certificate: X509Certificate): string {
  return oneLine(certificate.subject) || '(no subject)';
}

/** The issuer's distinguished name on one line. */
export function issuerOf(certificate: X509Certificate): string {
  return oneLine(certificate.issuer) || '(no issuer)';
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
