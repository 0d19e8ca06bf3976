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
  /** Default: that of the cluster. */
  readonly issuer?: string;
  /** Default: 3600. */
  readonly expiresInSeconds?: number;
}

/** Returns a token as a cluster puts it into a pod, signed by the current key of the cluster. */
export function serviceAccountToken(world: World, request: ServiceAccountTokenRequest): string {
  const { subject, audience, issuer = world.cluster.issuer, expiresInSeconds = 3600 } = request;
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
    world.cluster.keys[0],
  );
}
