/**
 * Names public keys by their DER and imports them for verification. Readers of certificates, the search for issuers and
 * the emulator call it. It refuses a key whose numbers cannot belong to its kind (Node 20 and 22 end the process over
 * such a key) and a key that is slow to verify with.
 */

import { createPublicKey, type KeyObject, X509Certificate } from 'node:crypto';
import { badContent, refusing } from './bad-content.ts';
import { curveOf, significant } from './curves.ts';
import { type Der, expect, octets, oid, readDer, sequence, TAG } from './der.ts';
import { CERTIFICATE_LABELS, readPem } from './pem.ts';

/** Object identifiers of kinds of keys. */
export const KEY_OID = {
  rsa: '1.2.840.113549.1.1.1',
  rsaPss: '1.2.840.113549.1.1.10',
  ec: '1.2.840.10045.2.1',
  dsa: '1.2.840.10040.4.1',
  x25519: '1.3.101.110',
  x448: '1.3.101.111',
  ed25519: '1.3.101.112',
  ed448: '1.3.101.113',
} as const;

const KIND_NAMES: Readonly<Record<string, string>> = {
  [KEY_OID.rsa]: 'RSA',
  [KEY_OID.rsaPss]: 'RSA-PSS',
  [KEY_OID.ec]: 'EC',
  [KEY_OID.dsa]: 'DSA',
  [KEY_OID.x25519]: 'X25519',
  [KEY_OID.x448]: 'X448',
  [KEY_OID.ed25519]: 'Ed25519',
  [KEY_OID.ed448]: 'Ed448',
};
const CURVE_NAMES: Readonly<Record<string, string>> = { prime256v1: 'P-256', secp384r1: 'P-384', secp521r1: 'P-521' };

/** The bytes of keys of a fixed size, public and private. */
export const FIXED_SIZES: Readonly<Record<string, number>> = {
  [KEY_OID.x25519]: 32,
  [KEY_OID.x448]: 56,
  [KEY_OID.ed25519]: 32,
  [KEY_OID.ed448]: 57,
};

/** The limits of keys; with the maximum of OpenSSL, one signature takes ten to twenty milliseconds. */
const MAX_DSA_BITS = 3072;
const MAX_RSA_BITS = 16_384;
const MAX_RSA_EXPONENT_BITS = 64;

const UNREADABLE = 'has a public key of a kind unknown here, or a damaged one';
const UNSOUND = 'has a public key with numbers that its kind does not allow: it is damaged';

/** The kind and size of a private key: `RSA 2048`, `EC P-256`, `Ed25519`. */
export function describeKey(key: KeyObject): string {
  const [, algorithm, secret] = sequence(readDer(key.export({ format: 'der', type: 'pkcs8' })));
  return nameOf(algorithm, () => sequence(readDer(octets(secret)))[1]);
}

/** The kind and size of the key of a certificate, such as `RSA 2048`; `unknown` if its DER does not give it. */
export function publicKeyNameOf(certificate: X509Certificate): string {
  try {
    const [algorithm, key] = sequence(keyInfoOf(certificate));
    return nameOf(algorithm, () => sequence(readDer(bitsOf(key)))[0]);
  } catch {
    return 'unknown';
  }
}

function nameOf(algorithm: Der | undefined, modulus: () => Der | undefined): string {
  const [identifier, parameters] = sequence(algorithm);
  const kind = oid(identifier);
  const name = KIND_NAMES[kind] ?? 'unknown';
  switch (kind) {
    case KEY_OID.rsa:
    case KEY_OID.rsaPss:
      return `${name} ${bitLength(modulus())}`;
    case KEY_OID.dsa:
      return parameters?.tag === TAG.sequence ? `${name} ${bitLength(sequence(parameters)[0])}` : name;
    case KEY_OID.ec: {
      const curve = curveOf(parameters)?.name ?? 'without a name';
      return `${name} ${CURVE_NAMES[curve] ?? curve}`;
    }
    default:
      return name;
  }
}

/** The key of a certificate, for verification. Throws: ERR_BAD_CONTENT if it is not a key or is slow. */
export function publicKeyOf(certificate: X509Certificate): KeyObject {
  return refusing(UNREADABLE, () => {
    checkKeyInfo(keyInfoOf(certificate));
    return certificate.publicKey;
  });
}

/** The first key of a PEM text: PUBLIC KEY, RSA PUBLIC KEY or CERTIFICATE. Throws: ERR_BAD_CONTENT. */
export function publicKeyFromPem(text: string): KeyObject {
  const { label = '', der: key = Buffer.alloc(0) } = readPem(text)[0] ?? {};
  return refusing(UNREADABLE, () => {
    if (CERTIFICATE_LABELS.includes(label)) return publicKeyOf(new X509Certificate(key));
    if (label === 'RSA PUBLIC KEY' && isRsa(sequence(readDer(key)))) {
      return createPublicKey({ key, format: 'der', type: 'pkcs1' });
    }
    if (label !== 'PUBLIC KEY') throw badContent('holds no public key');
    checkKeyInfo(readDer(key));
    return createPublicKey({ key, format: 'der', type: 'spki' });
  });
}

/** The SubjectPublicKeyInfo of a certificate: the sixth element after the optional version. */
function keyInfoOf(certificate: X509Certificate): Der {
  const [tbs] = sequence(readDer(certificate.raw));
  const fields = sequence(tbs);
  return expect(fields[fields[0]?.tag === TAG.context(0) ? 6 : 5], TAG.sequence);
}

/** Refuses a SubjectPublicKeyInfo that OpenSSL must not read. Unknown kinds are left to OpenSSL. */
function checkKeyInfo(info: Der): void {
  const [algorithm, key] = sequence(info);
  const [identifier, parameters] = sequence(algorithm);
  const kind = oid(identifier);
  if (KIND_NAMES[kind] !== undefined && !isSound(kind, parameters, bitsOf(key))) {
    throw badContent(UNSOUND);
  }
}

function isSound(kind: string, parameters: Der | undefined, key: Buffer): boolean {
  switch (kind) {
    case KEY_OID.rsa:
    case KEY_OID.rsaPss:
      return isRsa(sequence(readDer(key)));
    case KEY_OID.ec:
      return isPoint(key, curveOf(parameters)?.bytes ?? 0);
    case KEY_OID.dsa:
      return isDsa(sequence(parameters), readDer(key));
    default:
      return key.length === FIXED_SIZES[kind];
  }
}

function isRsa([n, e]: readonly Der[]): boolean {
  const bits = bitLength(n);
  const exponentBits = bitLength(e);
  return isOdd(n) && bits <= MAX_RSA_BITS && isOdd(e) && exponentBits > 1 && exponentBits <= MAX_RSA_EXPONENT_BITS;
}

/** True for a point in one of the two forms of certificates (RFC 5480); the point at infinity is `00`. */
function isPoint(point: Buffer, size: number): boolean {
  if (size === 0) return false;
  return point[0] === 4
    ? point.length === 1 + 2 * size
    : (point[0] === 2 || point[0] === 3) && point.length === 1 + size;
}

function isDsa([p, q, g]: readonly Der[], y: Der): boolean {
  const bits = bitLength(p);
  const inside = [q, g, y].every((number) => bitLength(number) > 0 && bitLength(number) <= bits);
  return isOdd(p) && isOdd(q) && bits <= MAX_DSA_BITS && inside;
}

function isOdd(number: Der | undefined): boolean {
  return ((expect(number, TAG.integer).content.at(-1) ?? 0) & 1) === 1;
}

/** The bits of a number. OpenSSL reads all numbers as unsigned, since some writers omit the leading zero. */
function bitLength(number: Der | undefined): number {
  const bytes = significant(expect(number, TAG.integer).content);
  return bytes.length === 0 ? 0 : bytes.length * 8 - Math.clz32(bytes[0] ?? 0) + 24;
}

/** The octets of a BIT STRING of whole octets. */
function bitsOf(der: Der | undefined): Buffer {
  const { content } = expect(der, TAG.bitString);
  if (content[0] !== 0) throw badContent('is damaged: its public key has a part of an octet');
  return content.subarray(1);
}
