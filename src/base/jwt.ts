/**
 * Reads the claims of JSON Web Tokens. The provider reads audience, expiry, issuer and subject of a pod's
 * service-account token with it. Nothing is verified, so no claim may grant access by itself. Claims that are too
 * large, or that are not a JSON object, count as absent.
 */

import { isJsonObject, type JsonLimits, type JsonObject, parseJson } from './json.ts';

/** Limits of the claims of one token; a token of Kubernetes has about twenty claims. */
const CLAIMS_LIMITS: JsonLimits = { bytes: 64 * 1024, entries: 500, depth: 16 };

/** Returns the claims of a JWT, unverified; undefined if its second part is not a JSON object within the limits. */
export function jwtClaims(token: string): JsonObject | undefined {
  const parsed = parseJson(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'), CLAIMS_LIMITS);
  return parsed.ok && isJsonObject(parsed.value) ? parsed.value : undefined;
}

/** Returns the `exp` of a JWT, unverified, in milliseconds since 1970; undefined if it has none. */
export function jwtExpiry(token: string): number | undefined {
  const exp = jwtClaims(token)?.exp;
  return typeof exp === 'number' && Number.isFinite(exp) ? exp * 1000 : undefined;
}
