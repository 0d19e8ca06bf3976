/**
 * Signs, decodes and verifies JSON Web Tokens. Entra and vaults call it.
 */

import { constants, type JsonWebKey, type KeyObject, sign, verify } from 'node:crypto';
import { isJsonObject, type JsonObject, jsonValue } from '../../base/json.ts';

/** A decoded JSON Web Token. Nothing in it is verified. */
export interface DecodedJwt {
  readonly header: JsonObject;
  readonly claims: JsonObject;
  /** The bytes that the signature covers. */
  readonly signed: Buffer;
  readonly signature: Buffer;
}

interface Algorithm {
  readonly keyType: 'rsa' | 'ec';
  readonly hash: string;
  readonly pss?: boolean;
}

const ALGORITHMS: ReadonlyMap<string, Algorithm> = new Map<string, Algorithm>([
  ['RS256', { keyType: 'rsa', hash: 'sha256' }],
  ['RS384', { keyType: 'rsa', hash: 'sha384' }],
  ['RS512', { keyType: 'rsa', hash: 'sha512' }],
  ['PS256', { keyType: 'rsa', hash: 'sha256', pss: true }],
  ['PS384', { keyType: 'rsa', hash: 'sha384', pss: true }],
  ['PS512', { keyType: 'rsa', hash: 'sha512', pss: true }],
  ['ES256', { keyType: 'ec', hash: 'sha256' }],
  ['ES384', { keyType: 'ec', hash: 'sha384' }],
  ['ES512', { keyType: 'ec', hash: 'sha512' }],
]);

/** Signs a JWT and returns its compact form: RS256 for RSA keys, ES256 for EC keys. */
export function signJwt(claims: JsonObject, key: { privateKey: KeyObject; kid: string }): string {
  const alg = key.privateKey.asymmetricKeyType === 'ec' ? 'ES256' : 'RS256';
  const signed = `${encode({ typ: 'JWT', alg, x5t: key.kid, kid: key.kid })}.${encode(claims)}`;
  const signature = sign('sha256', Buffer.from(signed), { key: key.privateKey, dsaEncoding: 'ieee-p1363' });
  return `${signed}.${signature.toString('base64url')}`;
}

/** Returns the parts of a compact JWT, or undefined if the text is not a JWT. */
export function decodeJwt(token: string): DecodedJwt | undefined {
  const [header, claims, signature, rest] = token.split('.');
  if (header === undefined || claims === undefined || signature === undefined || rest !== undefined) return undefined;
  const decodedHeader = decodeObject(header);
  const decodedClaims = decodeObject(claims);
  if (decodedHeader === undefined || decodedClaims === undefined) return undefined;
  return {
    header: decodedHeader,
    claims: decodedClaims,
    signed: Buffer.from(`${header}.${claims}`),
    signature: Buffer.from(signature, 'base64url'),
  };
}

/** Returns true if the signature matches the key, by the algorithm in the token's header. `none` never matches. */
export function isSignedBy(token: DecodedJwt, publicKey: KeyObject): boolean {
  const algorithm = ALGORITHMS.get(String(token.header.alg));
  if (algorithm === undefined || publicKey.asymmetricKeyType !== algorithm.keyType) return false;
  const padding = algorithm.pss
    ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
    : {};
  return verify(
    algorithm.hash,
    token.signed,
    { key: publicKey, dsaEncoding: 'ieee-p1363', ...padding },
    token.signature,
  );
}

/** Returns a claim that is text. */
export function textClaim(token: DecodedJwt, name: string): string | undefined {
  const value = token.claims[name];
  return typeof value === 'string' ? value : undefined;
}

/** Returns a claim that is a time, in seconds since 1970. */
export function timeClaim(token: DecodedJwt, name: string): number | undefined {
  const value = token.claims[name];
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

/** Returns the `aud` claim as a list. */
export function audiences(token: DecodedJwt): readonly string[] {
  const value = token.claims.aud;
  const list = Array.isArray(value) ? value : [value];
  return list.filter((item) => typeof item === 'string');
}

/** Returns a public key as a member of a JWKS. */
export function jwksEntry(publicKey: KeyObject, kid: string): JsonWebKey & Record<string, unknown> {
  return { ...publicKey.export({ format: 'jwk' }), use: 'sig', kid, x5t: kid };
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function decodeObject(part: string): JsonObject | undefined {
  const value = jsonValue(Buffer.from(part, 'base64url').toString());
  return isJsonObject(value) ? value : undefined;
}
