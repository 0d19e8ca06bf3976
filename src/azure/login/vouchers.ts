/**
 * Decides who may be given last known values while the login service is away: a principal whose proof that service has
 * accepted, or a vault has confirmed, a short time ago, or whose service-account token is verified offline. `TokenPool`
 * asks it. It gives access to nothing else: no token, and no request to a vault.
 */

import { Cache } from '../../base/cache.ts';
import { type Clock, later, msSince, type SteadyTime } from '../../base/clock.ts';
import { goDuration } from '../../base/go.ts';
import type { Sweeper } from '../../base/sweeper.ts';
import { minuteOf } from '../../base/words.ts';
import type { Identity } from '../../spc/model.ts';
import type { Proof } from './identity-mode.ts';
import type { OfflineProof } from './offline-proof.ts';

/** Proofs kept at most. The principal with the most proofs loses its least recently used one. */
const MAX_PROOFS = 10_000;
/** How long after its time a proof is remembered, for the message that its time is over. */
const TRACE_MS = 24 * 60 * 60 * 1000;
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
  /** Who is charged for what the identity can make many of: the namespace of its pod. */
  readonly owner: string;
}

/** What a login service has said of a proof. */
interface Judgment {
  readonly accepted: boolean;
  readonly at: SteadyTime;
  /** The same by the wall clock, in milliseconds since 1970. */
  readonly date: number;
  /** How long it counts. */
  readonly lifeMs: number;
  /** When the token of the proof ends, in milliseconds since 1970. */
  readonly expiresAt: number;
}

/**
 * The proofs that login services have accepted or refused. Their age follows the steady clock alone, as that of the values
 * that they open; the ends of tokens follow the wall clock too.
 */
export class Vouchers {
  readonly #options: VouchersOptions;
  readonly #clock: Clock;
  readonly #proofs: Cache<Judgment>;

  constructor(options: VouchersOptions) {
    this.#options = options;
    this.#clock = options.sweeper.clock;
    const isOver = ({ at, lifeMs }: Judgment) => msSince(this.#clock, at) >= lifeMs + TRACE_MS;
    this.#proofs = new Cache({ entries: MAX_PROOFS, isOver, sweeper: options.sweeper });
  }

  /**
   * Records that the login service has accepted a proof at `now` (milliseconds since 1970). It counts for as long as it
   * is valid.
   */
  accepted(claim: Claim, now: number): void {
    this.#proofs.delete(claim.principal);
    this.#accept(claim, now);
    if (this.#options.maxStaleMs > 0) this.#options.offlineProof.accepted(claim.identity, claim.owner);
  }

  /**
   * Records that a vault has given a value for a token of the claim at `now` (milliseconds since 1970). The proof
   * counts from then on, so that it counts for as long as the value. One that was refused since its login stays
   * refused.
   */
  confirmed(claim: Claim, now: number): void {
    if (!this.#isRefused(claim)) this.#accept(claim, now);
  }

  /**
   * Records that the login service has refused a proof at `now` (milliseconds since 1970), so that its token is not
   * verified offline either. If that token is genuine, its principal was refused: no other token counts until a login
   * succeeds.
   */
  refused(claim: Claim, now: number): void {
    const { offlineProof, witness } = this.#options;
    const { identity, principal, proof } = claim;
    this.#note(keyOf(claim), false, { owner: REFUSED });
    if (proof.by !== 'token') {
      witness?.refused(principal);
      return;
    }
    void offlineProof.verify(identity, now).then((genuine) => {
      if (!genuine) return;
      this.#note(principal, false, { owner: principal, lifeMs: Infinity });
      witness?.refused(principal);
    });
  }

  /**
   * Loads a principal that was accepted `ageMs` milliseconds ago, in an earlier process. This counts for identities
   * whose key holds the whole credential, or that the node proves. A service-account token has to be verified.
   */
  load(principal: string, ageMs: number): void {
    if (this.#judged(principal) === undefined) this.#note(principal, true, { owner: principal, ageMs });
  }

  /**
   * Returns true if the proof was accepted not too long ago, or is verified offline at `now` (milliseconds since 1970).
   */
  async vouchFor(claim: Claim, now: number): Promise<boolean> {
    const { offlineProof, maxStaleMs } = this.#options;
    if (maxStaleMs <= 0 || this.#judged(claim.principal) === false) return false;
    return this.#judged(keyOf(claim)) ?? (await offlineProof.verify(claim.identity, now));
  }

  /**
   * Returns why the proof does not count, in words that follow an error; undefined where last known values are off. It
   * tells only what the caller knows, who holds the proof.
   */
  whyNot(claim: Claim): string | undefined {
    const { maxStaleMs } = this.#options;
    if (maxStaleMs <= 0) return undefined;
    const own = this.#proofs.peek(keyOf(claim));
    if (this.#isRefused(claim)) {
      return 'no last known value is served, since this credential or its identity was refused before';
    }
    if (own?.accepted !== true || msSince(this.#clock, own.at) < maxStaleMs) {
      return 'no last known value is served, since this node has not seen this credential accepted';
    }
    const limit = `--max-stale (${goDuration(maxStaleMs)})`;
    const since = `since this credential was last accepted at ${minuteOf(own.date)}`;
    return `no last known value is served, ${since}, longer ago than ${limit} allows; a larger --max-stale covers longer outages`;
  }

  #accept(claim: Claim, now: number): void {
    const { principal, proof } = claim;
    const { maxStaleMs, witness } = this.#options;
    const expiresAt = proof.by === 'token' ? (proof.expiresAt ?? Infinity) : Infinity;
    this.#note(keyOf(claim), true, { owner: principal, lifeMs: Math.min(maxStaleMs, expiresAt - now), expiresAt });
    if (maxStaleMs > 0 && proof.by !== 'token') witness?.accepted(principal);
  }

  #note(key: string, accepted: boolean, { owner, ageMs = 0, lifeMs, expiresAt = Infinity }: NoteOptions): void {
    if (this.#options.maxStaleMs <= 0) return;
    const at = later(this.#clock.steady(), -ageMs);
    const date = this.#clock.wall() - ageMs;
    const judgment = { accepted, at, date, lifeMs: lifeMs ?? this.#options.maxStaleMs, expiresAt };
    this.#proofs.set(key, judgment, { owner });
  }

  #isRefused(claim: Claim): boolean {
    const key = keyOf(claim);
    return this.#judged(key) === false || (key !== claim.principal && this.#judged(claim.principal) === false);
  }

  /** What counts now; undefined: nothing. */
  #judged(key: string): boolean | undefined {
    const judgment = this.#proofs.get(key);
    if (judgment === undefined) return undefined;
    const { accepted, at, lifeMs, expiresAt } = judgment;
    return msSince(this.#clock, at) < lifeMs && this.#clock.wall() < expiresAt ? accepted : undefined;
  }
}

interface NoteOptions {
  readonly owner: string;
  readonly ageMs?: number;
  /** Default: `maxStaleMs`. */
  readonly lifeMs?: number;
  readonly expiresAt?: number;
}

/** Returns the key of a proof. The principal's key holds the credential, unless the proof is a token. */
function keyOf({ principal, proof }: Claim): string {
  return proof.by === 'token' ? `${principal} ${proof.digest}` : principal;
}
