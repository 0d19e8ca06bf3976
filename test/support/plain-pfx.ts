/**
 * Writes PKCS#12 files with several keys, which the product does not write.
 */
import type { KeyObject, X509Certificate } from 'node:crypto';
import {
  type Asn1,
  encode,
  explicit,
  integer,
  objectIdentifier,
  octetString,
  parsed,
  sequenceOf,
} from '../../src/pki/der-write.ts';
import { OID } from '../../src/pki/pkcs12-oids.ts';

/**
 * Returns PKCS#12 without encryption and MAC, with any number of keys, as a Java keystore with several entries has
 * them.
 */
export function plainPfx(keys: readonly KeyObject[], certificates: readonly X509Certificate[]): Buffer {
  const keyBags = keys.map((key) => bag(OID.keyBag, parsed(key.export({ format: 'der', type: 'pkcs8' }))));
  const certificateBags = certificates.map(({ raw }) =>
    bag(OID.certificateBag, sequenceOf(objectIdentifier(OID.x509Certificate), explicit(0, octetString(raw)))),
  );
  const contents = data(encode(sequenceOf(...keyBags, ...certificateBags)));
  return encode(sequenceOf(integer(3), data(encode(sequenceOf(contents)))));
}

function bag(kind: string, value: Asn1): Asn1 {
  return sequenceOf(objectIdentifier(kind), explicit(0, value));
}

function data(bytes: Buffer): Asn1 {
  return sequenceOf(objectIdentifier(OID.data), explicit(0, octetString(bytes)));
}
