/**
 * Keeps one token for each principal, and renews it before it expires. Called by the readers of vaults. Refuses a
 * pooled token to an identity whose proof the login service has not accepted.
 */

import { delay } from '../../base/abort.ts';
import { Cache } from '../../base/cache.ts';
import { Lifetime } from '../../base/clock.ts';
import { ProviderError } from '../../base/errors.ts';
import type { Secret } from '../../base/secret.ts';
import { SingleFlight } from '../../base/single-flight.ts';
import type { Sweeper } from '../../base/sweeper.ts';
import type { Outcome, Telemetry } from '../../base/telemetry.ts';
import type { Span } from '../../base/trace.ts';
import type { Cloud } from '../../spc/cloud.ts';
import type { Identity } from '../../spc/model.ts';
import { outcomeOf } from '../http/outcome.ts';
import { HASTY_PAUSE_MS } from '../http/retry-after.ts';
import type { SilentHosts } from '../http/silent-hosts.ts';
import type { Proof, TokenTransport } from './identity-mode.ts';
import { describeIdentity, type LoginPlace, loginPlace, principalKey, proofOf } from './identity-modes.ts';
import { type ProofParts, type ProofUse, prove, type Standing } from './standing.ts';
import { type AcquiredToken, acquireToken } from './token-request.ts';

/** Tokens kept at most. Of these and of the following, the namespace with most of them loses its oldest one. */
const MAX_TOKENS = 1000;
/** Tokens not used for this long are forgotten. */
const IDLE_MS = 2 * 60 * 60 * 1000;
/** Longest life of a token. Tokens of Entra ID with CAE are valid for a day, but a revoked login must end sooner. */
const MAX_LIFE_MS = 90 * 60 * 1000;
/** Service-account tokens remembered as accepted. */
const MAX_PROOFS = 10_000;
/** A token this close to its end, or in this last part of its life, is renewed before it is used. */
const EXPIRY_MARGIN = { ms: 2 * 60 * 1000, part: 0.1 };
/** The same for renewal in the background. */
const REFRESH_MARGIN = { ms: 10 * 60 * 1000, part: 0.2 };
/** Time between two tries to renew a token that is still good. */
const REFRESH_RETRY_MS = 30_000;

/** Life of a token whose expiry is missing or in the past. The vault refuses it if it has expired. */
const UNKNOWN_LIFE_MS = 5 * 60 * 1000;
const MIN_LIFE_MS = 1_000;
/** Refusals of a login host that asked to wait. */
const MAX_THROTTLED = 1000;
/** Longest wait that is kept, so that one wrong header does not block a principal. */
const MAX_THROTTLED_MS = 5 * 60 * 1000;
/** Longest wait of a Mount before it asks again; it fails at once where the service asks for more. */
const PATIENT_MS = 15_000;
/** Waits of one Mount at most. */
const MAX_WAITS = 3;

/** One use of a token. */
export interface TokenUse {
  readonly resource: string;
  readonly signal: AbortSignal;
  /** See `FetchContext`; absent: no. */
  readonly hasty?: boolean;
  /** A token that the vault refused; a pooled token that equals it is not used. */
  readonly refused?: Secret;
  /** Claims of the challenge that came with the refusal (CAE), JSON. */
  readonly claims?: string;
  /** The span that waits for the token. */
  readonly span?: Span | undefined;
}

/** The login of one identity. */
export interface Login {
  /** Key under which proven identities share logins and values; see `principalKey`. */
  readonly principal: string;
  readonly place: LoginPlace;
  /** True if a token for the resource is pooled for the principal. The identity may be unproven. */
  has(resource: string): boolean;
  /**
   * Returns a token for the resource. The identity is proven once this succeeds.
   * Throws: see `loginError`; the signal's reason.
   */
  token(use: TokenUse): Promise<Secret>;
  /**
   * Proves the identity: by a token, or if the login service is away, by what is known about its proof.
   * Throws: see {@link Login.token}.
   */
  prove(use: ProofUse): Promise<Standing>;
  /** Records that a vault has given a value for a token of this login; see `Vouchers`. */
  confirmed(): void;
}

/** Parts of {@link TokenPool}. */
export interface TokenPoolOptions extends ProofParts {
  readonly transport: TokenTransport;
  readonly silent: SilentHosts;
  readonly telemetry: Telemetry;
  readonly sweeper: Sweeper;
  /** Records that a host gave a namespace a token; see `Lookups`. Default: nothing. */
  readonly claim?: (host: string, owner: string) => void;
  /** Default: 1000. */
  readonly maxTokens?: number;
}

interface Claimant {
  readonly identity: Identity;
  readonly cloud: Cloud;
  readonly principal: string;
  readonly place: LoginPlace;
  readonly proof: Proof;
  readonly owner: string;
}

interface Pooled {
  readonly token: Secret;
  /** Past this it is renewed in the background. */
  fresh: Lifetime;
}

/**
 * Shares one login between all callers with the same principal. Equal token requests are sent once, and tokens are
 * renewed before they expire.
 *
 * The claims of a pod's service-account token are unverified input. A token that names a subject gives access to the
 * pooled login of the subject only after Entra ID has accepted this token once.
 */
export class TokenPool {
  readonly #options: TokenPoolOptions;
  /** By principal and resource, in the order of use. */
  readonly #tokens: Cache<Pooled>;
  /** Service-account tokens that Entra accepted, by principal and digest, for as long as each is good. */
  readonly #proofs: Cache<true>;
  readonly #flights = new SingleFlight<Secret>();
  /** Logins whose host asked to wait, by flight: no request is sent before the wait is over. */
  readonly #throttled: Cache<ProviderError>;

  constructor(options: TokenPoolOptions) {
    this.#options = options;
    const { sweeper, maxTokens: entries = MAX_TOKENS } = options;
    this.#tokens = new Cache({ entries, idleMs: IDLE_MS, sweeper });
    this.#proofs = new Cache({ entries: MAX_PROOFS, sweeper });
    this.#throttled = new Cache({ entries: MAX_THROTTLED, sweeper });
  }

  /** Returns the login of an identity. `owner`: the namespace that is charged for its memory. Sends nothing. */
  login(identity: Identity, cloud: Cloud, owner: string): Login {
    const options = this.#options;
    const principal = principalKey(identity, cloud);
    const place = loginPlace(identity, cloud, options.transport);
    const has = (resource: string) => this.#tokens.peek(keyOf(principal, resource)) !== undefined;
    const claimant = { identity, cloud, principal, place, proof: proofOf(identity), owner };
    const prover = {
      ...claimant,
      ready: (resource: string) => this.#isProven(claimant) && has(resource),
      token: (use: TokenUse) => this.#token(claimant, use),
    };
    return {
      principal,
      place,
      has,
      token: prover.token,
      prove(use) {
        use.span?.set({ 'akv_csi.identity': identity.kind, 'server.address': place.host });
        return prove(prover, use, options);
      },
      confirmed: () => options.vouchers.confirmed(claimant, options.clock.wall()),
    };
  }

  async #token(claimant: Claimant, use: TokenUse): Promise<Secret> {
    const { clock } = this.#options;
    const key = keyOf(claimant.principal, use.resource);
    const pooled = this.#tokens.peek(key);
    if (!this.#isProven(claimant)) return this.#acquire(claimant, use, `proof ${tokenDigest(claimant.proof)} ${key}`);
    if (pooled === undefined || pooled.token === use.refused) {
      return this.#acquire(claimant, use, `token ${key} ${use.claims ?? ''}`);
    }
    this.#tokens.get(key);
    if (pooled.fresh.over) {
      pooled.fresh = new Lifetime(clock, REFRESH_RETRY_MS);
      const { signal } = new AbortController();
      this.#acquire(claimant, { resource: use.resource, signal }, `token ${key} `).catch((error: unknown) => {
        // The pooled token is still good, and a later use tries again. A refused login ends at once.
        if (isRefusal(error) && this.#tokens.peek(key) === pooled) this.#tokens.delete(key);
      });
    }
    return pooled.token;
  }

  /** True if the claimant may use what is pooled for its principal. A proof of an unknown kind gives no access. */
  #isProven({ principal, proof }: Claimant): boolean {
    switch (proof.by) {
      case 'key':
      case 'node':
        return true;
      case 'token':
        return this.#proofs.peek(`${principal} ${proof.digest}`) === true;
      default:
        return false;
    }
  }

  async #acquire(claimant: Claimant, use: TokenUse, flight: string): Promise<Secret> {
    const patienceMs = use.hasty === true ? HASTY_PAUSE_MS : PATIENT_MS;
    for (let waits = 0; ; waits++) {
      const throttled = this.#throttled.peek(flight);
      const waitMs = this.#throttled.leftMs(flight);
      if (throttled !== undefined && waitMs > patienceMs) throw throttled;
      if (waitMs > 0) await delay(waitMs, use.signal);
      try {
        return await this.#ask(claimant, use, flight);
      } catch (error) {
        // The SDK has waited for the shorter pauses, and was refused again.
        if (this.#pauseOf(claimant, flight, error) <= HASTY_PAUSE_MS || waits === MAX_WAITS) throw error;
      }
    }
  }

  /** Records the pause that a failed request asks for. Returns it in milliseconds, or 0 if there is none. */
  #pauseOf({ owner }: Claimant, flight: string, error: unknown): number {
    if (!(error instanceof ProviderError)) return 0;
    const { retryAfterMs } = error.details;
    if (retryAfterMs === undefined) return 0;
    this.#throttled.set(flight, error, { ttlMs: Math.min(MAX_THROTTLED_MS, retryAfterMs), owner });
    return retryAfterMs;
  }

  /** Sends one request for all callers that need the same token, while its host answers. */
  async #ask(claimant: Claimant, use: TokenUse, flight: string): Promise<Secret> {
    const { identity, principal, place } = claimant;
    const question = {
      ...place,
      request: keyOf(principal, use.resource),
      failed: () => `Cannot log in as ${describeIdentity(identity)}`,
    };
    const wait = this.#options.silent.listen(question, { hasty: use.hasty === true, signal: use.signal });
    try {
      const ask = (signal: AbortSignal) => this.#request(claimant, { ...use, signal });
      const token = await this.#flights.run(flight, wait.signal, ask, use.span);
      wait.answered();
      return token;
    } catch (error) {
      wait.failed(error);
      throw error;
    }
  }

  async #request(claimant: Claimant, { resource, claims, signal, span }: TokenUse): Promise<Secret> {
    const { transport, telemetry } = this.#options;
    const { identity, cloud } = claimant;
    let outcome: Outcome = 'other';
    try {
      const acquired = await acquireToken({ identity, cloud, resource, claims, signal, span }, transport);
      outcome = 'ok';
      this.#keep(claimant, resource, acquired);
      return acquired.token;
    } catch (error) {
      outcome = outcomeOf(error);
      if (outcome === 'unauthenticated') this.#options.vouchers.refused(claimant, this.#options.clock.wall());
      throw error;
    } finally {
      telemetry.tokenRequest(identity.kind, outcome);
    }
  }

  #keep(claimant: Claimant, resource: string, { token, expiresAt, refreshAt }: AcquiredToken): void {
    const { clock, vouchers } = this.#options;
    const { principal, proof, owner } = claimant;
    const now = clock.wall();
    vouchers.accepted(claimant, now);
    this.#options.claim?.(claimant.place.host, owner);
    const givenMs = expiresAt - now;
    // Without `expires_in` the SDK gives a time in the past, or NaN.
    const lifeMs = givenMs > MIN_LIFE_MS ? Math.min(MAX_LIFE_MS, givenMs) : UNKNOWN_LIFE_MS;
    const margin = ({ ms, part }: typeof EXPIRY_MARGIN) => Math.min(ms, lifeMs * part);
    const freshMs = Math.min(refreshAt === undefined ? lifeMs : refreshAt - now, lifeMs - margin(REFRESH_MARGIN));
    const pooled = { token, fresh: new Lifetime(clock, Math.max(REFRESH_RETRY_MS, freshMs)) };
    this.#tokens.set(keyOf(principal, resource), pooled, { ttlMs: lifeMs - margin(EXPIRY_MARGIN), owner });
    if (proof.by !== 'token') return;
    const goodMs = proof.expiresAt === undefined ? lifeMs : proof.expiresAt - now;
    this.#proofs.set(`${principal} ${proof.digest}`, true, { ttlMs: goodMs, owner });
  }
}

function tokenDigest(proof: Proof): string {
  return proof.by === 'token' ? proof.digest : '';
}

/** Returns true if Entra ID refused the credential of the identity, and false if it failed. */
function isRefusal(error: unknown): boolean {
  if (!(error instanceof ProviderError) || error.code !== 'ERR_AUTHENTICATION') return false;
  return error.details.remoteCode?.startsWith('AADSTS') === true;
}

function keyOf(principal: string, resource: string): string {
  return JSON.stringify([principal, resource]);
}
