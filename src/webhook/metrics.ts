/**
 * Counts reviews and tells the state of the certificate, for Prometheus. The command `webhook` makes it and serves its
 * text. All labels have fixed values.
 */

import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Period } from './certificate/key-pair.ts';
import type { ReviewResult } from './server.ts';

/** The figures that a scrape reads. */
export interface WebhookFigures {
  readonly version: string;
  readonly inFlight: () => number;
  /** The periods of the certificate and of its authority; the latter is undefined if it is not known. */
  readonly periods: () => { readonly serving: Period; readonly authority: Period | undefined };
  readonly logLinesDropped: (stream: 'stdout' | 'stderr') => number;
}

/** The metrics of the webhook. */
export interface WebhookMetrics {
  reviewed(path: string, result: ReviewResult, seconds: number): void;
  /** All metrics in the text format of Prometheus. */
  text(): Promise<string>;
}

/** Every result, so that each series begins at 0. */
const RESULTS: readonly ReviewResult[] = [
  'allowed',
  'warned',
  'patched',
  'denied',
  'malformed',
  'overloaded',
  'failed',
];
/** An API server waits a few seconds. */
const BUCKETS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5];

/** Makes the metrics for reviews at these paths. */
export function createWebhookMetrics(paths: readonly string[], figures: WebhookFigures): WebhookMetrics {
  const registry = new Registry();
  const registers = [registry];
  const { version } = figures;
  new Gauge({
    name: 'akv_csi_webhook_info',
    help: 'Version of the webhook',
    labelNames: ['version'],
    registers,
  }).set({ version }, 1);
  const reviews = new Counter({
    name: 'akv_csi_webhook_reviews_total',
    help: 'Requests for a review by path and result',
    labelNames: ['path', 'result'],
    registers,
  });
  for (const path of paths) for (const result of RESULTS) reviews.inc({ path, result }, 0);
  const seconds = new Histogram({
    name: 'akv_csi_webhook_review_duration_seconds',
    help: 'How long it took to answer a review, with its body, in seconds',
    labelNames: ['path'],
    buckets: BUCKETS,
    registers,
  });
  addGauges(registers, figures);
  return {
    reviewed(path, result, duration) {
      reviews.inc({ path, result });
      seconds.observe({ path }, duration);
    },
    text: () => registry.metrics(),
  };
}

function addGauges(registers: Registry[], { inFlight, periods, logLinesDropped }: WebhookFigures): void {
  new Gauge({
    name: 'akv_csi_webhook_requests_in_flight',
    help: 'Requests that are not answered yet',
    registers,
    collect() {
      this.set(inFlight());
    },
  });
  new Gauge({
    name: 'akv_csi_webhook_certificate_expiration_timestamp_seconds',
    help: 'End of the certificate that the webhook serves with (serving), and of its authority (authority)',
    labelNames: ['certificate'],
    registers,
    collect() {
      const { serving, authority } = periods();
      this.set({ certificate: 'serving' }, serving.notAfter / 1000);
      if (authority !== undefined) this.set({ certificate: 'authority' }, authority.notAfter / 1000);
    },
  });
  new Counter({
    name: 'akv_csi_webhook_log_lines_dropped_total',
    help: 'Log lines that could not be written',
    labelNames: ['stream'],
    registers,
    collect() {
      this.reset();
      for (const stream of ['stdout', 'stderr'] as const) this.inc({ stream }, logLinesDropped(stream));
    },
  });
}
