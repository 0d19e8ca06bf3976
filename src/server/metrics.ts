/**
 * Counts what the program reports through `Telemetry`, and serves the figures to Prometheus. `serve` makes it. Labels
 * that a manifest or a vault chooses are bounded.
 */

import type { Clock } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { MemoryBudget } from '../base/memory-budget.ts';
import type { Sweeper } from '../base/sweeper.ts';
import type { Outcome, SpanResult, Telemetry } from '../base/telemetry.ts';
import { MOUNT_METHOD } from '../wire/names.ts';
import { boundedLabel, boundedSet } from './bounded.ts';
import type { CallMeter } from './guard.ts';
import { type HttpEndpoint, type HttpOptions, serveHttp } from './http.ts';
import type { InstrumentSources, Instruments } from './instruments.ts';
import type { SocketMeter } from './socket-watch.ts';
import { VolumeFigures } from './volume-figures.ts';

/** Receives everything that the program counts. */
export interface Metrics extends Telemetry, CallMeter, SocketMeter {
  /** Loads the Prometheus library. Until then, counts wait. */
  begin(): Promise<void>;
  /** All metrics in the text format of Prometheus. */
  text(): Promise<string>;
}

/** Options of {@link createMetrics}. */
export interface MetricsOptions {
  /** The version of this program, without a leading `v`. */
  readonly version: string;
  /** True if the label `object_name` is filled: the first hundred names, `other` for the rest. */
  readonly objectNames: boolean;
  readonly clock: Clock;
  /** Drops figures of volumes that are gone. */
  readonly sweeper: Sweeper;
  /** The memory of the Mounts under way. Default: one without limit. */
  readonly memory?: MemoryBudget;
  readonly log: Logger;
  /** The number of log lines dropped since the start; 0 if absent. */
  readonly logLinesDropped?: (stream: 'stdout' | 'stderr') => number;
  /** The number of spans with this result since the start; 0 if absent. */
  readonly traceSpans?: ((result: SpanResult) => number) | undefined;
}

const MAX_OBJECT_NAMES = 100;
/** The limit of series of object type, name and outcome; each has seventeen lines. */
const MAX_OBJECT_SERIES = 200;
const MAX_VAULTS = 100;
const MAX_IDENTITIES = 100;
const MAX_REASONS = 50;
/** Scrapes within one second share one text. */
const KEEP_MS = 1000;

/**
 * Collects the metrics. The Prometheus library is loaded by {@link Metrics.begin} or the first scrape, and counts wait
 * for it: loading it takes CPU time that a start and a first Mount need.
 */
export function createMetrics(options: MetricsOptions): Metrics {
  const { objectNames, sweeper, log } = options;
  const figures: Figures = {
    volumes: new VolumeFigures(options.clock, sweeper),
    objectLabel: objectNames ? boundedLabel(MAX_OBJECT_NAMES) : () => '',
    mountsInFlight: 0,
    socketLost: 0,
  };
  let load = () => {};
  const wanted = new Promise<void>((resolve) => {
    load = resolve;
  });
  const instruments = wanted.then(async () => {
    const { loadInstruments } = await import('./instruments.ts');
    return loadInstruments(sourcesOf(figures, options));
  });
  const count: Count = (write) => {
    instruments.then(write).catch((thrown: unknown) => log.warn('Cannot count', { error: messageOf(thrown) }));
  };
  return {
    ...requestCounters(count, figures, objectNames),
    mountFinished: (outcome) => figures.volumes.record(outcome),
    socketLost: () => void figures.socketLost++,
    offlineCacheFailure: (operation) => count(({ offlineCacheFailures }) => offlineCacheFailures.inc({ operation })),
    offlineCacheEntries: (entries) => count(({ offlineCacheEntries }) => offlineCacheEntries.set(entries)),
    callStarted(method) {
      if (method === MOUNT_METHOD) figures.mountsInFlight++;
    },
    callEnded({ method, code, errorCode, seconds }) {
      if (method === MOUNT_METHOD) figures.mountsInFlight--;
      const message = code === 'OK' ? '' : errorCode || code;
      count(({ grpcRequest }) =>
        grpcRequest.observe({ grpc_method: method, grpc_code: code, grpc_message: message }, seconds),
      );
    },
    async begin() {
      load();
      await instruments;
    },
    async text() {
      load();
      return (await instruments).text();
    },
  };
}

/** The figures that are kept here and read by a scrape. */
interface Figures {
  readonly volumes: VolumeFigures;
  readonly objectLabel: (objectName: string) => string;
  mountsInFlight: number;
  socketLost: number;
}

/** Writes to the instruments of the library, once they are loaded. */
type Count = (write: (instruments: Instruments) => void) => void;

function sourcesOf(figures: Figures, options: MetricsOptions): InstrumentSources {
  const { version, objectNames, clock, logLinesDropped = () => 0, traceSpans = () => 0 } = options;
  const { memory = new MemoryBudget(Number.POSITIVE_INFINITY) } = options;
  return {
    version,
    objectNames,
    now: () => clock.wall(),
    mountsInFlight: () => figures.mountsInFlight,
    memory: () => memory.figures,
    logLinesDropped,
    traceSpans,
    socketLost: () => figures.socketLost,
    mounts: () => figures.volumes.mounts(),
    expiries: () => figures.volumes.expiries(figures.objectLabel),
  };
}

/** The counters of reads, tokens and certificates. */
function requestCounters(
  count: Count,
  { objectLabel }: Figures,
  objectNames: boolean,
): Omit<Telemetry, 'mountFinished' | 'offlineCacheFailure' | 'offlineCacheEntries'> {
  const objectSeries = boundedSet(MAX_OBJECT_SERIES);
  const vaultLabel = boundedLabel(MAX_VAULTS);
  const asked = new Set<string>();
  const identityLabel = boundedLabel(MAX_IDENTITIES);
  const reasonLabel = boundedLabel(MAX_REASONS);
  const named = (labels: Record<string, string>, objectName: string) => {
    if (!objectNames) return labels;
    const label = objectLabel(objectName);
    const series = JSON.stringify([...Object.values(labels), label]);
    return { ...labels, object_name: label === 'other' || objectSeries(series) ? label : 'other' };
  };
  return {
    keyVaultRequest(objectType, objectName, seconds, outcome) {
      const labels = { object_type: objectType, error: errorLabel(outcome) };
      count(({ keyVaultRequest }) => keyVaultRequest.observe(named(labels, objectName), seconds));
    },
    vaultAsked(vault) {
      const label = vaultLabel(vault);
      if (asked.has(label)) return;
      asked.add(label);
      count(({ vaultRetries }) => {
        for (const reason of ['throttled', 'retried']) vaultRetries.inc({ vault: label, reason }, 0);
      });
    },
    vaultRetry(vault, reason) {
      count(({ vaultRetries }) => vaultRetries.inc({ vault: vaultLabel(vault), reason }));
    },
    tokenRequest(identity, outcome) {
      count(({ tokenRequests }) => tokenRequests.inc({ identity: identityLabel(identity), outcome }));
    },
    nameLookup(result) {
      count(({ nameLookups }) => nameLookups.inc({ result }));
    },
    secondRequest(cause, winner) {
      count(({ secondRequests }) => secondRequests.inc({ cause, winner }));
    },
    cacheLookup(result) {
      count(({ cacheLookups }) => cacheLookups.inc({ result }));
    },
    lastKnownMount(cause) {
      count(({ lastKnownMounts }) => lastKnownMounts.inc({ cause }));
    },
    objectMissing(reason) {
      count(({ missingObjects }) => missingObjects.inc({ reason }));
    },
    fallbackRead(vault, fallback) {
      const labels = { vault: vaultLabel(vault), fallback: vaultLabel(fallback) };
      count(({ fallbackReads }) => fallbackReads.inc(labels));
    },
    objectNotValid(action) {
      count(({ invalidObjects }) => invalidObjects.inc({ action }));
    },
    certificateWarning(reason) {
      count(({ certificateWarnings }) => certificateWarnings.inc({ reason: reasonLabel(reason) }));
    },
  };
}

/**
 * The label `error`, empty for success as in the official provider. Differs: a failure is named by its class, not by
 * its message.
 */
function errorLabel(outcome: Outcome): string {
  return outcome === 'ok' ? '' : outcome;
}

/** Options of {@link startMetricsServer}. */
export interface MetricsEndpoint extends Pick<HttpOptions, 'host' | 'port' | 'clock' | 'limits'> {
  readonly metrics: Pick<Metrics, 'text'>;
}

/** Serves `/metrics` and nothing else. Throws: ERR_USAGE naming the port. */
export function startMetricsServer(where: MetricsEndpoint): Promise<HttpEndpoint> {
  const { metrics, ...address } = where;
  return serveHttp({
    ...address,
    path: '/metrics',
    keepMs: KEEP_MS,
    purpose: 'metrics (--prometheus-port)',
    answer: async () => ({ status: 200, contentType: 'text/plain; version=0.0.4', body: await metrics.text() }),
  });
}
