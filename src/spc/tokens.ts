import { Secret } from '../base/secret.ts';

/** Audience of the tokens that Entra exchanges for workload identity. */
export const WORKLOAD_IDENTITY_AUDIENCE = 'api://AzureADTokenExchange';

/** Audience of the tokens that the AKS token proxy exchanges. */
export const IDENTITY_BINDING_AUDIENCE = 'api://AKSIdentityBinding';

/** A token, or why there is none. */
export type FoundToken =
  | { readonly ok: true; readonly token: Secret }
  | { readonly ok: false; readonly reason: string };

/**
 * The pod's service-account token for an audience, out of the kubelet's JSON
 * (`{"<audience>": {"token": …, "expirationTimestamp": …}}`).
 * A token that says of itself that it is for another audience, or expired at `now` (milliseconds since 1970), is refused
 * here; one that does not say is left to Entra.
 */
export function findToken(tokens: Secret | undefined, audience: string, now: number): FoundToken {
  if (tokens === undefined) return refuse('service account tokens not found');
  let byAudience: unknown;
  try {
    byAudience = JSON.parse(tokens.reveal());
  } catch {
    return refuse('failed to unmarshal service account tokens, error: it is not valid JSON');
  }
  if (typeof byAudience !== 'object' || byAudience === null || Array.isArray(byAudience)) {
    return refuse('failed to unmarshal service account tokens, error: it is not a JSON object of tokens by audience');
  }
  const entry: unknown = (byAudience as Record<string, unknown>)[audience];
  if (entry === undefined || entry === null) return refuse(`token for audience ${audience} not found`);
  const { token, expirationTimestamp } = entry as { token?: unknown; expirationTimestamp?: unknown };
  if (typeof token !== 'string') {
    return refuse(
      `failed to unmarshal service account tokens, error: the token for audience ${audience} is not a string`,
    );
  }
  if (token.trim() === '') return refuse(`token for audience ${audience} not found`);
  if (expirationTimestamp !== undefined && Number.isNaN(Date.parse(String(expirationTimestamp)))) {
    return refuse('failed to unmarshal service account tokens, error: expirationTimestamp is not an RFC 3339 time');
  }
  return checkClaims(new Secret(token.trim()), audience, now);
}

function checkClaims(token: Secret, audience: string, now: number): FoundToken {
  const parts = token.reveal().split('.');
  if (parts.length === 1) return { ok: true, token };
  const claims = parts.length === 3 ? decodeClaims(parts[1] ?? '') : undefined;
  if (claims === undefined) return refuse(`the token for audience ${audience} is malformed: it is not a JWT`);
  const { aud, exp } = claims;
  const audiences = Array.isArray(aud) ? aud : aud === undefined ? [] : [aud];
  if (audiences.length > 0 && !audiences.includes(audience)) {
    return refuse(
      `the token for audience ${audience} is for another audience (${audiences.map((one) => `"${String(one)}"`).join(', ')})`,
    );
  }
  if (typeof exp === 'number' && exp * 1000 <= now) {
    return refuse(`the token for audience ${audience} expired at ${new Date(exp * 1000).toISOString()}`);
  }
  return { ok: true, token };
}

function decodeClaims(part: string): Record<string, unknown> | undefined {
  try {
    const claims: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
    return typeof claims === 'object' && claims !== null ? (claims as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** Issuer and subject that a service-account token names, unverified; undefined where it names none. */
export function claimedPrincipal(token: Secret): { readonly issuer: string; readonly subject: string } | undefined {
  const claims = decodeClaims(token.reveal().split('.')[1] ?? '');
  if (typeof claims?.iss !== 'string' || typeof claims.sub !== 'string') return undefined;
  return { issuer: claims.iss, subject: claims.sub };
}

function refuse(reason: string): FoundToken {
  return { ok: false, reason };
}
