/**
 * Reads private keys from DER. The reader of contents calls it. It refuses a key whose numbers contradict each other
 * (Node accepts some of these, and Node 20 and 22 end the process over others) and a key that is slow to read.
 */

import { createECDH, createPrivateKey, type KeyObject } from 'node:crypto';
import { badContent } from './bad-content.ts';
import { type Curve, curveOf, significant } from './curves.ts';
import { type Der, expect, octets, oid, readDer, sequence, smallInteger, TAG } from './der.ts';
import {
  bitString,
  encode,
  explicit,
  integer,
  objectIdentifier,
  octetString,
  parsed,
  sequenceOf,
} from './der-write.ts';
import { FIXED_SIZES, KEY_OID } from './public-key.ts';

/** An RSA key of 16,384 bits, the maximum of OpenSSL, takes nine thousand bytes. */
const MAX_KEY_BYTES = 16 * 1024;
/**
 * OpenSSL computes the public part of a DSA or Diffie-Hellman key from the numbers in it, which takes minutes for
 * hostile numbers. So DSA keys must have their fixed size of secret; TLS does not use Diffie-Hellman keys.
 */
const MAX_DSA_KEY_BYTES = 1200;
const MAX_DSA_SECRET_BYTES = 33;
/** The limit of primes of an RSA key beyond two; OpenSSL accepts five in all. */
const MAX_MORE_PRIMES = 3;

/** Encodings of an unencrypted private key. */
type KeyEncoding = 'pkcs8' | 'pkcs1' | 'sec1';

/** A key for OpenSSL; `sound` is true if its numbers belong together. */
interface ReadKey {
  readonly type: 'pkcs8' | 'pkcs1';
  readonly der: Buffer;
  readonly sound: boolean;
}

/** The encoding of the DER of an unencrypted private key, by its shape; `undefined` if it is none. */
export function keyEncodingOf(fields: readonly Der[]): KeyEncoding | undefined {
  const [first, second] = fields.map(({ tag }) => tag);
  if (first !== TAG.integer) return undefined;
  if (second === TAG.sequence) return 'pkcs8';
  if (second === TAG.integer) return 'pkcs1';
  return second === TAG.octetString ? 'sec1' : undefined;
}

/**
 * Reads a private key from its DER; its label does not matter, as in OpenSSL. An EC key without public part, as Java
 * writes it, gets one, since Go and others refuse a key without it.
 * Throws: ERR_BAD_CONTENT.
 */
export function importPrivateKey(der: Buffer): KeyObject {
  checkKeySize(der);
  let read: ReadKey | undefined;
  try {
    read = readKey(der);
  } catch (error) {
    throw unreadable(error);
  }
  if (read === undefined) {
    throw badContent('holds an EC key on an unknown curve; use P-256 or P-384');
  }
  if (!read.sound) throw badContent('holds a damaged private key: its numbers do not belong together');
  try {
    return createKey(read);
  } catch (error) {
    throw unreadable(error);
  }
}

/** Refuses a private key above the size limit: the cost of its numbers grows faster than their size. */
export function checkKeySize(der: Buffer): void {
  if (der.length > MAX_KEY_BYTES) throw badContent(`holds a private key of ${der.length} bytes, too large for any use`);
}

function unreadable(error: unknown): Error {
  return badContent('holds a private key that cannot be read: it is damaged or of a kind unknown here', error);
}

/**
 * Node reports an error that an earlier operation left in OpenSSL's error queue as a failure of this one (`equals` of
 * keys of two kinds leaves one). The failure empties the queue, so a second failure is real. A key that cannot be
 * written is refused.
 */
function createKey({ der, type }: ReadKey): KeyObject {
  const input = { key: der, format: 'der', type } as const;
  const create = () => {
    const key = createPrivateKey(input);
    key.export({ format: 'der', type: 'pkcs8' });
    return key;
  };
  try {
    return create();
  } catch {
    return create();
  }
}

/** Returns `undefined` for an EC key on an unknown curve. */
function readKey(der: Buffer): ReadKey | undefined {
  const fields = sequence(readDer(der));
  switch (keyEncodingOf(fields)) {
    case 'pkcs8':
      return readPkcs8(der, fields);
    case 'pkcs1':
      return { type: 'pkcs1', der, sound: isSoundRsa(fields) };
    case 'sec1':
      return readEcKey(fields);
    case undefined:
      throw new Error('no private key');
  }
}

function readPkcs8(der: Buffer, [version, algorithm, wrapped]: readonly Der[]): ReadKey | undefined {
  const [identifier, parameters] = sequence(algorithm);
  const kind = oid(identifier);
  const secret = octets(wrapped);
  const key = (sound: boolean): ReadKey => ({ type: 'pkcs8', der: pkcs8(algorithm, secret), sound });
  if (smallInteger(version) > 1) throw new Error('a version to come');
  switch (kind) {
    case KEY_OID.rsa:
    case KEY_OID.rsaPss:
      return key(isSoundRsa(sequence(readDer(secret))));
    case KEY_OID.ec:
      return readEcKey(sequence(readDer(secret)), parameters);
    case KEY_OID.dsa:
      return key(isSoundDsa(der, sequence(parameters), readDer(secret)));
    default:
      if (octets(readDer(secret)).length !== FIXED_SIZES[kind]) throw new Error(`of kind ${kind}`);
      return key(true);
  }
}

/**
 * Leaves out the public key that Bouncy Castle, ring and others write after the private one (RFC 5958): OpenSSL refuses
 * it.
 */
function pkcs8(algorithm: Der | undefined, secret: Buffer): Buffer {
  return encode(sequenceOf(integer(0), parsed(expect(algorithm, TAG.sequence).raw), octetString(secret)));
}

/** Reads RFC 5915. The key for OpenSSL is written anew from the checked numbers. */
function readEcKey([, number, ...optional]: readonly Der[], outer?: Der): ReadKey | undefined {
  const inside = (n: number) => optional.find(({ tag }) => tag === TAG.context(n))?.content;
  const inner = inside(0);
  const named = [...(outer === undefined ? [] : [outer]), ...(inner === undefined ? [] : [readDer(inner)])];
  const [curve, other = curve] = named.map(curveOf);
  if (curve === undefined || other === undefined) return undefined;
  const point = inside(1);
  const published = point && expect(readDer(point), TAG.bitString).content.subarray(1);
  const secret = significant(octets(number));
  const computed = curve.id === other.id ? publicPoint(curve, secret, published) : undefined;
  if (computed === undefined) return { type: 'pkcs8', der: Buffer.alloc(0), sound: false };
  const padded = Buffer.concat([Buffer.alloc(curve.bytes - secret.length), secret]);
  const key = encode(sequenceOf(integer(1), octetString(padded), explicit(1, bitString(computed))));
  const algorithm = sequenceOf(objectIdentifier(KEY_OID.ec), objectIdentifier(curve.id));
  return { type: 'pkcs8', der: encode(sequenceOf(integer(0), algorithm, octetString(key))), sound: true };
}

/**
 * The public point of a private number, in the form of the published one; `undefined` if there is none or it differs.
 */
function publicPoint({ name, bytes }: Curve, secret: Buffer, published: Buffer | undefined): Buffer | undefined {
  if (secret.length > bytes) return undefined;
  try {
    const ecdh = createECDH(name);
    ecdh.setPrivateKey(secret);
    const form = published === undefined || published[0] === 4 ? 'uncompressed' : 'compressed';
    const computed = ecdh.getPublicKey(null, form);
    return published === undefined || computed.equals(published) ? computed : undefined;
  } catch {
    return undefined;
  }
}

/** True if the numbers belong together (RFC 8017 appendix A.1.2, also with more than two primes). */
function isSoundRsa(fields: readonly Der[]): boolean {
  const [version, n, e, d, p, q, dp, dq, qInverse] = fields.slice(0, 9).map(unsigned);
  if (qInverse === undefined) throw new Error('no RSA key');
  const more = version !== 1n ? [] : sequence(fields[9]).map((other) => sequence(other).map(unsigned));
  if (more.length > MAX_MORE_PRIMES) throw new Error('too many primes');
  if (n === undefined || e === undefined || d === undefined || p === undefined || q === undefined) return false;
  const isPrime = (prime = 0n, exponent = 0n) =>
    prime > 1n && (e * d) % (prime - 1n) === 1n && (e * exponent) % (prime - 1n) === 1n;
  let product = p * q;
  let sound = isPrime(p, dp) && isPrime(q, dq) && (q * qInverse) % p === 1n;
  for (const [prime = 0n, exponent, coefficient = 0n] of more) {
    sound &&= isPrime(prime, exponent) && (product * coefficient) % prime === 1n;
    product *= prime;
  }
  return sound && product === n;
}

function isSoundDsa(der: Buffer, parameters: readonly Der[], secret: Der): boolean {
  const [p = 0n, q = 0n, g = 0n] = parameters.map(unsigned);
  const x = unsigned(secret);
  if (der.length > MAX_DSA_KEY_BYTES || secret.content.length > MAX_DSA_SECRET_BYTES) throw new Error('a slow DSA key');
  return p % 2n === 1n && 1n < q && q < p && 1n < g && g < p && 0n < x && x < q;
}

/** OpenSSL reads all numbers of a key as unsigned, since some writers omit the leading zero. */
function unsigned(der: Der): bigint {
  return BigInt(`0x0${expect(der, TAG.integer).content.toString('hex')}`);
}
