/**
 * Starts the export of traces: sampler, SDK and exporter. `cli/tracing.ts` calls it when the environment asks for traces,
 * and nothing else loads this file. The global tracer of OpenTelemetry is not set, and no library is patched.
 */

import type { Agent } from 'node:http';
import { OTLPExporterBase } from '@opentelemetry/otlp-exporter-base';
import { createOtlpHttpExportDelegate } from '@opentelemetry/otlp-exporter-base/node-http';
import {
  JsonTraceSerializer,
  ProtobufTraceSerializer,
  TraceExporterMetricsHelper,
} from '@opentelemetry/otlp-transformer';
import { defaultResource, resourceFromAttributes } from '@opentelemetry/resources';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  ParentBasedSampler,
  type ReadableSpan,
  type Sampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import { within } from '../base/abort.ts';
import { type Clock, systemClock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { SpanResult } from '../base/telemetry.ts';
import type { Tracer } from '../base/trace.ts';
import { BoundedExport, shown } from './export.ts';
import { Rejections } from './rejections.ts';
import type { TraceSettings } from './settings.ts';
import { createTracer, type TracerOptions } from './tracer.ts';

const FLUSH_MS = 2_000;
/** Limits of one span. The code sets fewer; texts of manifests and headers may be longer. */
const LIMITS = {
  attributeCountLimit: 32,
  attributeValueLengthLimit: 512,
  eventCountLimit: 16,
  linkCountLimit: 8,
  attributePerEventCountLimit: 8,
  attributePerLinkCountLimit: 8,
};
const CONTENT_TYPES = { 'http/protobuf': 'application/x-protobuf', 'http/json': 'application/json' };
const SERIALIZERS = { 'http/protobuf': ProtobufTraceSerializer, 'http/json': JsonTraceSerializer };

/** What the export needs of the process. */
export interface TracingSurroundings extends TracerOptions {
  /** Connections to the endpoint, which nothing else uses. */
  readonly agent: Agent;
  readonly log: Logger;
  /** The version of this program. */
  readonly version: string;
  /** How long the last spans have to be exported at the end, in milliseconds. Default: two seconds. */
  readonly flushMs?: number;
  /** Default: that of the machine. */
  readonly clock?: Clock;
}

/** Traces that are exported. */
export interface Tracing {
  readonly tracer: Tracer;
  /** The number of spans with this result so far. */
  spans(result: SpanResult): number;
  /** Exports the last spans, for a bounded time. */
  close(): Promise<void>;
}

/** Starts the export. Sends nothing before the first span has ended. */
export function startTracing(settings: TraceSettings, surroundings: TracingSurroundings): Tracing {
  const { endpoint, protocol, sampler, resource } = settings;
  const { agent, log, version, flushMs = FLUSH_MS, clock = systemClock } = surroundings;
  const rejections = new Rejections(settings);
  const waiting = new BoundedExport({
    ...settings,
    exporter: exporterOf(settings, agent, rejections),
    log,
    clock,
    rejection: () => rejections.take(),
    cut: () => agent.destroy(),
  });
  const provider = new TracerProvider({
    resource: defaultResource().merge(resourceFromAttributes({ ...resource })),
    sampler: samplerOf(settings),
    spanLimits: LIMITS,
    spanProcessors: [waiting],
  });
  log.info('Exporting traces', { endpoint: shown(endpoint), protocol, sampler });
  return {
    tracer: createTracer(provider.getTracer('akv-csi-provider', version), surroundings),
    spans: (result) => waiting.count(result),
    async close() {
      await within(flushMs, provider.shutdown());
      if (waiting.waiting > 0) log.warn('Spans were not exported before the end', { spans: waiting.waiting });
      agent.destroy();
    },
  };
}

function exporterOf(
  { endpoint, protocol, headers, timeoutMs, compression, queueSpans, batchSpans }: TraceSettings,
  agent: Agent,
  rejections: Rejections,
): OTLPExporterBase<ReadableSpan[]> {
  const options = {
    url: endpoint.href,
    headers: async () => ({ ...headers, 'Content-Type': CONTENT_TYPES[protocol] }),
    timeoutMillis: timeoutMs,
    // The last spans are exported all at once, beside the export under way.
    concurrencyLimit: Math.ceil(queueSpans / batchSpans) + 1,
    compression,
    agentFactory: () => agent,
  };
  return new OTLPExporterBase(
    createOtlpHttpExportDelegate(
      options,
      rejections.around(SERIALIZERS[protocol]),
      'otlp_http_span_exporter',
      TraceExporterMetricsHelper,
      undefined,
    ),
  );
}

function samplerOf({ sampler, ratio }: Pick<TraceSettings, 'sampler' | 'ratio'>): Sampler {
  const roots = {
    always_on: new AlwaysOnSampler(),
    always_off: new AlwaysOffSampler(),
    traceidratio: new TraceIdRatioBasedSampler(ratio),
  };
  switch (sampler) {
    case 'always_on':
    case 'always_off':
    case 'traceidratio':
      return roots[sampler];
    case 'parentbased_always_on':
      return new ParentBasedSampler({ root: roots.always_on });
    case 'parentbased_always_off':
      return new ParentBasedSampler({ root: roots.always_off });
    case 'parentbased_traceidratio':
      return new ParentBasedSampler({ root: roots.traceidratio });
  }
}
