/**
 * Reads a JSON Web Key Set (RFC 7517), from an issuer or from the provider's own store. Called when keys of issuers are
 * fetched and restored. Refuses a set that is too large or holds no usable key, and leaves out keys that are weak, of
 * another use, or of a kind that Kubernetes does not sign with. The numbers of a key are checked before OpenSSL reads
 * it.
 */

import { createPublicKey, type KeyObject } from 'node:crypto';
import { decodeBase64Url } from '../../base/encoding.ts';
import { isJsonObject, type JsonObject } from '../../base/json.ts';
import { significant } from '../../pki/curves.ts';

/** The kinds of keys: RSA, and EC by its curve. */
export type KeyKind = 'RSA' | 'P-256' | 'P-384' | 'P-521';

/** The public members of a key, as in a set. */
export type PublicJwk = Readonly<Record<string, string>>;

/** One public key of an issuer. */
export interface IssuerKey {
  readonly kid: string;
  readonly kind: KeyKind;
  /** The only algorithm that the key is for; undefined if the set does not say. */
  readonly alg: string | undefined;
  readonly key: KeyObject;
  readonly jwk: PublicJwk;
}

/** A document of an issuer that is not used. The message follows the name of the document and quotes nothing of it. */
export class UnusableDocument extends Error {}

/** Keys of one set. An issuer publishes the current key, and for a time the one before and the one after it. */
const MAX_KEYS = 32;
/** The limit of the API server. */
const MAX_KID_LENGTH = 1024;
const MIN_RSA_BITS = 2048;
const MAX_RSA_BITS = 8192;
const MAX_RSA_EXPONENT_BYTES = 4;
/** Bytes of a coordinate, by curve. */
const COORDINATE_BYTES: Readonly<Record<string, number>> = { 'P-256': 32, 'P-384': 48, 'P-521': 66 };

/** Returns the usable keys of a set, in its order. Throws: {@link UnusableDocument}. */
export function readKeySet(set: unknown): readonly IssuerKey[] {
  const entries = isJsonObject(set) ? set.keys : undefined;
  if (!Array.isArray(entries)) throw new UnusableDocument('it has no array "keys"');
  if (entries.length > MAX_KEYS) {
    throw new UnusableDocument(`it lists ${entries.length} keys, more than ${MAX_KEYS}`);
  }
  const keys = entries.map(readKey).filter((key) => key !== undefined);
  if (keys.length === 0) {
    throw new UnusableDocument('it lists no key that can be used: RSA of 2048 to 8192 bits or EC, with a "kid"');
  }
  return keys;
}

/** Reads one key. Returns undefined if it is not used. */
function readKey(entry: unknown): IssuerKey | undefined {
  if (!isJsonObject(entry) || !isForSignatures(entry)) return undefined;
  const { kid, alg } = entry;
  if (typeof kid !== 'string' || kid === '' || kid.length > MAX_KID_LENGTH) return undefined;
  if (alg !== undefined && typeof alg !== 'string') return undefined;
  const found = numbersOf(entry);
  if (found === undefined) return undefined;
  try {
    const key = createPublicKey({ key: found.members, format: 'jwk' });
    return { kid, kind: found.kind, alg, key, jwk: { kid, ...found.members, ...(alg === undefined ? {} : { alg }) } };
  } catch {
    // A point that is not on its curve.
    return undefined;
  }
}

function isForSignatures({ use, key_ops: operations }: JsonObject): boolean {
  if (use !== undefined && use !== 'sig') return false;
  return operations === undefined || (Array.isArray(operations) && operations.includes('verify'));
}

interface KeyNumbers {
  readonly kind: KeyKind;
  readonly members: PublicJwk & { readonly kty: string };
}

/** Returns kind and public members of a key if its numbers are valid, or else undefined. */
function numbersOf({ kty, n, e, crv, x, y }: JsonObject): KeyNumbers | undefined {
  if (kty === 'RSA' && isModulus(n) && isExponent(e)) return { kind: 'RSA', members: { kty, n, e } };
  if (kty !== 'EC' || !isCurve(crv)) return undefined;
  const bytes = COORDINATE_BYTES[crv] ?? 0;
  if (!isCoordinate(x, bytes) || !isCoordinate(y, bytes)) return undefined;
  return { kind: crv, members: { kty, crv, x, y } };
}

function isModulus(n: unknown): n is string {
  const bytes = significant(decodeBase64Url(n));
  const bits = bytes.length * 8 - Math.clz32(bytes[0] ?? 0) + 24;
  return bits >= MIN_RSA_BITS && bits <= MAX_RSA_BITS && isOdd(bytes);
}

function isExponent(e: unknown): e is string {
  const bytes = significant(decodeBase64Url(e));
  const isOne = bytes.length === 1 && bytes[0] === 1;
  return bytes.length <= MAX_RSA_EXPONENT_BYTES && isOdd(bytes) && !isOne;
}

function isOdd(bytes: Buffer): boolean {
  return ((bytes.at(-1) ?? 0) & 1) === 1;
}

function isCurve(crv: unknown): crv is Exclude<KeyKind, 'RSA'> {
  return typeof crv === 'string' && Object.hasOwn(COORDINATE_BYTES, crv);
}

function isCoordinate(value: unknown, bytes: number): value is string {
  return decodeBase64Url(value)?.length === bytes;
}
