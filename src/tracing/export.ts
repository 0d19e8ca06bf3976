/**
 * Exports spans in the background. `startTracing` puts it between the tracer and the exporter of the SDK. Spans that wait are
 * bounded in number and bytes; what does not fit, what cannot be exported, and what the endpoint rejects, is lost and counted.
 * The log tells the beginning and the end of a failure, whatever the number of exports in between, and rejected spans once a
 * minute.
 */

import { STATUS_CODES } from 'node:http';
import type { Context } from '@opentelemetry/api';
import { type ExportResult, ExportResultCode } from '@opentelemetry/core';
import {
  BatchSpanProcessor,
  type ReadableSpan,
  type Span,
  type SpanExporter,
  type SpanProcessor,
} from '@opentelemetry/sdk-trace';
import { type Clock, Lifetime } from '../base/clock.ts';
import { messageOf, systemCodeOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { SpanResult } from '../base/telemetry.ts';
import { clip } from '../base/words.ts';
import type { Rejection } from './rejections.ts';

/** Bytes of the spans that wait, estimated. */
const MAX_QUEUE_BYTES = 4 * 1024 * 1024;
/** Bytes of a span, of an event and of an attribute besides their texts. */
const SPAN_BYTES = 1024;
const PART_BYTES = 128;
/** The usual port of OTLP/gRPC, which is a common mistake in the endpoint of OTLP/HTTP. */
const GRPC_PORT = '4317';
/** Ends an export that is not over when its own bound has passed. */
const GRACE_MS = 1_000;
/** The interval between two log lines about rejected spans. */
const REJECTIONS_MS = 60_000;

/** Options of {@link BoundedExport}. */
export interface ExportOptions {
  readonly exporter: SpanExporter;
  readonly queueSpans: number;
  readonly batchSpans: number;
  readonly delayMs: number;
  readonly timeoutMs: number;
  /** Where spans go, for the log. */
  readonly endpoint: URL;
  readonly log: Logger;
  readonly clock: Clock;
  /** What the endpoint said about the spans of the export that has just succeeded; see `Rejections`. */
  readonly rejection: () => Rejection | undefined;
  /** Closes the connections of an export that does not end. */
  readonly cut: () => void;
}

/** The spans that wait, and their export. */
export class BoundedExport implements SpanProcessor {
  readonly #options: ExportOptions;
  readonly #batches: BatchSpanProcessor;
  readonly #counts: Record<SpanResult, number> = { exported: 0, failed: 0, dropped: 0, rejected: 0 };
  #spans = 0;
  #bytes = 0;
  /** Spans lost since exports fail; undefined while they succeed. */
  #lostSince: number | undefined;
  /** Spans rejected since the last log line about them. */
  #rejected = 0;
  /** The time in which there is no other such line. */
  #quiet: Lifetime | undefined;

  constructor(options: ExportOptions) {
    this.#options = options;
    const { queueSpans, batchSpans, delayMs, timeoutMs, exporter } = options;
    this.#batches = new BatchSpanProcessor({
      exporter: {
        export: (spans, done) => this.#export(spans, done),
        shutdown: () => exporter.shutdown(),
      },
      maxQueueSize: queueSpans,
      maxExportBatchSize: batchSpans,
      scheduledDelayMillis: delayMs,
      exportTimeoutMillis: timeoutMs + 2 * GRACE_MS,
    });
  }

  /** The number of spans with this result so far. */
  count(result: SpanResult): number {
    return this.#counts[result];
  }

  /** The number of spans that wait or are being exported. */
  get waiting(): number {
    return this.#spans;
  }

  onStart(span: Span, context: Context): void {
    this.#batches.onStart(span, context);
  }

  onEnd(span: ReadableSpan): void {
    const bytes = bytesOf(span);
    if (this.#spans >= this.#options.queueSpans || this.#bytes + bytes > MAX_QUEUE_BYTES) {
      this.#lost('dropped', 1);
      return;
    }
    this.#spans++;
    this.#bytes += bytes;
    this.#batches.onEnd(span);
  }

  forceFlush(): Promise<void> {
    return this.#batches.forceFlush();
  }

  shutdown(): Promise<void> {
    return this.#batches.shutdown();
  }

  #export(spans: ReadableSpan[], done: (result: ExportResult) => void): void {
    const { exporter, timeoutMs, cut } = this.#options;
    let ended = false;
    // Each export ends once, so that its spans leave the bounds, whatever the exporter does.
    const end = ({ code, error }: ExportResult) => {
      if (ended) return;
      ended = true;
      clearTimeout(late);
      this.#spans -= spans.length;
      for (const span of spans) this.#bytes -= bytesOf(span);
      if (code === ExportResultCode.SUCCESS) this.#succeeded(spans.length);
      else this.#failed(spans.length, error);
      // The processor would report a failure too.
      done({ code: ExportResultCode.SUCCESS });
    };
    const fail = (reason: string) => end({ code: ExportResultCode.FAILED, error: new Error(reason) });
    let late = setTimeout(() => {
      cut();
      late = setTimeout(() => fail('the export did not end'), GRACE_MS).unref();
    }, timeoutMs + GRACE_MS).unref();
    try {
      exporter.export(spans, end);
    } catch (error) {
      fail(messageOf(error));
    }
  }

  #succeeded(spans: number): void {
    const { endpoint, log, rejection } = this.#options;
    if (this.#lostSince !== undefined) {
      log.info('Traces are exported again', { endpoint: shown(endpoint), lostSpans: this.#lostSince });
      this.#lostSince = undefined;
    }
    const told = rejection();
    const rejected = Math.min(told?.spans ?? 0, spans);
    this.#counts.exported += spans - rejected;
    this.#counts.rejected += rejected;
    this.#rejected += rejected;
    if (told !== undefined) this.#warn(told.words);
  }

  /** Logs what the endpoint said about spans that it got, at most once a minute. */
  #warn(words: string): void {
    const { endpoint, log, clock } = this.#options;
    if (this.#quiet?.over === false) return;
    this.#quiet = new Lifetime(clock, REJECTIONS_MS);
    const what = this.#rejected > 0 ? 'The endpoint of traces rejects spans' : 'The endpoint of traces gives a warning';
    log.warn(what, { endpoint: shown(endpoint), rejectedSpans: this.#rejected, error: words || 'no reason was given' });
    this.#rejected = 0;
  }

  #failed(spans: number, error: Error | undefined): void {
    const { endpoint, log } = this.#options;
    if (this.#lostSince === undefined) {
      this.#lostSince = 0;
      log.warn('Traces cannot be exported', { endpoint: shown(endpoint), error: reasonOf(error, endpoint) });
    }
    this.#lost('failed', spans);
  }

  #lost(result: SpanResult, spans: number): void {
    this.#counts[result] += spans;
    if (this.#lostSince !== undefined) this.#lostSince += spans;
  }
}

/** Returns an endpoint as the log shows it. A query may be a credential. */
export function shown({ origin, pathname }: URL): string {
  return origin + pathname;
}

/** The exporter's text for an answer that asks to repeat the export, whose status it does not tell. */
const ASKED_TO_WAIT = 'Export failed with retryable status';

/** Returns the reason of a failure, and what to check. */
function reasonOf(error: Error | undefined, { port }: URL): string {
  const check =
    port === GRPC_PORT
      ? 'port 4317 is that of OTLP/gRPC, and OTLP/HTTP usually has 4318'
      : 'check the endpoint, the network and the headers';
  return `${clip(wordsOf(error))}; ${check}; Mounts are not affected`;
}

/** Returns what happened. The words of an answer are left out, also those beside its status: they may repeat the headers. */
function wordsOf(error: Error | undefined): string {
  if (error !== undefined && 'code' in error && typeof error.code === 'number')
    return `HTTP ${error.code} ${STATUS_CODES[error.code] ?? ''}`.trim();
  if (error?.message === ASKED_TO_WAIT)
    return 'the endpoint asked to repeat the export (HTTP 429, 502, 503 or 504) until its time was over';
  return error?.message || systemCodeOf(error) || 'no reason was given';
}

/** Estimates the memory of a span. The result does not change after its end. */
function bytesOf({ attributes, events, links }: ReadableSpan): number {
  const parts = [attributes, ...events.map((event) => event.attributes ?? {})];
  return SPAN_BYTES + PART_BYTES * (events.length + links.length) + parts.reduce((sum, one) => sum + bytesIn(one), 0);
}

function bytesIn(attributes: ReadableSpan['attributes']): number {
  let bytes = 0;
  for (const name in attributes) bytes += PART_BYTES + 2 * String(attributes[name]).length;
  return bytes;
}
