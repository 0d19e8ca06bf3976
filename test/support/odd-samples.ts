// Keys and certificates with contradicting numbers. OpenSSL's callers in Node end the process when they use one.
import { writePem } from '../../src/pki/pem.ts';
import { type Issued, tlv, withPublicKey } from './pki.ts';

/** DER of the identifiers of an EC key and of curves. */
export const EC = '06072a8648ce3d0201';
export const P256 = '06082a8648ce3d030107';
export const P384 = '06052b81040022';
export const SM2 = '06082a811ccf5501822d';
const DSA = '06072a8648ce380401';

/** A P-384 private number on P-256, as found in practice. */
export const LONG_NUMBER = `-----BEGIN EC PRIVATE KEY-----
MEECAQEEMOJWMyjfq/aBiGBrkTJCgcHVikRWQxsJ1RCzX+zJ8wfKGCKEb6JnE3GpqBusDjV0naAK
BggqhkjOPQMBBw==
-----END EC PRIVATE KEY-----
`;

/** Encodes an EC private key of RFC 5915. `parameters` and `point` (the octets of a BIT STRING) are optional. */
export function sec1(number: string, { parameters = '', point }: { parameters?: string; point?: string } = {}): Buffer {
  const curve = parameters === '' ? '' : tlv(0xa0, parameters);
  return tlv(0x30, '020101', tlv(4, number), curve, point === undefined ? '' : tlv(0xa1, tlv(3, point)));
}

/** Encodes {@link sec1} as PKCS#8. */
export function ecKey(curve: Buffer | string, key: Buffer): Buffer {
  return tlv(0x30, '020100', tlv(0x30, EC, curve), tlv(4, key));
}

/** The private number 2 on P-256, with the point at infinity as public key. */
export const INFINITE_KEY = writePem('PRIVATE KEY', ecKey(P256, sec1('02'.padStart(64, '0'), { point: '0000' })));

/** A private number of 33 bytes on SM2, which OpenSSL can read but not write. */
export const SM2_KEY = writePem('PRIVATE KEY', ecKey(SM2, sec1('01'.repeat(33))));

/** Returns the certificate with the point at infinity as its key. */
export function infiniteCertificate({ certificate }: Issued): Buffer {
  return withPublicKey(certificate, tlv(0x30, tlv(0x30, EC, P256), tlv(3, '0000')));
}

/** Returns the certificate with a DSA key without parameters. */
export function certificateWithoutParameters({ certificate }: Issued): Buffer {
  return withPublicKey(certificate, tlv(0x30, tlv(0x30, DSA), tlv(3, '00', tlv(2, '2a'))));
}
