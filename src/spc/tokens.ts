/**
 * Reads the pod's service-account tokens that the kubelet sends with a Mount. Called when an identity is resolved, and
 * for the texts that the log must hide. Refuses tokens that are not a JWT, that are for another audience, or that
 * expired.
 */

import { isJsonObject, type JsonLimits, parseJson } from '../base/json.ts';
import { jwtClaims } from '../base/jwt.ts';
import { Secret } from '../base/secret.ts';
import { clip } from '../base/words.ts';
import type { Stage } from './finding.ts';

/** Audience of the tokens that Entra exchanges for workload identity. */
export const WORKLOAD_IDENTITY_AUDIENCE = 'api://AzureADTokenExchange';

/** Audience of the tokens that the AKS token proxy exchanges. */
export const IDENTITY_BINDING_AUDIENCE = 'api://AKSIdentityBinding';

/** Limits of the kubelet's JSON: a few audiences, with a token of one to two thousand characters each. */
export const TOKENS_LIMITS: JsonLimits = { bytes: 128 * 1024, entries: 300, depth: 16 };

/** A token, or the reason why there is none. */
export type FoundToken =
  | { readonly ok: true; readonly token: Secret }
  | {
      readonly ok: false;
      readonly reason: string;
      readonly stage: Stage;
      /** True if the cluster does not give pods such a token. */
      readonly absent: boolean;
    };

const UNREADABLE = 'failed to unmarshal service account tokens, error:';
const RFC3339 = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[-+]\d\d:\d\d)$/;

/**
 * Returns the pod's service-account token for an audience, from the kubelet's JSON (`{"<audience>": {"token": …,
 * "expirationTimestamp": …}}`). A token whose claims name another audience, or that expired at `now` (milliseconds
 * since 1970), is refused here. Entra ID decides about a token without these claims.
 */
export function findToken(tokens: Secret, audience: string, now: number): FoundToken {
  const parsed = parseJson(tokens.reveal(), TOKENS_LIMITS);
  if (!parsed.ok) return refuse(`${UNREADABLE} ${parsed.reason}`);
  const byAudience = parsed.value;
  if (byAudience === null) return absent(audience);
  if (!isJsonObject(byAudience)) return refuse(`${UNREADABLE} it is not a JSON object of tokens by audience`);
  const entry = Object.hasOwn(byAudience, audience) ? byAudience[audience] : undefined;
  if (entry === undefined || entry === null) return absent(audience);
  if (!isJsonObject(entry)) return refuse(`${UNREADABLE} the entry of audience ${audience} is not a JSON object`);
  const { token, expirationTimestamp } = entry;
  if (token === undefined || token === null) return absent(audience);
  if (typeof token !== 'string') return refuse(`${UNREADABLE} the token for audience ${audience} is not a string`);
  if (token.trim() === '') return absent(audience);
  if (!isTime(expirationTimestamp)) return refuse(`${UNREADABLE} expirationTimestamp is not an RFC 3339 time`);
  return checkClaims(new Secret(token.trim()), audience, now);
}

/** Returns all tokens of the kubelet's JSON; none if the text is not such JSON. */
export function tokensIn(tokens: Secret | undefined): readonly string[] {
  const parsed = parseJson(tokens?.reveal() ?? '', TOKENS_LIMITS);
  if (!parsed.ok || !isJsonObject(parsed.value)) return [];
  const found = Object.values(parsed.value).map((entry) => (isJsonObject(entry) ? entry.token : undefined));
  return found.filter((token) => typeof token === 'string');
}

/** Differs: the official provider sends every token to Entra and passes on what it answers. */
function checkClaims(token: Secret, audience: string, now: number): FoundToken {
  const which = `the token for audience ${audience}`;
  const parts = token.reveal().split('.');
  if (parts.length === 1) return { ok: true, token };
  const claims = parts.length === 3 ? jwtClaims(token.reveal()) : undefined;
  if (claims === undefined) return refuse(`${which} is malformed: it is not a JWT`, 'never');
  const { aud, exp } = claims;
  const audiences: readonly unknown[] = Array.isArray(aud) ? aud : aud === undefined ? [] : [aud];
  if (audiences.length > 0 && !audiences.includes(audience)) {
    return refuse(`${which} is for another audience: ${clip(JSON.stringify(audiences))}`, 'never');
  }
  if (typeof exp === 'number' && exp * 1000 <= now) {
    const at = new Date(exp * 1000);
    const when = Number.isNaN(at.getTime()) ? 'long ago' : `at ${at.toISOString()}`;
    return refuse(`${which} expired ${when}; the kubelet renews it, so its node or the driver may be stuck`, 'never');
  }
  return { ok: true, token };
}

function isTime(timestamp: unknown): boolean {
  if (timestamp === undefined || timestamp === null) return true;
  return typeof timestamp === 'string' && RFC3339.test(timestamp) && !Number.isNaN(Date.parse(timestamp));
}

/** Issuer and subject that a service-account token names, unverified. */
export interface ClaimedPrincipal {
  readonly issuer: string;
  readonly subject: string;
}

/** Returns the issuer and the subject of a token; undefined if it has none. */
export function claimedPrincipal(token: Secret): ClaimedPrincipal | undefined {
  const claims = jwtClaims(token.reveal());
  if (typeof claims?.iss !== 'string' || typeof claims.sub !== 'string') return undefined;
  return { issuer: claims.iss, subject: claims.sub };
}

function absent(audience: string): FoundToken {
  return { ok: false, reason: `token for audience ${audience} not found`, stage: 'parameters', absent: true };
}

function refuse(reason: string, stage: Stage = 'parameters'): FoundToken {
  return { ok: false, reason, stage, absent: false };
}
