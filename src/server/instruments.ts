/**
 * Registers the metrics with the Prometheus library. `metrics.ts` loads this file on its first use, as the library is
 * slow to load. It bounds the texts that become labels.
 */

import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { BudgetFigures } from '../base/memory-budget.ts';
import { type MountOutcome, type ObjectExpiry, SPAN_RESULTS, type SpanResult } from '../base/telemetry.ts';
import { labelText } from './bounded.ts';
import { addCounters, type Counters } from './counters.ts';
import { addMemory } from './memory-instruments.ts';
import { addProcessFigures } from './process-instruments.ts';

/** The metrics of the Prometheus library. The two histograms have the official provider's names, buckets and labels. */
export interface Instruments extends Counters {
  readonly keyVaultRequest: Histogram;
  readonly grpcRequest: Histogram;
  text(): Promise<string>;
}

/** The labels of a volume. */
export type MountNames = Pick<MountOutcome, 'namespace' | 'pod' | 'secretProviderClass'>;

/** The results of the recent Mounts of one volume. */
export interface MountRecord {
  readonly names: MountNames;
  /** Milliseconds since 1970. */
  readonly lastSuccessAt: number | undefined;
  /** Absent if there were some and the pod is gone. */
  readonly consecutiveFailures: number | undefined;
  /** See `MountOutcome`; that of the last Mount that succeeded. Absent if it was above 0 and the pod is gone. */
  readonly lastKnownAgeMs: number | undefined;
}

/** The figures that a scrape reads. */
export interface InstrumentSources {
  readonly version: string;
  readonly objectNames: boolean;
  /** Milliseconds since 1970. */
  now(): number;
  mountsInFlight(): number;
  memory(): BudgetFigures;
  logLinesDropped(stream: 'stdout' | 'stderr'): number;
  traceSpans(result: SpanResult): number;
  socketLost(): number;
  mounts(): readonly MountRecord[];
  expiries(): readonly ObjectExpiry[];
}

const SERVICE_NAME = 'csi-secrets-store-provider-azure';
const BUCKETS = [0.1, 0.2, 0.3, 0.4, 0.5, 1, 1.5, 2, 2.5, 3, 5, 10, 15, 30];
/** The labels of every series of the official provider. */
const COMMON_LABELS = {
  provider: 'azure',
  os_type: process.platform === 'win32' ? 'windows' : process.platform,
  service_name: SERVICE_NAME,
  otel_scope_name: SERVICE_NAME,
  otel_scope_version: '',
};

/** Registers every metric in a registry of its own. */
export function loadInstruments(sources: InstrumentSources): Instruments {
  const registry = new Registry();
  const registers = [registry];
  const ofOfficial = new Registry();
  ofOfficial.setDefaultLabels(COMMON_LABELS);
  addInfo(registry, sources.version);
  addMounts(registry, sources);
  addExpiries(registry, sources);
  addMemory(registry, sources.memory);
  addLosses(registry, sources);
  addProcessFigures(registry);
  return {
    keyVaultRequest: new Histogram({
      name: 'keyvault_request',
      help: 'How long it took to get an object, or its versions, from Key Vault, in seconds',
      labelNames: ['object_type', ...(sources.objectNames ? ['object_name'] : []), 'error'],
      buckets: BUCKETS,
      registers: [ofOfficial],
    }),
    grpcRequest: new Histogram({
      name: 'grpc_request',
      help: 'How long it took to answer a gRPC call, in seconds',
      labelNames: ['grpc_method', 'grpc_code', 'grpc_message'],
      buckets: BUCKETS,
      registers: [ofOfficial],
    }),
    ...addCounters(registers),
    text: async () => `${await ofOfficial.metrics()}\n${await registry.metrics()}`,
  };
}

function addInfo(registry: Registry, version: string): void {
  new Gauge({
    name: 'target_info',
    help: 'Name and version of the scraped service',
    labelNames: ['service_name', 'service_version'],
    registers: [registry],
  }).set({ service_name: SERVICE_NAME, service_version: version }, 1);
  new Gauge({
    name: 'akv_csi_build_info',
    help: 'Versions of the provider and of Node',
    labelNames: ['version', 'node_version'],
    registers: [registry],
  }).set({ version, node_version: process.versions.node }, 1);
}

/** Counters of losses. They are counted elsewhere, since the library may not be loaded yet. */
function addLosses(registry: Registry, { logLinesDropped, traceSpans, socketLost }: InstrumentSources): void {
  new Counter({
    name: 'akv_csi_log_lines_dropped_total',
    help: 'Log lines that could not be written, because of a full disk or a reader that is closed or too slow',
    labelNames: ['stream'],
    registers: [registry],
    collect() {
      this.reset();
      for (const stream of ['stdout', 'stderr'] as const) this.inc({ stream }, logLinesDropped(stream));
    },
  });
  new Counter({
    name: 'akv_csi_trace_spans_total',
    help: 'Spans of traces by result: exported, failed to be exported, rejected by the endpoint, or dropped as too many waited',
    labelNames: ['result'],
    registers: [registry],
    collect() {
      this.reset();
      for (const result of SPAN_RESULTS) this.inc({ result }, traceSpans(result));
    },
  });
  new Counter({
    name: 'akv_csi_socket_lost_total',
    help: 'Times that another process took or removed the socket of the provider',
    registers: [registry],
    collect() {
      this.reset();
      this.inc(socketLost());
    },
  });
}

/** Gauges that are filled by a scrape, so that they hold nothing that the sources have forgotten. */
function addMounts(registry: Registry, { mountsInFlight, mounts }: InstrumentSources): void {
  new Gauge({
    name: 'akv_csi_mounts_in_flight',
    help: 'Mounts in progress',
    registers: [registry],
    collect() {
      this.set(mountsInFlight());
    },
  });
  /** A gauge with one series for each volume whose figure is known. */
  const ofVolumes = (name: string, help: string, figureOf: (record: MountRecord) => number | undefined) =>
    new Gauge({
      name,
      help,
      labelNames: ['namespace', 'pod', 'secretproviderclass'],
      registers: [registry],
      collect() {
        this.reset();
        for (const record of mounts()) {
          const figure = figureOf(record);
          if (figure !== undefined) this.set(mountLabels(record.names), figure);
        }
      },
    });
  ofVolumes(
    'akv_csi_mount_last_success_timestamp_seconds',
    'When a pod volume was last answered with its files, in seconds since 1970',
    ({ lastSuccessAt }) => (lastSuccessAt === undefined ? undefined : lastSuccessAt / 1000),
  );
  ofVolumes(
    'akv_csi_mount_consecutive_failures',
    'Failed attempts for a pod volume since the last that succeeded; driver v1.6 hides failures after the first mount',
    ({ consecutiveFailures }) => consecutiveFailures,
  );
  ofVolumes(
    'akv_csi_mount_last_known_age_seconds',
    'Age of the oldest last known value in the last answer for a pod volume, when it was given; 0: all values were current',
    ({ lastKnownAgeMs }) => (lastKnownAgeMs === undefined ? undefined : lastKnownAgeMs / 1000),
  );
}

/** The expiry of objects, as a time and as the seconds until then. */
function addExpiries(registry: Registry, { now, expiries }: InstrumentSources): void {
  const labelNames = ['namespace', 'pod', 'object_type', 'object_name'];
  new Gauge({
    name: 'akv_csi_object_expiration_timestamp_seconds',
    help: 'When a mounted object expires, in seconds since 1970',
    labelNames,
    registers: [registry],
    collect() {
      this.reset();
      for (const expiry of expiries()) this.set(expiryLabels(expiry), expiry.expiresAt / 1000);
    },
  });
  new Gauge({
    name: 'akv_csi_object_expiry_seconds',
    help: 'Seconds until a mounted object expires, negative once it has',
    labelNames,
    registers: [registry],
    collect() {
      this.reset();
      for (const expiry of expiries()) this.set(expiryLabels(expiry), (expiry.expiresAt - now()) / 1000);
    },
  });
}

function expiryLabels({ namespace, pod, objectType, objectName }: ObjectExpiry): Record<string, string> {
  return {
    namespace: labelText(namespace),
    pod: labelText(pod),
    object_type: objectType,
    object_name: labelText(objectName),
  };
}

function mountLabels({ namespace, pod, secretProviderClass }: MountNames): Record<string, string> {
  return {
    namespace: labelText(namespace),
    pod: labelText(pod),
    secretproviderclass: labelText(secretProviderClass),
  };
}
