/**
 * Holds the common parts of the identity modes that log in with the service-account token of a pod. The claims of such
 * a token are unverified: it gives access to a pooled login only after Entra ID, or the token proxy, has accepted it.
 */

import { ClientAssertionCredential } from '@azure/identity';
import { jwtExpiry } from '../../base/jwt.ts';
import { claimedPrincipal } from '../../spc/tokens.ts';
import { applicationParts, credentialOptions, secretDigest, tokenOf } from './entra.ts';
import { entraRemedy } from './entra-remedies.ts';
import type { GivenToken, IdentityOf, LoginRefusal, LoginRequest, Proof } from './identity-mode.ts';

/** An identity that proves itself by the pod's service-account token. */
export type PodTokenIdentity = IdentityOf<'workload-identity' | 'identity-binding'>;

/** Returns the subject of the token for a message, with a space before it, or an empty text if the token names none. */
export function subjectInWords({ token }: PodTokenIdentity): string {
  const claimed = claimedPrincipal(token);
  return claimed === undefined ? '' : ` (${claimed.subject})`;
}

/** Returns application, issuer and subject, or the token itself if it names no subject. */
export function podTokenKeyParts(identity: PodTokenIdentity): readonly string[] {
  const claimed = claimedPrincipal(identity.token);
  const subject =
    claimed === undefined ? ['token', secretDigest(identity.token)] : ['subject', claimed.issuer, claimed.subject];
  return [...applicationParts(identity), ...subject];
}

/** Returns the token as the proof. Its `exp` is unverified, so that it counts only once the token was accepted. */
export function podTokenProof({ token }: PodTokenIdentity): Proof {
  return { by: 'token', digest: secretDigest(token), expiresAt: jwtExpiry(token.reveal()) };
}

/** Exchanges the pod's token for one of Entra ID. Throws: errors of the SDK. */
export async function exchangePodToken(identity: PodTokenIdentity, request: LoginRequest): Promise<GivenToken> {
  const { tenantId, clientId, token } = identity;
  const assertion = async () => token.reveal();
  return tokenOf(new ClientAssertionCredential(tenantId, clientId, assertion, credentialOptions(request)), request);
}

/** Returns the next step if the exchange was refused. */
export function podTokenRemedy(identity: PodTokenIdentity, refusal: LoginRefusal | undefined): string {
  const { tenantId, clientId, token } = identity;
  return entraRemedy({ tenantId, clientId, claimed: claimedPrincipal(token) }, refusal);
}
