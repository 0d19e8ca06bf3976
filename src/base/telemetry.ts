import type { ObjectType } from './objects.ts';

/** Outcomes of requests, a metric label: `ok`, or the class of the failure. */
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

/** A mounted object that carries an expiry date. */
export interface ObjectExpiry {
  readonly namespace: string;
  readonly pod: string;
  readonly objectType: ObjectType;
  readonly objectName: string;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

/** How one Mount went, for one pod volume. */
export interface MountOutcome {
  /** Tells this volume from every other: its target path, where the driver gives one. */
  readonly volume: string;
  readonly namespace: string;
  readonly pod: string;
  /** The volume's own name where the driver never named the class. */
  readonly secretProviderClass: string;
  readonly ok: boolean;
  /** Of the objects it was answered with; none where it failed. */
  readonly expiries: readonly ObjectExpiry[];
  /** Milliseconds since 1970. */
  readonly finishedAt: number;
}

/** Where the program reports what it counts; `server/metrics.ts` turns it into Prometheus metrics. */
export interface Telemetry {
  /** One object version fetched, or one version listing, retries included. */
  keyVaultRequest(objectType: ObjectType, objectName: string, seconds: number, outcome: Outcome): void;
  /** A vault is about to be asked, for whatever it is. */
  vaultAsked(vault: string): void;
  /** An HTTP answer of a vault that makes us wait or try again. */
  vaultRetry(vault: string, reason: 'throttled' | 'retried'): void;
  /** One token asked of Entra, IMDS, NMI or the token proxy. */
  tokenRequest(identity: string, outcome: Outcome): void;
  /** A read answered from memory (`hit`), joined to one in flight (`shared`), or sent to the vault (`miss`). */
  cacheLookup(result: 'hit' | 'shared' | 'miss'): void;
  /** Warnings about certificates, by bounded reason such as `expired` or `chain_incomplete`. */
  certificateWarning(reason: string): void;
  mountFinished(outcome: MountOutcome): void;
}

/** Counts nothing. */
export const silentTelemetry: Telemetry = {
  keyVaultRequest() {},
  vaultAsked() {},
  vaultRetry() {},
  tokenRequest() {},
  cacheLookup() {},
  certificateWarning() {},
  mountFinished() {},
};
