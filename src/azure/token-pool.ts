import { abortable } from '../base/abort.ts';
import type { Clock } from '../base/clock.ts';
import type { Secret } from '../base/secret.ts';
import { SingleFlight } from '../base/single-flight.ts';
import type { Outcome, Telemetry } from '../base/telemetry.ts';
import type { Cloud } from '../spc/cloud.ts';
import type { Identity } from '../spc/model.ts';
import { type AcquiredToken, acquireToken, type TokenTransport } from './acquire.ts';
import { outcomeOf } from './outcome.ts';
import { digest, principalKey } from './principal.ts';

/** Principals kept at most; the one not used for longest goes first. */
const MAX_PRINCIPALS = 1000;
/** Principals not used for this long are forgotten. */
const IDLE_MS = 2 * 60 * 60 * 1000;
/** Service-account tokens of one principal that are remembered as accepted. */
const MAX_PROOFS = 1000;
/** A token this close to its end is renewed before it is used. */
const EXPIRY_MARGIN_MS = 2 * 60 * 1000;
/** A token this close to its end is renewed in the background. */
const REFRESH_MARGIN_MS = 10 * 60 * 1000;
/** Bound of one token request. */
const ACQUIRE_TIMEOUT_MS = 60_000;

/** Who asks, where, and for which resource. */
export interface TokenUse {
  readonly identity: Identity;
  readonly cloud: Cloud;
  readonly resource: string;
  readonly signal: AbortSignal;
  /** Claims of a challenge (CAE), JSON: the pooled token is not good enough. */
  readonly claims?: string;
  /** A token that the vault refused: if it is the pooled one, it is dropped. */
  readonly refused?: Secret;
}

interface Principal {
  /** By resource. */
  readonly tokens: Map<string, AcquiredToken>;
  /** Digests of service-account tokens that Entra accepted, and when each is forgotten. */
  readonly proofs: Map<string, number>;
  usedAt: number;
}

/** What {@link TokenPool} works with. */
export interface TokenPoolOptions {
  readonly transport: TokenTransport;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
}

/**
 * One login for all who are the same principal. Tokens are fetched single-flight and renewed ahead of their expiry.
 *
 * The claims of a pod's service-account token are unverified input, so a token that names a subject opens that subject's
 * pooled login only after Entra has accepted that very token once.
 */
export class TokenPool {
  readonly #options: TokenPoolOptions;
  readonly #principals = new Map<string, Principal>();
  readonly #flights = new SingleFlight<Secret>();

  constructor(options: TokenPoolOptions) {
    this.#options = options;
  }

  /**
   * A token for the resource. Its mere success is the proof that the identity is who it says.
   * Errors: see `loginError`; the signal's reason.
   */
  async token(use: TokenUse): Promise<Secret> {
    const key = principalKey(use.identity, use.cloud);
    const principal = this.#principal(key);
    const proof = proofOf(use.identity);
    const now = this.#options.clock.now();
    const proven = proof === undefined || (principal.proofs.get(proof) ?? 0) > now;
    if (use.refused !== undefined && principal.tokens.get(use.resource)?.token === use.refused) {
      principal.tokens.delete(use.resource);
    }
    const pooled = proven && use.claims === undefined ? principal.tokens.get(use.resource) : undefined;
    if (pooled !== undefined && pooled.expiresAt - EXPIRY_MARGIN_MS > now) {
      const refreshAt = pooled.refreshAt ?? pooled.expiresAt - REFRESH_MARGIN_MS;
      if (refreshAt <= now) this.#refresh(key, use);
      return pooled.token;
    }
    return this.#acquire(key, use, proven);
  }

  #principal(key: string): Principal {
    const now = this.#options.clock.now();
    const known = this.#principals.get(key);
    const principal = known ?? { tokens: new Map(), proofs: new Map(), usedAt: now };
    principal.usedAt = now;
    this.#principals.delete(key);
    this.#principals.set(key, principal);
    for (const [oldest, { usedAt }] of this.#principals) {
      if (this.#principals.size <= MAX_PRINCIPALS && now - usedAt < IDLE_MS) break;
      this.#principals.delete(oldest);
    }
    return principal;
  }

  #refresh(key: string, use: TokenUse): void {
    const flight = `${key} ${use.resource} refresh`;
    if (this.#flights.has(flight)) return;
    const { signal } = new AbortController();
    this.#flights
      .run(flight, signal, (inner) => this.#request(key, use, inner))
      .catch(() => {
        // The pooled token is still good; the next use tries again.
      });
  }

  #acquire(key: string, use: TokenUse, proven: boolean): Promise<Secret> {
    const proof = proven ? '' : (proofOf(use.identity) ?? '');
    const flight = JSON.stringify([key, use.resource, proof, use.claims ?? '']);
    return this.#flights.run(flight, use.signal, (signal) => this.#request(key, use, signal));
  }

  async #request(key: string, use: TokenUse, signal: AbortSignal): Promise<Secret> {
    const { transport, telemetry } = this.#options;
    const { identity, cloud, resource, claims } = use;
    const bounded = AbortSignal.any([signal, AbortSignal.timeout(ACQUIRE_TIMEOUT_MS)]);
    let outcome: Outcome = 'other';
    try {
      // The SDK does not honour an abort while it talks to Entra.
      const acquired = await abortable(
        acquireToken({ identity, cloud, resource, claims, signal: bounded }, transport),
        bounded,
      );
      outcome = 'ok';
      this.#keep(key, use, acquired);
      return acquired.token;
    } catch (error) {
      outcome = outcomeOf(error);
      throw error;
    } finally {
      telemetry.tokenRequest(identity.kind, outcome);
    }
  }

  #keep(key: string, { identity, resource }: TokenUse, acquired: AcquiredToken): void {
    const principal = this.#principal(key);
    principal.tokens.set(resource, acquired);
    const proof = proofOf(identity);
    if (proof === undefined) return;
    principal.proofs.set(proof, acquired.expiresAt);
    for (const oldest of principal.proofs.keys()) {
      if (principal.proofs.size <= MAX_PROOFS) break;
      principal.proofs.delete(oldest);
    }
  }
}

/** Digest of a proof that is no part of the principal's key; undefined where the key holds all of it. */
function proofOf(identity: Identity): string | undefined {
  return identity.kind === 'workload-identity' || identity.kind === 'identity-binding'
    ? digest(identity.token.reveal())
    : undefined;
}
