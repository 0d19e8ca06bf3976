/**
 * Decides who may be given last known values while the login service is away: a principal whose proof that service has
 * accepted, or a vault has confirmed, a short time ago, or whose service-account token is verified offline. `TokenPool`
 * asks it. It gives access to nothing else: no token, and no request to a vault.
 */

import { Cache } from '../../base/cache.ts';
import type { Sweeper } from '../../base/sweeper.ts';
import type { Identity } from '../../spc/model.ts';
import type { Proof } from './identity-mode.ts';
import type { OfflineProof } from './offline-proof.ts';

/** Proofs kept at most. The principal with the most proofs loses its least recently used one. */
const MAX_PROOFS = 10_000;
/** The owner of all refused proofs: anybody can send such, and they take nobody's place but one another's. */
const REFUSED = '';

/** Settings of {@link Vouchers}. */
export interface VouchersOptions {
  readonly sweeper: Sweeper;
  readonly offlineProof: OfflineProof;
  /** How long an accepted proof counts, in milliseconds; 0: no proof counts. */
  readonly maxStaleMs: number;
  readonly witness?: PrincipalWitness;
}

/**
 * Receives what must survive a restart of the process. An example is a store on disk. Returns at once, and never
 * throws.
 */
export interface PrincipalWitness {
  /**
   * Records that the login service has accepted a principal whose key holds the whole credential, or that the node
   * proves.
   */
  accepted(principal: string): void;
  /** Records that the login service has refused the principal itself, and not just a token that may be forged. */
  refused(principal: string): void;
}

/** An identity with its principal and its proof. */
export interface Claim {
  readonly identity: Identity;
  readonly principal: string;
  readonly proof: Proof;
}

/** The proofs that login services have accepted or refused. */
export class Vouchers {
  readonly #options: VouchersOptions;
  /** True: accepted; false: refused. */
  readonly #proofs: Cache<boolean>;

  constructor(options: VouchersOptions) {
    this.#options = options;
    this.#proofs = new Cache({ entries: MAX_PROOFS, sweeper: options.sweeper });
  }

  /**
   * Records that the login service has accepted a proof at `now` (milliseconds since 1970). It counts for as long as it
   * is valid.
   */
  accepted(claim: Claim, now: number): void {
    this.#proofs.delete(claim.principal);
    this.#accept(claim, now);
    if (this.#options.maxStaleMs > 0) this.#options.offlineProof.accepted(claim.identity);
  }

  /**
   * Records that a vault has given a value for a token of the claim at `now` (milliseconds since 1970). The proof
   * counts from then on, so that it counts for as long as the value. One that was refused since its login stays
   * refused.
   */
  confirmed(claim: Claim, now: number): void {
    const refused = [claim.principal, keyOf(claim)].some((key) => this.#proofs.peek(key) === false);
    if (!refused) this.#accept(claim, now);
  }

  /**
   * Records that the login service has refused a proof at `now` (milliseconds since 1970), so that its token is not
   * verified offline either. If that token is genuine, its principal was refused: no other token counts until a login
   * succeeds.
   */
  refused(claim: Claim, now: number): void {
    const { offlineProof, witness } = this.#options;
    const { identity, principal, proof } = claim;
    this.#note(claim, false, Infinity);
    if (proof.by !== 'token') {
      witness?.refused(principal);
      return;
    }
    void offlineProof.verify(identity, now).then((genuine) => {
      if (!genuine) return;
      this.#proofs.set(principal, false, { owner: principal });
      witness?.refused(principal);
    });
  }

  /**
   * Loads a principal that was accepted `ageMs` milliseconds ago, in an earlier process. This counts for identities
   * whose key holds the whole credential, or that the node proves. A service-account token has to be verified.
   */
  load(principal: string, ageMs: number): void {
    if (this.#proofs.peek(principal) !== undefined) return;
    this.#proofs.set(principal, true, { ttlMs: this.#options.maxStaleMs - ageMs, owner: principal });
  }

  /**
   * Returns true if the proof was accepted not too long ago, or is verified offline at `now` (milliseconds since 1970).
   */
  async vouchFor(claim: Claim, now: number): Promise<boolean> {
    const { offlineProof, maxStaleMs } = this.#options;
    if (maxStaleMs <= 0 || this.#proofs.get(claim.principal) === false) return false;
    return this.#proofs.get(keyOf(claim)) ?? (await offlineProof.verify(claim.identity, now));
  }

  #accept(claim: Claim, now: number): void {
    const { principal, proof } = claim;
    const leftMs = proof.by === 'token' && proof.expiresAt !== undefined ? proof.expiresAt - now : Infinity;
    this.#note(claim, true, leftMs);
    if (this.#options.maxStaleMs > 0 && proof.by !== 'token') this.#options.witness?.accepted(principal);
  }

  #note(claim: Claim, accepted: boolean, leftMs: number): void {
    const ttlMs = Math.min(this.#options.maxStaleMs, leftMs);
    this.#proofs.set(keyOf(claim), accepted, { ttlMs, owner: accepted ? claim.principal : REFUSED });
  }
}

/** Returns the key of a proof. The principal's key holds the credential, unless the proof is a token. */
function keyOf({ principal, proof }: Claim): string {
  return proof.by === 'token' ? `${principal} ${proof.digest}` : principal;
}
