/**
 * Keeps the published keys of issuers whose service-account tokens a login service has accepted, and verifies new tokens
 * of these issuers while that service is away. The token pool and the readers of vaults call it through `OfflineProof`.
 * Refuses issuers that were never accepted, and asks an issuer for its keys at most once a minute.
 */

import type { HttpClient } from '@azure/core-rest-pipeline';
import { Cache } from '../../base/cache.ts';
import { type Clock, Lifetime } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import { isJsonObject } from '../../base/json.ts';
import type { Logger } from '../../base/log.ts';
import type { Sweeper } from '../../base/sweeper.ts';
import type { Identity } from '../../spc/model.ts';
import { claimedPrincipal, IDENTITY_BINDING_AUDIENCE, WORKLOAD_IDENTITY_AUDIENCE } from '../../spc/tokens.ts';
import { type IssuerKey, type PublicJwk, readKeySet } from './jwks.ts';
import type { OfflineProof } from './offline-proof.ts';
import { fetchIssuerKeys, isIssuerUrl } from './openid-documents.ts';
import type { PodTokenIdentity } from './pod-token.ts';
import { claimsProblem, isSignedBy, keyOf, readSignedToken, type SignedToken } from './signed-token.ts';

/** Issuers kept. A node has tokens of one: that of its cluster. */
const MAX_ISSUERS = 16;
/** Keys older than this are asked for anew, at the next login or verification. */
const REFRESH_MS = 60 * 60 * 1000;
/** Shortest time between two tries to read the keys of one issuer. */
const RETRY_MS = 60 * 1000;
/** How far the clock of the node may have been set back since keys were stored. */
const MAX_SKEW_MS = 5 * 60 * 1000;

/** Audience of the tokens of each mode that logs in with one. */
const AUDIENCES: Readonly<Record<PodTokenIdentity['kind'], string>> = {
  'workload-identity': WORKLOAD_IDENTITY_AUDIENCE,
  'identity-binding': IDENTITY_BINDING_AUDIENCE,
};

/** Parts of {@link IssuerKeys}. */
export interface IssuerKeysOptions {
  /** Its requests are bounded by `DOCUMENT_BOUNDS`. */
  readonly client: HttpClient;
  readonly log: Logger;
  readonly clock: Clock;
  readonly sweeper: Sweeper;
  /** How long keys are used after they were last read from their issuer. */
  readonly keepMs: number;
}

/** An accepted issuer with its keys, as plain JSON; holds nothing secret. */
export interface IssuerSnapshot {
  readonly issuer: string;
  /** When the keys were read, in milliseconds since 1970. */
  readonly readAt: number;
  readonly keys: readonly PublicJwk[];
}

interface Issuer {
  readonly name: string;
  keys: readonly IssuerKey[];
  readAt: number;
  /** Until then the keys need not be asked for anew. */
  fresh: Lifetime;
  /** Until then they are not asked for again. */
  pause: Lifetime;
  reading: Promise<void> | undefined;
  /** True after a try that failed, which is logged once. */
  failed: boolean;
}

/** The keys of accepted issuers. */
export class IssuerKeys implements OfflineProof {
  readonly #options: IssuerKeysOptions;
  readonly #issuers: Cache<Issuer>;

  constructor(options: IssuerKeysOptions) {
    this.#options = options;
    this.#issuers = new Cache({ entries: MAX_ISSUERS, sweeper: options.sweeper });
  }

  /** Reads the keys of the identity's issuer in the background, if they are not known or no longer fresh. */
  accepted(identity: Identity): void {
    if (!hasPodToken(identity)) return;
    const name = claimedPrincipal(identity.token)?.issuer;
    if (name === undefined) return;
    const issuer = this.#issuers.get(name) ?? this.#add(name);
    if (issuer?.fresh.over === true) this.#read(issuer);
  }

  async verify(identity: Identity, now: number): Promise<boolean> {
    if (!hasPodToken(identity)) return false;
    const problem = await this.#problemOf(identity, now);
    if (problem === undefined) return true;
    this.#options.log.detail('A service-account token was not verified offline', { detail: problem });
    return false;
  }

  /** The accepted issuers whose keys are known. */
  snapshot(): readonly IssuerSnapshot[] {
    const known = [...this.#issuers].map(([, issuer]) => issuer).filter(({ keys }) => keys.length > 0);
    return known.map(({ name, readAt, keys }) => ({ issuer: name, readAt, keys: keys.map(({ jwk }) => jwk) }));
  }

  /**
   * Takes over the issuers of a snapshot, such as one of before a restart. Leaves out entries that are no longer in time,
   * are not sound, or are known here already. Returns the number of issuers that it took.
   */
  restore(snapshot: unknown): number {
    if (!Array.isArray(snapshot)) return 0;
    return snapshot.slice(0, MAX_ISSUERS).filter((entry) => this.#restoreOne(entry)).length;
  }

  /** The reason why the token of an identity is not proven. */
  async #problemOf({ kind, token: secret }: PodTokenIdentity, now: number): Promise<string | undefined> {
    const token = readSignedToken(secret.reveal());
    if (token === undefined) return 'it is not a signed JWT of a known form';
    const issuer = this.#issuers.get(token.issuer);
    if (issuer === undefined) return 'no login with a token of its issuer has succeeded on this node';
    const problem = claimsProblem(token.claims, { audience: AUDIENCES[kind], now });
    if (problem !== undefined) return problem;
    const key = await this.#keyFor(token, issuer);
    if (key === undefined) return 'its issuer publishes no key of its key ID and algorithm';
    return isSignedBy(token, key) ? undefined : 'its signature is not one of its issuer';
  }

  /** The key that a token names. An unknown one may be new, so that the issuer is asked, if it was not just now. */
  async #keyFor(token: SignedToken, issuer: Issuer): Promise<IssuerKey | undefined> {
    const known = keyOf(token, issuer.keys);
    if (known === undefined || issuer.fresh.over) this.#read(issuer);
    if (known !== undefined) return known;
    await issuer.reading;
    return keyOf(token, issuer.keys);
  }

  /** A newcomer; undefined if it is no issuer that can be asked, or if there is no room: nobody takes another's place. */
  #add(name: string): Issuer | undefined {
    const { clock, log, keepMs } = this.#options;
    if (!isIssuerUrl(name)) return undefined;
    this.#issuers.sweep();
    if (this.#issuers.size >= MAX_ISSUERS) {
      log.detail('The keys of an issuer are not kept, as there are too many issuers', { issuer: name });
      return undefined;
    }
    const over = () => new Lifetime(clock, 0);
    const issuer = { name, keys: [], readAt: 0, fresh: over(), pause: over(), reading: undefined, failed: false };
    this.#issuers.set(name, issuer, { ttlMs: keepMs });
    return issuer;
  }

  /** Begins to read the keys of an issuer, if that is not under way and was not tried just now. */
  #read(issuer: Issuer): void {
    if (issuer.reading !== undefined || !issuer.pause.over) return;
    issuer.pause = new Lifetime(this.#options.clock, RETRY_MS);
    issuer.reading = this.#fetch(issuer);
  }

  async #fetch(issuer: Issuer): Promise<void> {
    const { client, clock } = this.#options;
    try {
      const keys = await fetchIssuerKeys(issuer.name, client);
      this.#keep(issuer, { keys, readAt: clock.wall() });
    } catch (error) {
      this.#note(issuer, error);
    } finally {
      issuer.reading = undefined;
    }
  }

  #keep(issuer: Issuer, { keys, readAt }: Pick<Issuer, 'keys' | 'readAt'>): void {
    const { clock, log, keepMs } = this.#options;
    const ageMs = Math.max(0, clock.wall() - readAt);
    Object.assign(issuer, { keys, readAt, fresh: new Lifetime(clock, REFRESH_MS - ageMs), failed: false });
    this.#issuers.set(issuer.name, issuer, { ttlMs: keepMs - ageMs });
    log.detail('The keys of an issuer are kept', { issuer: issuer.name, keys: keys.length });
  }

  #note(issuer: Issuer, error: unknown): void {
    if (issuer.failed) return;
    issuer.failed = true;
    const message = 'The keys of an issuer cannot be read; its tokens are not verified while Entra ID is away';
    this.#options.log.info(message, { issuer: issuer.name, error: messageOf(error) });
  }

  #restoreOne(entry: unknown): boolean {
    const { clock, keepMs } = this.#options;
    if (!isJsonObject(entry)) return false;
    const { issuer: name, readAt, keys } = entry;
    if (typeof name !== 'string' || typeof readAt !== 'number') return false;
    const ageMs = clock.wall() - readAt;
    if (!(ageMs >= -MAX_SKEW_MS && ageMs < keepMs) || this.#issuers.peek(name) !== undefined) return false;
    try {
      const known = readKeySet({ keys });
      const issuer = this.#add(name);
      if (issuer === undefined) return false;
      this.#keep(issuer, { keys: known, readAt });
      return true;
    } catch {
      return false;
    }
  }
}

function hasPodToken(identity: Identity): identity is PodTokenIdentity {
  return Object.hasOwn(AUDIENCES, identity.kind);
}
