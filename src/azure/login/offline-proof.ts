/**
 * Defines the port that verifies an identity while its login service is away. The token pool reports successful logins
 * to it, and asks it before last known values are served. It gives no token and sends no request.
 */

import type { Identity } from '../../spc/model.ts';

/** Verifies identities without their login service. */
export interface OfflineProof {
  /**
   * Records that a login with the service-account token of this identity has succeeded. Returns at once, and never
   * throws. `owner`: who is charged for the memory of the issuer.
   */
  accepted(identity: Identity, owner: string): void;
  /**
   * Returns true if the service-account token of the identity is proven at `now` (milliseconds since 1970): its issuer
   * was accepted before, and its signature, subject, audience and times are right. Returns false for identities without
   * such a token. Never rejects, and never waits for the network.
   */
  verify(identity: Identity, now: number): Promise<boolean>;
}

/** Verifies no identity. */
export const noOfflineProof: OfflineProof = { accepted() {}, verify: () => Promise.resolve(false) };
