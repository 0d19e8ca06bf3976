/**
 * Verifies a service-account token: its form, its signature by the keys of its issuer, its audience and its times.
 * Called by `issuer-keys.ts`. The header chooses among the issuer's keys by id and algorithm and adds none: keys and
 * addresses in it (`jwk`, `jku`, `x5c`, `x5u`) are not read, and a header with `crit` is refused.
 */

import { isUtf8 } from 'node:buffer';
import { constants, verify } from 'node:crypto';
import { decodeBase64Url } from '../../base/encoding.ts';
import { isJsonObject, type JsonLimits, type JsonObject, parseJson } from '../../base/json.ts';
import type { IssuerKey, KeyKind } from './jwks.ts';

/** A parsed token. No part of it is verified. */
export interface SignedToken {
  readonly kid: string;
  /** As the header names it. */
  readonly alg: string;
  readonly algorithm: Algorithm;
  readonly issuer: string;
  readonly claims: JsonObject;
  /** The bytes that the signature covers. */
  readonly signed: Buffer;
  readonly signature: Buffer;
}

/** An algorithm of RFC 7518. */
export interface Algorithm {
  readonly kind: KeyKind;
  readonly hash: string;
  readonly pss?: true;
}

/** The algorithms that clusters sign with. Neither `none` nor one with a shared secret is among them. */
const ALGORITHMS: ReadonlyMap<string, Algorithm> = new Map<string, Algorithm>([
  ['RS256', { kind: 'RSA', hash: 'sha256' }],
  ['RS384', { kind: 'RSA', hash: 'sha384' }],
  ['RS512', { kind: 'RSA', hash: 'sha512' }],
  ['PS256', { kind: 'RSA', hash: 'sha256', pss: true }],
  ['ES256', { kind: 'P-256', hash: 'sha256' }],
  ['ES384', { kind: 'P-384', hash: 'sha384' }],
  ['ES512', { kind: 'P-521', hash: 'sha512' }],
]);

/** Characters of a token; the API server makes one to two thousand. */
const MAX_LENGTH = 16 * 1024;
const HEADER_LIMITS: JsonLimits = { bytes: 4096, entries: 30, depth: 3, unique: true };
const CLAIMS_LIMITS: JsonLimits = { bytes: 12 * 1024, entries: 200, depth: 8, unique: true };
/** Allowed difference between the clocks of node and API server. */
const LEEWAY_S = 60;

/** Parses a token. Returns undefined unless it is a compact JWS with a key id and a known algorithm. */
export function readSignedToken(text: string): SignedToken | undefined {
  if (text.length > MAX_LENGTH) return undefined;
  const [first = '', second = '', third = '', rest] = text.split('.', 4);
  const header = objectIn(first, HEADER_LIMITS);
  const claims = objectIn(second, CLAIMS_LIMITS);
  const signature = decodeBase64Url(third);
  if (rest !== undefined || header === undefined || claims === undefined || signature === undefined) return undefined;
  const { alg, kid, typ, crit } = header;
  if (typeof alg !== 'string' || typeof kid !== 'string' || crit !== undefined) return undefined;
  if (typ !== undefined && typ !== 'JWT') return undefined;
  const algorithm = ALGORITHMS.get(alg);
  if (algorithm === undefined || typeof claims.iss !== 'string') return undefined;
  return { kid, alg, algorithm, issuer: claims.iss, claims, signed: Buffer.from(`${first}.${second}`), signature };
}

/** Returns the key that a token names, if it fits the algorithm of the token. */
export function keyOf({ kid, alg, algorithm }: SignedToken, keys: readonly IssuerKey[]): IssuerKey | undefined {
  const { kind } = algorithm;
  return keys.find((key) => key.kid === kid && key.kind === kind && (key.alg === undefined || key.alg === alg));
}

/** True if the signature of a token is one of the key, which {@link keyOf} chose. */
export function isSignedBy({ algorithm, signed, signature }: SignedToken, { key }: IssuerKey): boolean {
  const padding =
    algorithm.pss === true
      ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
      : {};
  return verify(algorithm.hash, signed, { key, dsaEncoding: 'ieee-p1363', ...padding }, signature);
}

/**
 * Returns the reason why the claims of a token do not count for an audience at a time, in milliseconds since 1970, or
 * undefined if they count.
 */
export function claimsProblem(
  { sub, aud, exp, nbf, iat }: SignedToken['claims'],
  { audience, now }: { readonly audience: string; readonly now: number },
): string | undefined {
  const seconds = now / 1000;
  const audiences: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  if (typeof sub !== 'string' || sub === '') return 'it names no subject';
  if (!audiences.includes(audience)) return 'it is for another audience';
  if (!isTime(exp) || exp + LEEWAY_S <= seconds) return 'it has expired';
  for (const start of [nbf, iat]) {
    if (start !== undefined && (!isTime(start) || start - LEEWAY_S > seconds)) return 'it is not valid yet';
  }
  return undefined;
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

/** Returns the JSON object in a part of a token, or undefined for anything else and beyond the limits. */
function objectIn(part: string, limits: JsonLimits): JsonObject | undefined {
  const bytes = decodeBase64Url(part);
  if (bytes === undefined || !isUtf8(bytes)) return undefined;
  const parsed = parseJson(bytes.toString('utf8'), limits);
  return parsed.ok && isJsonObject(parsed.value) ? parsed.value : undefined;
}
