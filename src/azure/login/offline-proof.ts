/**
 * The port by which an identity is proven while its login service is away. The token pool tells it which logins
 * succeeded, and readers ask it before they serve last known values. It opens nothing else: no token, no request.
 */

import type { Identity } from '../../spc/model.ts';

/** Proves identities without their login service. */
export interface OfflineProof {
  /** A login with the service-account token of this identity has succeeded. Returns at once, and never throws. */
  accepted(identity: Identity): void;
  /**
   * Returns true if the service-account token of the identity is proven at `now` (milliseconds since 1970): its issuer was
   * accepted before, and its signature, subject, audience and times are right. Returns false for identities without such a
   * token. Never rejects, and never waits for the network.
   */
  verify(identity: Identity, now: number): Promise<boolean>;
}

/** Proves nobody. */
export const noOfflineProof: OfflineProof = { accepted() {}, verify: () => Promise.resolve(false) };
