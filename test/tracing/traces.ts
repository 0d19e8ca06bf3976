/** Traces in this process, for the tests of their export and of the spans. */
import http from 'node:http';
import { onTestFinished } from 'vitest';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import type { Span } from '../../src/base/trace.ts';
import { readTraceSettings } from '../../src/tracing/settings.ts';
import { startTracing } from '../../src/tracing/start.ts';
import { keptLog } from '../support/mount.ts';

/** A caller that is not traced. */
export const CALLER = { traceparent: undefined, tracestate: undefined };

/** Starts traces that go to a port of this machine. The test ends them. `mount` makes the span of a Mount. */
export function traces(
  port: number,
  env: Readonly<Record<string, string>> = {},
  {
    flushMs = 50,
    objectNames = true,
    clock = systemClock,
  }: { readonly flushMs?: number; readonly objectNames?: boolean; readonly clock?: Clock } = {},
) {
  const all = {
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
    OTEL_BSP_SCHEDULE_DELAY: '1',
    ...env,
  };
  const settings = readTraceSettings(all, { 'service.name': 'akv' });
  if (settings === undefined) throw new Error('traces are off');
  const { log, lines } = keptLog();
  const agent = new http.Agent({ keepAlive: true });
  const tracing = startTracing(settings, { agent, log, version: '1.2.3', objectNames, flushMs, clock });
  onTestFinished(() => tracing.close());
  const mount = (change: (span: Span) => void = () => {}) => {
    const span = tracing.tracer.mount(CALLER);
    if (span === undefined) throw new Error('the Mount is not sampled');
    change(span);
    span.end();
  };
  const warnings = () => lines.filter(({ level }) => level === 'warn');
  return { ...tracing, mount, lines, warnings };
}
