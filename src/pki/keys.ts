import { createECDH, createPrivateKey, type KeyObject } from 'node:crypto';
import { badContent } from './bad-content.ts';
import { type Der, expect, octets, oid, readDer, sequence, smallInteger, TAG } from './der.ts';
import { bitString, encode, explicit, integer, octetString, parsed, sequenceOf } from './der-write.ts';

/** RSA with 16,384 bits, the most OpenSSL computes with, takes nine thousand. */
const MAX_KEY_BYTES = 16 * 1024;

/**
 * Keys that PKCS#8 may hold. Reading a DSA or Diffie-Hellman key makes OpenSSL compute its public part with the
 * numbers in it, which takes minutes if they are chosen for that: DSA keys have a fixed size of secret, and TLS never
 * takes the others.
 */
const PKCS8_KINDS: readonly string[] = [
  '1.2.840.113549.1.1.1', // RSA
  '1.2.840.113549.1.1.10', // RSA-PSS
  '1.2.840.10045.2.1', // EC
  '1.3.101.110', // X25519
  '1.3.101.111', // X448
  '1.3.101.112', // Ed25519
  '1.3.101.113', // Ed448
];
const DSA = '1.2.840.10040.4.1';
const MAX_DSA_KEY_BYTES = 1200;
const MAX_DSA_SECRET_BYTES = 33;

/** Encodings of an unencrypted private key. */
type KeyEncoding = 'pkcs8' | 'pkcs1' | 'sec1';

/** How the DER of an unencrypted private key is encoded, by its shape; `undefined` where it is none. */
export function keyEncodingOf(fields: readonly Der[]): KeyEncoding | undefined {
  const [first, second] = fields.map(({ tag }) => tag);
  if (first !== TAG.integer) return undefined;
  if (second === TAG.sequence) return 'pkcs8';
  if (second === TAG.integer) return 'pkcs1';
  return second === TAG.octetString ? 'sec1' : undefined;
}

/**
 * A private key from its DER, whatever it is called: OpenSSL too reads what it finds. Node reads one whose parts
 * contradict each other, and such a key "fits" its certificate until the first handshake: that is checked here, exactly
 * and without using the key.
 */
export function importPrivateKey(der: Buffer): KeyObject {
  checkKeySize(der);
  let key: KeyObject;
  try {
    const fields = sequence(readDer(der));
    const type = keyEncodingOf(fields) ?? fail('no private key');
    if (type === 'pkcs8') checkPkcs8Kind(der, fields);
    key = createKey(type === 'pkcs8' ? withoutPublicKey(der, fields) : der, type);
  } catch (error) {
    throw badContent('holds a private key that cannot be read: it is damaged or of a kind unknown here', error);
  }
  return soundKey(key);
}

/** Refuses a private key that no one uses: what is done with its numbers grows faster than they. */
export function checkKeySize(der: Buffer): void {
  if (der.length > MAX_KEY_BYTES) throw badContent(`holds a private key of ${der.length} bytes, too large for any use`);
}

function checkPkcs8Kind(der: Buffer, [, algorithm, secret]: readonly Der[]): void {
  const kind = oid(sequence(algorithm)[0]);
  if (PKCS8_KINDS.includes(kind)) return;
  const number = kind === DSA ? expect(readDer(octets(secret)), TAG.integer).content : der;
  if (der.length > MAX_DSA_KEY_BYTES || number.length > MAX_DSA_SECRET_BYTES) fail(`of kind ${kind}`);
}

/**
 * Bouncy Castle, ring and others put the public key behind the private one (RFC 5958, version 2 of PKCS#8), which
 * OpenSSL refuses to read.
 */
function withoutPublicKey(der: Buffer, [version, algorithm, secret]: readonly Der[]): Buffer {
  if (smallInteger(version) !== 1 || algorithm === undefined) return der;
  return encode(sequenceOf(integer(0), parsed(algorithm.raw), octetString(octets(secret))));
}

/**
 * Node takes what some earlier operation left in OpenSSL's error queue for a failure of this one (`equals` of keys of
 * two kinds leaves something). The failure empties the queue, so that a second one is real.
 */
function createKey(der: Buffer, type: KeyEncoding): KeyObject {
  const input = { key: der, format: 'der', type } as const;
  try {
    return createPrivateKey(input);
  } catch {
    return createPrivateKey(input);
  }
}

/**
 * The key itself if its private part belongs to its public part; an error otherwise. An EC key without public part,
 * as Java writes them, gets it, since Go and others refuse to read it without.
 */
function soundKey(key: KeyObject): KeyObject {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  if (type === 'ec' && details?.namedCurve === undefined) {
    throw badContent('holds an EC key on a curve without a name, which no TLS software takes; use P-256 or P-384');
  }
  try {
    if (type === 'ec') return soundEcKey(key, details?.namedCurve ?? '');
    if ((type !== 'rsa' && type !== 'rsa-pss') || isSoundRsa(key)) return key;
  } catch {
    // What cannot be taken apart is as damaged as what contradicts itself.
  }
  throw badContent('holds a damaged private key: its numbers do not belong together');
}

/** The kind and size of a key, as people write it: `RSA 2048`, `EC P-256`, `Ed25519`. */
export function describeKey(key: KeyObject): string {
  const { asymmetricKeyType: type = 'unknown', asymmetricKeyDetails: details } = key;
  const curve = details?.namedCurve ?? 'without a name';
  const size = type === 'ec' ? (CURVES[curve] ?? curve) : details?.modulusLength;
  return [KINDS[type] ?? type, size].join(' ').trim();
}

const KINDS: Readonly<Record<string, string>> = {
  rsa: 'RSA',
  'rsa-pss': 'RSA-PSS',
  ec: 'EC',
  dsa: 'DSA',
  ed25519: 'Ed25519',
  ed448: 'Ed448',
};
const CURVES: Readonly<Record<string, string>> = {
  prime256v1: 'P-256',
  secp384r1: 'P-384',
  secp521r1: 'P-521',
};

function isSoundRsa(key: KeyObject): boolean {
  const [, , wrapped] = sequence(readDer(key.export({ format: 'der', type: 'pkcs8' })));
  const fields = sequence(readDer(octets(wrapped))).slice(0, 9);
  const [version, n = 0n, e = 0n, d = 0n, p = 0n, q = 0n, dp = 0n, dq = 0n, qInverse = 0n] = fields.map(unsigned);
  const multiPrime = version !== 0n;
  if (multiPrime) return true;
  return (
    p > 1n &&
    q > 1n &&
    p * q === n &&
    (e * d) % (p - 1n) === 1n &&
    (e * d) % (q - 1n) === 1n &&
    (e * dp) % (p - 1n) === 1n &&
    (e * dq) % (q - 1n) === 1n &&
    (q * qInverse) % p === 1n
  );
}

/** Computes the public point from the private number and compares it with the one that is there. */
function soundEcKey(key: KeyObject, curve: string): KeyObject {
  const fields = sequence(readDer(key.export({ format: 'der', type: 'sec1' })));
  const secret = octets(fields[1]);
  const ecdh = createECDH(curve);
  ecdh.setPrivateKey(secret);
  const point = fields.find(({ tag }) => tag === TAG.context(1));
  if (point === undefined) {
    const parameters = expect(
      fields.find(({ tag }) => tag === TAG.context(0)),
      TAG.context(0),
    );
    const der = encode(
      sequenceOf(
        integer(1),
        octetString(secret),
        explicit(0, parsed(parameters.content)),
        explicit(1, bitString(ecdh.getPublicKey())),
      ),
    );
    return createPrivateKey({ key: der, format: 'der', type: 'sec1' });
  }
  const published = expect(readDer(point.content), TAG.bitString).content.subarray(1);
  const computed = ecdh.getPublicKey(null, published[0] === 4 ? 'uncompressed' : 'compressed');
  if (!computed.equals(published)) throw new Error('the public point is another');
  return key;
}

function fail(why: string): never {
  throw new Error(why);
}

function unsigned(der: Der): bigint {
  return BigInt(`0x0${expect(der, TAG.integer).content.toString('hex')}`);
}
