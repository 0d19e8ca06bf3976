/**
 * Reads the claims of JSON Web Tokens. Called where the provider needs what a pod's service-account token says of
 * itself: its audience, its end, its issuer and subject. Nothing is verified, so that no claim may open anything by
 * itself. Claims that are too large, or are no JSON object, count as absent.
 */

import { type JsonLimits, parseJson } from './json.ts';

/** Of the claims of one token: Kubernetes' own has about twenty. */
const CLAIMS_LIMITS: JsonLimits = { bytes: 64 * 1024, entries: 500, depth: 16 };

/** The claims of a JWT, unverified; undefined where its second part is no JSON object within the limits. */
export function jwtClaims(token: string): Readonly<Record<string, unknown>> | undefined {
  const parsed = parseJson(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'), CLAIMS_LIMITS);
  if (!parsed.ok || typeof parsed.value !== 'object' || parsed.value === null || Array.isArray(parsed.value)) {
    return undefined;
  }
  return { ...parsed.value };
}

/** The `exp` of a JWT, unverified, in milliseconds since 1970; undefined where it says none. */
export function jwtExpiry(token: string): number | undefined {
  const exp = jwtClaims(token)?.exp;
  return typeof exp === 'number' && Number.isFinite(exp) ? exp * 1000 : undefined;
}
