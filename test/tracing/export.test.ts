import type http from 'node:http';
import { TracerProvider } from '@opentelemetry/sdk-trace';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { BoundedExport } from '../../src/tracing/export.ts';
import { keptLog } from '../support/mount.ts';
import { type Receiver, startReceiver } from '../support/otlp.ts';
import { eventually, freePort } from '../support/process.ts';
import { CALLER, traces } from './traces.ts';

/** A receiver that answers each export with the next of these statuses, and then accepts. */
const answering = (...statuses: readonly number[]): Promise<Receiver> =>
  startReceiver({ answer: (response, number) => response.writeHead(statuses[number - 1] ?? 200).end('no') });

describe('an export', () => {
  it.each([
    ['http/protobuf', 'none'],
    ['http/protobuf', 'gzip'],
    ['http/json', 'none'],
  ])('has the spans in %s, compression %s, and the headers of the operator', async (protocol, compression) => {
    const receiver = await startReceiver();
    const { mount, spans } = traces(receiver.port, {
      OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
      OTEL_EXPORTER_OTLP_COMPRESSION: compression,
      OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Basic%20abc,x-own=1',
    });
    mount((span) => {
      const step = span.start('convert');
      step.set({ 'akv_csi.objects': 3 });
      step.end();
    });
    const [child, parent] = await receiver.until((all) => all.length === 2);
    expect(child).toMatchObject({ name: 'convert', kind: 1, parentSpanId: parent?.spanId, traceId: parent?.traceId });
    expect(child?.attributes).toEqual({ 'akv_csi.objects': 3 });
    expect(parent).toMatchObject({ name: 'v1alpha1.CSIDriverProvider/Mount', kind: 2, parentSpanId: '' });
    expect(parent?.resource).toMatchObject({ 'service.name': 'akv', 'telemetry.sdk.language': 'nodejs' });
    expect(receiver.exports[0]).toMatchObject({
      path: '/v1/traces',
      headers: { authorization: 'Basic abc', 'x-own': '1' },
    });
    await eventually(() => spans('exported') === 2);
  });

  it('that fails is told once, and so is the end of the failure; spans are counted', async () => {
    const receiver = await answering(401, 400, 500);
    const { mount, spans, warnings, lines } = traces(receiver.port);
    for (const failed of [1, 2, 3]) {
      mount();
      await eventually(() => spans('failed') === failed);
    }
    expect(warnings().map(({ message, fields }) => [message, fields])).toEqual([
      [
        'Traces cannot be exported',
        {
          endpoint: `http://127.0.0.1:${receiver.port}/v1/traces`,
          error: 'HTTP 401 Unauthorized; check the endpoint, the network and the headers; Mounts are not affected',
        },
      ],
    ]);
    mount();
    await eventually(() => spans('exported') === 1);
    expect(lines.at(-1)).toMatchObject({ message: 'Traces are exported again', fields: { lostSpans: 3 } });
  });

  it('is repeated after an answer that asks for it', async () => {
    const receiver = await answering(503);
    const { mount, spans, warnings } = traces(receiver.port);
    mount();
    await eventually(() => spans('exported') === 1);
    expect(receiver.exports).toHaveLength(2);
    expect(warnings()).toEqual([]);
  });

  it.each<[string, (response: http.ServerResponse) => void]>([
    ['gets no answer', () => {}],
    ['gets an answer that does not end', (response) => drip(response)],
  ])('that %s ends, and the next one is made', async (_, answer) => {
    const receiver = await startReceiver({
      answer: (response, number) => (number === 1 ? answer(response) : response.end()),
    });
    const { mount, spans } = traces(receiver.port, { OTEL_EXPORTER_OTLP_TIMEOUT: '200' });
    mount();
    await eventually(() => spans('failed') + spans('exported') === 1);
    // On a busy machine, answers to the next ones may come too late as well.
    await eventually(() => {
      mount();
      return spans('exported') > 0;
    });
  });

  it.each<[string, (response: http.ServerResponse) => void, string]>([
    [
      'repeats the headers in its refusal',
      (response) => response.writeHead(401, `no ${response.req.headers.authorization}`).end('Bearer of-operator'),
      'HTTP 401 Unauthorized',
    ],
    [
      'sends the export elsewhere',
      (response) => response.writeHead(307, { location: '/elsewhere' }).end(),
      'HTTP 307 Temporary Redirect',
    ],
    [
      'asks to wait for too long',
      (response) => response.writeHead(429, { 'retry-after': '3600' }).end(),
      'the endpoint asked to repeat the export (HTTP 429, 502, 503 or 504) until its time was over',
    ],
    ['answers with too much', endless, 'OTLP export response body exceeded size limit of 4194304 bytes'],
  ])('to an endpoint that %s is made once, and the log says why it fails', async (_, answer, reason) => {
    const receiver = await startReceiver({ answer });
    const { mount, warnings, spans } = traces(receiver.port, {
      OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20of-operator',
    });
    mount();
    await eventually(() => spans('failed') === 1);
    expect(receiver.exports).toHaveLength(1);
    expect(warnings().map(({ fields }) => fields.error)).toEqual([
      `${reason}; check the endpoint, the network and the headers; Mounts are not affected`,
    ]);
  });

  it('to the port of OTLP/gRPC that fails names the mistake', async () => {
    const { mount, warnings } = traces(4317, {
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector.invalid:4317',
      OTEL_EXPORTER_OTLP_TIMEOUT: '200',
    });
    mount();
    await eventually(() => warnings().length === 1);
    expect(warnings()[0]?.fields.error).toContain('port 4317 is that of OTLP/gRPC, and OTLP/HTTP usually has 4318');
  });
});

/** Sends a byte from time to time. */
function drip(response: http.ServerResponse): void {
  response.writeHead(200);
  const timer = setInterval(() => response.write('.'), 20);
  response.on('close', () => clearInterval(timer));
}

/** Sends bytes for as long as they are read. */
function endless(response: http.ServerResponse): void {
  const chunk = Buffer.alloc(1024 * 1024);
  const write = () => void (response.destroyed || response.write(chunk, () => setImmediate(write)));
  response.writeHead(200);
  write();
}

describe('an exporter', () => {
  type Exporter = ConstructorParameters<typeof BoundedExport>[0]['exporter']['export'];
  it.each<[string, Exporter, string]>([
    [
      'throws',
      () => {
        throw new Error('cannot encode');
      },
      'cannot encode',
    ],
    ['never ends', () => {}, 'the export did not end'],
    ['ends twice', (_, done) => [1, 2].forEach(() => void done({ code: 1 })), 'no reason was given'],
  ])('that %s gives its spans up, once', async (_, exported, reason) => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const { log, lines } = keptLog();
    const waiting = new BoundedExport({
      exporter: { export: exported, shutdown: async () => {} },
      queueSpans: 1,
      batchSpans: 1,
      delayMs: 1,
      timeoutMs: 1000,
      endpoint: new URL('http://collector:4318/v1/traces'),
      log,
      clock: systemClock,
      rejection: () => undefined,
      cut: () => {},
    });
    const tracer = new TracerProvider({ spanProcessors: [waiting] }).getTracer('test');
    for (const failed of [1, 2]) {
      tracer.startSpan('convert').end();
      await vi.advanceTimersByTimeAsync(4000);
      expect([waiting.waiting, waiting.count('failed'), waiting.count('dropped')]).toEqual([0, failed, 0]);
    }
    expect(lines.map(({ fields }) => fields.error)).toEqual([expect.stringContaining(reason)]);
  });
});

describe('spans that wait', () => {
  const LATER = { OTEL_BSP_SCHEDULE_DELAY: '60000' };

  it('are bounded in number', async () => {
    const receiver = await startReceiver();
    const tracing = traces(receiver.port, { ...LATER, OTEL_BSP_MAX_QUEUE_SIZE: '10' }, { flushMs: 5000 });
    for (let i = 0; i < 9; i++) tracing.mount();
    expect(tracing.spans('dropped')).toBe(0);
    for (let i = 0; i < 6; i++) tracing.mount();
    await tracing.close();
    expect(tracing.spans('dropped') + receiver.spans().length).toBe(15);
    expect(tracing.spans('dropped')).toBeGreaterThan(0);
  });

  it('are bounded in bytes', () => {
    const { mount, spans } = traces(1, { ...LATER, OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '2048' });
    const long = 'x'.repeat(100_000);
    // Each takes about 14 KiB: texts are cut at 512 characters.
    const attributes = {
      'k8s.pod.name': long,
      'k8s.namespace.name': long,
      'k8s.pod.uid': long,
      'server.address': long,
      'url.full': long,
      'error.type': long,
      'akv_csi.cause': long,
      'akv_csi.vault': long,
      'akv_csi.source': long,
      'akv_csi.winner': long,
    };
    for (let i = 0; i < 400; i++) mount((span) => span.set(attributes));
    expect(spans('dropped')).toBeGreaterThan(0);
    expect(spans('dropped')).toBeLessThan(250);
  });
});

describe('the end', () => {
  it('exports the last spans, also those of several batches', async () => {
    const receiver = await startReceiver();
    const env = {
      OTEL_BSP_SCHEDULE_DELAY: '60000',
      OTEL_BSP_MAX_QUEUE_SIZE: '60',
      OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '50',
    };
    const { mount, close, spans } = traces(receiver.port, env, { flushMs: 30_000 });
    for (let i = 0; i < 49; i++) mount();
    await close();
    expect(receiver.spans()).toHaveLength(49);
    expect(spans('exported')).toBe(49);
  });

  it.each<[string, () => Promise<number>]>([
    ['gives no answer', async () => (await startReceiver({ answer: () => {} })).port],
    ['is not there', freePort],
  ])('does not wait for an endpoint that %s, and says how many spans are lost', async (_, portOf) => {
    const { mount, close, spans, warnings } = traces(await portOf(), {
      OTEL_BSP_SCHEDULE_DELAY: '60000',
      OTEL_EXPORTER_OTLP_TIMEOUT: '60000',
    });
    mount();
    await close();
    expect(warnings()).toMatchObject([{ message: 'Spans were not exported before the end', fields: { spans: 1 } }]);
    // The export is still under way: it has neither ended nor been given up.
    expect([spans('exported'), spans('failed')]).toEqual([0, 0]);
  });
});

describe('the sampler', () => {
  const parent = (flag: string) => ({
    traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-${flag}`,
    tracestate: 'k=v',
  });

  it.each([
    ['parentbased_always_on', { none: true, sampled: true, unsampled: false }],
    ['parentbased_always_off', { none: false, sampled: true, unsampled: false }],
    ['parentbased_traceidratio', { none: false, sampled: true, unsampled: false }],
    ['always_on', { none: true, sampled: true, unsampled: true }],
    ['always_off', { none: false, sampled: false, unsampled: false }],
    ['traceidratio', { none: false, sampled: false, unsampled: false }],
  ])('%s takes the Mounts that it should', (sampler, expected) => {
    const { tracer } = traces(1, {
      OTEL_TRACES_SAMPLER: sampler,
      OTEL_TRACES_SAMPLER_ARG: '0',
      OTEL_BSP_SCHEDULE_DELAY: '60000',
    });
    expect({
      none: tracer.mount(CALLER) !== undefined,
      sampled: tracer.mount(parent('01')) !== undefined,
      unsampled: tracer.mount(parent('00')) !== undefined,
    }).toEqual(expected);
  });

  it.each([
    ['a trace of the caller', parent('01').traceparent, true],
    ['a later version of the header', `01-${'a'.repeat(32)}-${'b'.repeat(16)}-01-more`, true],
    ['a header that is none', 'nonsense', false],
    ['an id of zeros', `00-${'0'.repeat(32)}-${'b'.repeat(16)}-01`, false],
    ['a header that is too long', `01-${'a'.repeat(32)}-${'b'.repeat(16)}-01-${'x'.repeat(300)}`, false],
  ])('joins %s: %s', (_, traceparent, joins) => {
    const { tracer } = traces(1, { OTEL_BSP_SCHEDULE_DELAY: '60000' });
    const span = tracer.mount({ traceparent, tracestate: 'x'.repeat(10_000) });
    expect(span?.traceId === 'a'.repeat(32)).toBe(joins);
  });
});
