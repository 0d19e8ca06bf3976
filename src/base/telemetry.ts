/**
 * The figures that the provider reports, without a metrics library. `server/metrics.ts` turns them into Prometheus
 * metrics; mount and azure report through the interface.
 */

import type { ObjectType } from './objects.ts';

/** Values of the metric label for the outcome of a request: `ok`, or the class of the failure. */
export const OUTCOMES = [
  'ok',
  'bad_request',
  'unauthenticated',
  'forbidden',
  'not_found',
  'throttled',
  'server_error',
  'unreachable',
  'timeout',
  'cancelled',
  'other',
] as const;

/** One of {@link OUTCOMES}. */
export type Outcome = (typeof OUTCOMES)[number];

/** The reasons for which a Mount is answered with last known values, a metric label. */
export const LAST_KNOWN_CAUSES = [
  'unreachable',
  'timeout',
  'throttled',
  'server_error',
] as const satisfies readonly Outcome[];

/** One of {@link LAST_KNOWN_CAUSES}. */
export type LastKnownCause = (typeof LAST_KNOWN_CAUSES)[number];

/** The reasons for which an optional object is missing, a metric label. */
export const MISSING_REASONS = ['not_found', 'disabled'] as const;

/** One of {@link MISSING_REASONS}. */
export type MissingReason = (typeof MISSING_REASONS)[number];

/** What was done about an object whose dates do not hold, a metric label. */
export const VALIDITY_ACTIONS = ['warned', 'refused', 'previous'] as const;

/** One of {@link VALIDITY_ACTIONS}. */
export type ValidityAction = (typeof VALIDITY_ACTIONS)[number];

/** A mounted object that carries an expiry date. */
export interface ObjectExpiry {
  readonly namespace: string;
  readonly pod: string;
  readonly objectType: ObjectType;
  readonly objectName: string;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

/** The result of one Mount of one volume. */
export interface MountOutcome {
  /** Identifies the volume: its target path, if the driver gives one. */
  readonly volume: string;
  readonly namespace: string;
  readonly pod: string;
  /** If the driver never named the class, this is the name of the volume in the pod. */
  readonly secretProviderClass: string;
  readonly ok: boolean;
  /** Age of the oldest last known value of the answer, in milliseconds; 0: there is none, or the Mount failed. */
  readonly lastKnownAgeMs: number;
  /** Expiry dates of the delivered objects; empty if the Mount failed. */
  readonly expiries: readonly ObjectExpiry[];
  /** Milliseconds since 1970. */
  readonly finishedAt: number;
}

/** Results of name lookups, a metric label. `stale`: an answer from before was used, as the name servers failed. */
export const LOOKUP_RESULTS = ['ok', 'not_found', 'failed', 'refused', 'stale'] as const;

/** The reasons to send a request a second time, a metric label. */
export const SECOND_CAUSES = ['connection', 'answer', 'cut'] as const;

/** Which of two equal requests was answered first, a metric label. */
export const WINNERS = ['first', 'second', 'none'] as const;

/**
 * What became of a finished span, a metric label: `dropped` had no place among those that wait for an export, and the
 * endpoint has not taken those that are `rejected`.
 */
export const SPAN_RESULTS = ['exported', 'failed', 'dropped', 'rejected'] as const;

/** One of {@link SPAN_RESULTS}. */
export type SpanResult = (typeof SPAN_RESULTS)[number];

/** Receives the figures. */
export interface Telemetry {
  /** One read of an object version or one version listing, including retries. */
  keyVaultRequest(objectType: ObjectType, objectName: string, seconds: number, outcome: Outcome): void;
  /** Called before each request to a vault is sent. */
  vaultAsked(vault: string): void;
  /** Called for each HTTP answer of a vault that causes a pause or another attempt. */
  vaultRetry(vault: string, reason: 'throttled' | 'retried'): void;
  /** One token request to Entra ID, IMDS, NMI or the token proxy. */
  tokenRequest(identity: string, outcome: Outcome): void;
  /** One lookup of a host name, or one use of an old answer. */
  nameLookup(result: (typeof LOOKUP_RESULTS)[number]): void;
  /** A request was sent a second time, before or in place of the failure of the first; counted at its end. */
  secondRequest(cause: (typeof SECOND_CAUSES)[number], winner: (typeof WINNERS)[number]): void;
  /** A read answered from memory (`hit`), joined to one in flight (`shared`), or sent to the vault (`miss`). */
  cacheLookup(result: 'hit' | 'shared' | 'miss'): void;
  /** A Mount was answered with last known values, since a host failed so. */
  lastKnownMount(cause: LastKnownCause): void;
  /** An optional object was missing at a Mount. */
  objectMissing(reason: MissingReason): void;
  /** A fallback vault answered a read in place of a vault that was away. */
  fallbackRead(vault: string, fallback: string): void;
  /** The dates of an object with `validity` did not hold at a Mount. */
  objectNotValid(action: ValidityAction): void;
  /** One warning about a certificate. The reasons are few, such as `expired` or `chain_incomplete`. */
  certificateWarning(reason: string): void;
  mountFinished(outcome: MountOutcome): void;
  /** A file of the offline cache was refused (`read`), or its directory could not be written (`write`). */
  offlineCacheFailure(operation: 'read' | 'write'): void;
  /** The number of entries of the offline cache on the disk. */
  offlineCacheEntries(count: number): void;
}

/** Counts nothing. */
export const silentTelemetry: Telemetry = {
  keyVaultRequest() {},
  vaultAsked() {},
  vaultRetry() {},
  tokenRequest() {},
  nameLookup() {},
  secondRequest() {},
  cacheLookup() {},
  lastKnownMount() {},
  objectMissing() {},
  fallbackRead() {},
  objectNotValid() {},
  certificateWarning() {},
  mountFinished() {},
  offlineCacheFailure() {},
  offlineCacheEntries() {},
};
