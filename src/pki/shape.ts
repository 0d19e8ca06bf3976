/**
 * Tells the kind of a DER element by its structure, whatever its label says. `bundle-reader.ts` calls it for each block
 * of PEM and each element of DER. It refuses nothing: a damaged element has no shape.
 */

import { type Der, oid, readDer, sequence, TAG } from './der.ts';
import { keyEncodingOf } from './keys.ts';
import { isPkcs12 } from './pkcs12-read.ts';

/** The kind of an element, by its structure. */
export type Shape =
  | 'private key'
  | 'encrypted private key'
  | 'certificate'
  | 'certificate request (CSR)'
  | 'public key'
  | 'PKCS#7 collection'
  | 'PKCS#12 file (PFX)';

/** The shape of the first element of `der`; `undefined` if it is unknown. */
export function shapeOf(der: Buffer): Shape | undefined {
  try {
    const element = readDer(der);
    return isPkcs12(element.raw) ? 'PKCS#12 file (PFX)' : shapeOfFields(sequence(element));
  } catch {
    return undefined;
  }
}

function shapeOfFields(fields: readonly Der[]): Shape | undefined {
  const [first, second, third] = fields.map(({ tag }) => tag);
  if (keyEncodingOf(fields) !== undefined) return 'private key';
  if (first === TAG.sequence && second === TAG.octetString) return 'encrypted private key';
  if (first === TAG.oid) return oid(fields[0]).startsWith('1.2.840.113549.1.7.') ? 'PKCS#7 collection' : undefined;
  if (first !== TAG.sequence) return undefined;
  if (third === TAG.bitString) return isRequest(fields[0]) ? 'certificate request (CSR)' : 'certificate';
  return second === TAG.bitString ? 'public key' : undefined;
}

/** A certificate request has the shape of a certificate, with a name in the place of the signature algorithm. */
function isRequest(info: Der | undefined): boolean {
  const [version, , , attributes] = sequence(info).map(({ tag }) => tag);
  return version === TAG.integer && (attributes === undefined || attributes === TAG.context(0));
}
