/**
 * Registers the counters of events. `instruments.ts` calls it when the Prometheus library is loaded.
 */

import { Counter, Gauge, type Registry } from 'prom-client';
import {
  LAST_KNOWN_CAUSES,
  LOOKUP_RESULTS,
  MISSING_REASONS,
  OUTCOMES,
  SECOND_CAUSES,
  VALIDITY_ACTIONS,
  WINNERS,
} from '../base/telemetry.ts';
import { CERTIFICATE_REASONS } from '../pki/reasons.ts';
import { IDENTITY_KINDS } from '../spc/identities/table.ts';

/** The counters, by the names that `metrics.ts` uses, and a gauge that is set like them. */
export type Counters = ReturnType<typeof registerCounters>;

/**
 * Registers the counters that only this provider has. Every series that is known beforehand begins at 0: otherwise
 * `increase()` misses the first event.
 */
export function addCounters(registers: Registry[]): Counters {
  const counters = registerCounters(registers);
  beginAtZero(counters);
  return counters;
}

type MakeCounter = <L extends string>(name: string, help: string, ...labelNames: L[]) => Counter<L>;

/** The counters of objects that are not given out as usual. */
function objectCounters(counter: MakeCounter) {
  return {
    missingObjects: counter(
      'akv_csi_missing_objects_total',
      'Optional objects that were missing at a Mount, since there is no such object or it is disabled',
      'reason',
    ),
    fallbackReads: counter(
      'akv_csi_fallback_reads_total',
      'Reads that a fallback vault answered, since the vault before it was away',
      'vault',
      'fallback',
    ),
    invalidObjects: counter(
      'akv_csi_invalid_objects_total',
      'Objects with validity whose dates did not hold at a Mount, by what was done',
      'action',
    ),
  };
}

function registerCounters(registers: Registry[]) {
  const counter: MakeCounter = (name, help, ...labelNames) => new Counter({ name, help, labelNames, registers });
  return {
    vaultRetries: counter(
      'akv_csi_vault_retries_total',
      'Answers of a vault that made the provider wait (throttled) or try again (retried)',
      'vault',
      'reason',
    ),
    tokenRequests: counter(
      'akv_csi_token_requests_total',
      'Token requests to Entra ID, IMDS, NMI or the token proxy',
      'identity',
      'outcome',
    ),
    nameLookups: counter(
      'akv_csi_name_lookups_total',
      'Lookups of host names by result; stale: an earlier answer was used, as the name servers did not answer',
      'result',
    ),
    secondRequests: counter(
      'akv_csi_second_requests_total',
      'Requests sent a second time, as the connection or the answer hung or a kept connection was cut',
      'cause',
      'winner',
    ),
    cacheLookups: counter(
      'akv_csi_cache_lookups_total',
      'Reads answered from memory (hit), joined to one in flight (shared) or sent to the vault (miss)',
      'result',
    ),
    lastKnownMounts: counter(
      'akv_csi_last_known_mounts_total',
      'Mounts answered with last known values, since a vault or the login service did not answer',
      'cause',
    ),
    ...objectCounters(counter),
    certificateWarnings: counter(
      'akv_csi_certificate_warnings_total',
      'Certificates mounted although something is wrong with them',
      'reason',
    ),
    offlineCacheFailures: counter(
      'akv_csi_offline_cache_failures_total',
      'Files of the offline cache that were refused (read), and tries to write to it that failed (write)',
      'operation',
    ),
    offlineCacheEntries: new Gauge({
      name: 'akv_csi_offline_cache_entries',
      help: 'Entries of the offline cache on the disk of the node',
      registers,
    }),
  };
}

function beginAtZero(counters: Counters): void {
  for (const operation of ['read', 'write']) counters.offlineCacheFailures.inc({ operation }, 0);
  for (const identity of IDENTITY_KINDS) {
    for (const outcome of OUTCOMES) counters.tokenRequests.inc({ identity, outcome }, 0);
  }
  for (const result of LOOKUP_RESULTS) counters.nameLookups.inc({ result }, 0);
  for (const cause of SECOND_CAUSES) for (const winner of WINNERS) counters.secondRequests.inc({ cause, winner }, 0);
  for (const result of ['hit', 'shared', 'miss']) counters.cacheLookups.inc({ result }, 0);
  for (const cause of LAST_KNOWN_CAUSES) counters.lastKnownMounts.inc({ cause }, 0);
  for (const reason of MISSING_REASONS) counters.missingObjects.inc({ reason }, 0);
  for (const action of VALIDITY_ACTIONS) counters.invalidObjects.inc({ action }, 0);
  for (const reason of CERTIFICATE_REASONS) counters.certificateWarnings.inc({ reason }, 0);
}
