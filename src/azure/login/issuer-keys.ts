/**
 * Keeps the published keys of issuers whose service-account tokens a login service has accepted, and verifies new
 * tokens of these issuers while that service is away. The token pool and the readers of vaults call it through
 * `OfflineProof`. Refuses issuers that were never accepted, and asks an issuer for its keys at most once a minute.
 */

import type { HttpClient } from '@azure/core-rest-pipeline';
import { Cache } from '../../base/cache.ts';
import { type Clock, Lifetime, later, msSince, type SteadyTime } from '../../base/clock.ts';
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
import { claimsProblem, isSignedBy, keyOf, readSignedToken } from './signed-token.ts';

/** Issuers kept. A node has tokens of one: that of its cluster. When they are too many, the owner with most loses one. */
const MAX_ISSUERS = 16;
/** Issuers that are read at the same time. Others are read at the next login or verification. */
const MAX_READS = 4;
/** The owner of issuers that several owners log in with. */
const SHARED = '';
/** Keys older than this are asked for anew, at the next login or verification. */
const REFRESH_MS = 60 * 60 * 1000;
/** How long before a value was read its issuer's keys may have been read: keys are asked for only where pods log in. */
const SPARE_MS = 24 * 60 * 60 * 1000;
/** Shortest time between two tries to read the keys of one issuer. */
const RETRY_MS = 60 * 1000;

/** The audience of the tokens for each mode that logs in with one. */
const AUDIENCES: Readonly<Record<PodTokenIdentity['kind'], string>> = {
  'workload-identity': WORKLOAD_IDENTITY_AUDIENCE,
  'identity-binding': IDENTITY_BINDING_AUDIENCE,
};

/** How long the keys of an issuer are used after they were read, for last known values of this age, in milliseconds. */
export function issuerKeepMs(maxStaleMs: number): number {
  return maxStaleMs + SPARE_MS;
}

/** Parts of {@link IssuerKeys}. */
export interface IssuerKeysOptions {
  /** Its requests are bounded by `DOCUMENT_BOUNDS`. */
  readonly client: HttpClient;
  readonly log: Logger;
  readonly sweeper: Sweeper;
  /** How old last known values may be, in milliseconds. Keys are used for a day longer. */
  readonly maxStaleMs: number;
  readonly witness?: IssuerWitness;
}

/** An accepted issuer with its public keys, as plain JSON. Holds nothing secret. */
export interface KnownIssuer {
  readonly issuer: string;
  readonly keys: readonly PublicJwk[];
  /** Milliseconds since the keys were read from the issuer. */
  readonly ageMs: number;
}

/**
 * Receives the keys that were read from an issuer. An example is a store on disk. Returns at once, and never throws.
 */
export interface IssuerWitness {
  kept(issuer: KnownIssuer): void;
  /** Records that an issuer made room for another one. */
  dropped(issuer: string): void;
}

interface Issuer {
  readonly name: string;
  owner: string;
  keys: readonly IssuerKey[];
  /** When the keys were read; before the first time, when the issuer was accepted. */
  readAt: SteadyTime;
  /** Until then the keys need not be asked for anew. */
  fresh: Lifetime;
  /** Until then they are not asked for again. */
  pause: Lifetime;
  reading: boolean;
  /** True after a try that failed, which is logged once. */
  failed: boolean;
}

/** The keys of accepted issuers. Their age follows the steady clock alone, as that of last known values. */
export class IssuerKeys implements OfflineProof {
  readonly #options: IssuerKeysOptions;
  readonly #clock: Clock;
  readonly #keepMs: number;
  #reads = 0;
  readonly #issuers: Cache<Issuer>;

  constructor(options: IssuerKeysOptions) {
    this.#options = options;
    this.#clock = options.sweeper.clock;
    this.#keepMs = issuerKeepMs(options.maxStaleMs);
    const isOver = ({ readAt }: Issuer) => msSince(this.#clock, readAt) >= this.#keepMs;
    this.#issuers = new Cache({ entries: MAX_ISSUERS, isOver, sweeper: options.sweeper });
  }

  /** Reads the keys of the identity's issuer in the background, if they are not known or no longer fresh. */
  accepted(identity: Identity, owner: string): void {
    const name = hasPodToken(identity) ? claimedPrincipal(identity.token)?.issuer : undefined;
    if (name === undefined) return;
    const issuer = this.#issuers.get(name) ?? this.#add(name, owner);
    if (issuer === undefined) return;
    if (issuer.owner !== owner && issuer.owner !== SHARED) {
      issuer.owner = SHARED;
      this.#issuers.set(name, issuer, { owner: SHARED });
    }
    if (issuer.fresh.over) this.#read(issuer);
  }

  async verify(identity: Identity, now: number): Promise<boolean> {
    if (!hasPodToken(identity)) return false;
    const problem = this.#problemOf(identity, now);
    if (problem === undefined) return true;
    const { subject } = claimedPrincipal(identity.token) ?? {};
    this.#options.log.detail('A service-account token was not verified offline', { subject, detail: problem });
    return false;
  }

  /**
   * Loads an issuer of an earlier process, as {@link IssuerWitness} received it. Returns false if it is not used: it is
   * invalid, it is too old, it is known already, or there are too many.
   */
  load(entry: unknown): boolean {
    if (!isJsonObject(entry)) return false;
    const { issuer: name, keys, ageMs } = entry;
    if (typeof name !== 'string' || typeof ageMs !== 'number' || !(ageMs >= 0 && ageMs < this.#keepMs)) {
      return false;
    }
    try {
      const known = readKeySet({ keys });
      const hasRoom = this.#issuers.get(name) === undefined && this.#issuers.size < MAX_ISSUERS;
      const issuer = hasRoom ? this.#add(name, SHARED) : undefined;
      if (issuer !== undefined) this.#keep(issuer, known, ageMs);
      return issuer !== undefined;
    } catch {
      return false;
    }
  }

  /** Returns the reason why the token of an identity is not proven, or undefined if it is. */
  #problemOf({ kind, token: secret }: PodTokenIdentity, now: number): string | undefined {
    const token = readSignedToken(secret.reveal());
    if (token === undefined) return 'it is not a signed JWT of a known form';
    const issuer = this.#issuers.get(token.issuer);
    if (issuer === undefined) return 'no login with a token of its issuer has succeeded on this node';
    const problem = claimsProblem(token.claims, { audience: AUDIENCES[kind], now });
    if (problem !== undefined) return problem;
    const key = keyOf(token, issuer.keys);
    // An unknown key may be a new one, for the next Mount.
    if (key === undefined || issuer.fresh.over) this.#read(issuer);
    if (key === undefined) return 'its issuer published no key of its key ID and algorithm';
    return isSignedBy(token, key) ? undefined : 'its signature is not one of its issuer';
  }

  /** Adds an issuer. Returns undefined if it cannot be asked. */
  #add(name: string, owner: string): Issuer | undefined {
    if (!isIssuerUrl(name)) return undefined;
    const [readAt, over] = [this.#clock.steady(), new Lifetime(this.#clock, 0)];
    const issuer = { name, owner, keys: [], readAt, fresh: over, pause: over, reading: false, failed: false };
    const before = [...this.#issuers].map(([known]) => known);
    this.#issuers.set(name, issuer, { owner });
    for (const known of before) if (this.#issuers.peek(known) === undefined) this.#options.witness?.dropped(known);
    return issuer;
  }

  /** Begins to read the keys of an issuer, unless a read is in progress or was tried within the last minute. */
  #read(issuer: Issuer): void {
    if (issuer.reading || !issuer.pause.over || this.#reads >= MAX_READS) return;
    issuer.reading = true;
    this.#reads++;
    issuer.pause = new Lifetime(this.#clock, RETRY_MS);
    fetchIssuerKeys(issuer.name, this.#options.client)
      .then((keys) => {
        // It may have made room for another one meanwhile.
        if (this.#issuers.peek(issuer.name) !== issuer) return;
        this.#keep(issuer, keys, 0);
        this.#options.witness?.kept({ issuer: issuer.name, keys: keys.map(({ jwk }) => jwk), ageMs: 0 });
      })
      .catch((error: unknown) => this.#note(issuer, error))
      .finally(() => {
        issuer.reading = false;
        this.#reads--;
      });
  }

  #keep(issuer: Issuer, keys: readonly IssuerKey[], ageMs: number): void {
    const readAt = later(this.#clock.steady(), -ageMs);
    Object.assign(issuer, { keys, readAt, fresh: new Lifetime(this.#clock, REFRESH_MS - ageMs), failed: false });
    this.#options.log.detail('The keys of an issuer are kept', { issuer: issuer.name, keys: keys.length });
  }

  #note(issuer: Issuer, error: unknown): void {
    if (issuer.failed) return;
    issuer.failed = true;
    const message = 'The keys of an issuer cannot be read; its tokens are not verified while Entra ID is away';
    this.#options.log.info(message, { issuer: issuer.name, error: messageOf(error) });
  }
}

function hasPodToken(identity: Identity): identity is PodTokenIdentity {
  return Object.hasOwn(AUDIENCES, identity.kind);
}
