/**
 * Issues service account tokens as a cluster does. Tests call it through the emulator.
 */

import { randomUUID } from 'node:crypto';
import { signJwt } from '../world/jwt.ts';
import { nowSeconds, type World } from '../world/model.ts';

/** The request for a service account token. */
export interface ServiceAccountTokenRequest {
  /** `system:serviceaccount:<namespace>:<name>`. */
  readonly subject: string;
  readonly audience: string;
  /** Default: the seed's `serviceAccountIssuer`. */
  readonly issuer?: string;
  /** Default: 3600. */
  readonly expiresInSeconds?: number;
}

/**
 * Returns a token as a cluster puts it into a pod, signed by the key that the federated credentials of the seed trust.
 */
export function serviceAccountToken(world: World, request: ServiceAccountTokenRequest): string {
  const { subject, audience, issuer = world.serviceAccountIssuer, expiresInSeconds = 3600 } = request;
  const now = nowSeconds(world);
  const [, , namespace = 'default', name = 'default'] = subject.split(':');
  return signJwt(
    {
      aud: [audience],
      exp: now + expiresInSeconds,
      iat: now,
      nbf: now,
      iss: issuer,
      jti: randomUUID(),
      'kubernetes.io': { namespace, serviceaccount: { name, uid: randomUUID() } },
      sub: subject,
    },
    world.serviceAccountKey,
  );
}
