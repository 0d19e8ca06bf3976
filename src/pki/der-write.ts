/**
 * Writes DER with node-forge's ASN.1. The writer of PKCS#12 and the reader of private keys call it.
 */

import type forge from 'node-forge';
import { asn1 } from './forge.ts';

/** A structure to be written as DER. */
export type Asn1 = forge.asn1.Asn1;

const { Class, Type } = asn1;

/** Encodes a structure as DER. */
export function encode(value: Asn1): Buffer {
  return Buffer.from(asn1.toDer(value).getBytes(), 'latin1');
}

/** A SEQUENCE. */
export function sequenceOf(...items: readonly Asn1[]): Asn1 {
  return asn1.create(Class.UNIVERSAL, Type.SEQUENCE, true, [...items]);
}

/** A SET OF, sorted as DER prescribes. */
export function setOf(...items: readonly Asn1[]): Asn1 {
  const sorted = items
    .map((item) => ({ item, bytes: encode(item) }))
    .sort((a, b) => Buffer.compare(a.bytes, b.bytes))
    .map(({ item }) => item);
  return asn1.create(Class.UNIVERSAL, Type.SET, true, sorted);
}

/** `[n]`, tagged explicitly. */
export function explicit(n: number, item: Asn1): Asn1 {
  return asn1.create(Class.CONTEXT_SPECIFIC, n as forge.asn1.Type, true, [item]);
}

/** `[n] IMPLICIT OCTET STRING`. */
export function implicitOctets(n: number, bytes: Buffer): Asn1 {
  return asn1.create(Class.CONTEXT_SPECIFIC, n as forge.asn1.Type, false, bytes.toString('latin1'));
}

/** An OCTET STRING. */
export function octetString(bytes: Buffer): Asn1 {
  return asn1.create(Class.UNIVERSAL, Type.OCTETSTRING, false, bytes.toString('latin1'));
}

/** A BIT STRING of whole octets. */
export function bitString(bytes: Buffer): Asn1 {
  return asn1.create(Class.UNIVERSAL, Type.BITSTRING, false, `\0${bytes.toString('latin1')}`);
}

/** An INTEGER from 0 to 2^31-1. */
export function integer(value: number): Asn1 {
  return asn1.create(Class.UNIVERSAL, Type.INTEGER, false, asn1.integerToDer(value).getBytes());
}

/** An OBJECT IDENTIFIER from its dotted form. */
export function objectIdentifier(dotted: string): Asn1 {
  return asn1.create(Class.UNIVERSAL, Type.OID, false, asn1.oidToDer(dotted).getBytes());
}

/** A NULL. */
export function nullValue(): Asn1 {
  return asn1.create(Class.UNIVERSAL, Type.NULL, false, '');
}

/** A BMPString: two bytes a character. */
export function bmpString(text: string): Asn1 {
  return asn1.create(Class.UNIVERSAL, Type.BMPSTRING, false, text);
}

/** Existing DER, such as an exported private key. */
export function parsed(der: Buffer): Asn1 {
  return asn1.fromDer(der.toString('latin1'));
}
