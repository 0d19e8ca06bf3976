import type http from 'node:http';
import { describe, expect, it } from 'vitest';
import { manualClock } from '../support/clocks.ts';
import { partialSuccess, startReceiver } from '../support/otlp.ts';
import { eventually } from '../support/process.ts';
import { traces } from './traces.ts';

const TOKEN = 'Zm9yLXRoZS1jb2xsZWN0b3I';
const HEADERS = { OTEL_EXPORTER_OTLP_HEADERS: `authorization=Bearer%20${TOKEN}` };

/** A receiver that accepts each export with the next of these bodies, and traces that go there. */
async function tracesTo(bodies: readonly (string | Buffer)[], env: Readonly<Record<string, string>> = {}) {
  const answer = (response: http.ServerResponse, number: number) => response.end(bodies[number - 1] ?? '');
  const receiver = await startReceiver({ answer });
  const clock = manualClock();
  const tracing = traces(receiver.port, { ...HEADERS, ...env }, { clock, flushMs: 30_000 });
  const done = () => tracing.spans('exported') + tracing.spans('rejected') + tracing.spans('failed');
  /** Exports one span after the other. */
  const exportSpans = async (number: number) => {
    for (const before = done(); done() < before + number; ) {
      const one = done();
      tracing.mount();
      await eventually(() => done() === one + 1);
    }
  };
  const told = () => tracing.warnings().map(({ message, fields }) => [message, fields.rejectedSpans, fields.error]);
  return { ...tracing, receiver, clock, exportSpans, told };
}

const json = (partial: unknown) => JSON.stringify({ partialSuccess: partial });
const JSON_PROTOCOL = { OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json' };
const REJECTS = 'The endpoint of traces rejects spans';
const WARNS = 'The endpoint of traces gives a warning';

describe('an answer that accepts an export', () => {
  it.each<[string, string | Buffer, Readonly<Record<string, string>>, number, readonly unknown[] | undefined]>([
    ['is empty', '', {}, 0, undefined],
    ['rejects a span', partialSuccess(1, 'too old'), {}, 1, [REJECTS, 1, 'too old']],
    [
      'rejects a span, in JSON',
      json({ rejectedSpans: '1', errorMessage: 'too old' }),
      JSON_PROTOCOL,
      1,
      [REJECTS, 1, 'too old'],
    ],
    ['says no reason', json({ rejectedSpans: 1 }), JSON_PROTOCOL, 1, [REJECTS, 1, 'no reason was given']],
    ['rejects more spans than it got', partialSuccess(1_000_000, 'all'), {}, 1, [REJECTS, 1, 'all']],
    ['rejects fewer than no spans', partialSuccess(-5, 'odd'), {}, 0, [WARNS, 0, 'odd']],
    ['has a warning', partialSuccess(0, 'soon too old'), {}, 0, [WARNS, 0, 'soon too old']],
    ['is cut', partialSuccess(1, 'too old').subarray(0, 5), {}, 0, undefined],
    ['is no message', 'OK', {}, 0, undefined],
    ['is no JSON', '<html>', JSON_PROTOCOL, 0, undefined],
    ['has fields of other types', json({ rejectedSpans: {}, errorMessage: [1] }), JSON_PROTOCOL, 0, undefined],
    ['is null', 'null', JSON_PROTOCOL, 0, undefined],
  ])('and %s', async (_, body, env, rejected, line) => {
    const { exportSpans, spans, told } = await tracesTo([body], env);
    await exportSpans(1);
    expect([spans('exported'), spans('rejected'), spans('failed')]).toEqual([1 - rejected, rejected, 0]);
    expect(told()).toEqual(line === undefined ? [] : [line]);
  });

  it('counts for its own spans only, also when several exports are under way', async () => {
    const { mount, spans, receiver, close } = await tracesTo([partialSuccess(1, 'no'), '', partialSuccess(1, 'no')], {
      OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '2',
      OTEL_BSP_SCHEDULE_DELAY: '60000',
    });
    for (let i = 0; i < 8; i++) mount();
    await close();
    expect(receiver.exports.map(({ spans: sent }) => sent.length)).toEqual([2, 2, 2, 2]);
    expect([spans('exported'), spans('rejected')]).toEqual([6, 2]);
  });

  it('and rejects spans is told once a minute, with the number of spans since', async () => {
    const { exportSpans, told, clock } = await tracesTo(
      Array.from({ length: 7 }, (_, i) => partialSuccess(1, `no ${i}`)),
    );
    await exportSpans(3);
    clock.time += 59_999;
    await exportSpans(1);
    expect(told()).toEqual([[REJECTS, 1, 'no 0']]);
    clock.time += 1;
    await exportSpans(3);
    expect(told()).toEqual([
      [REJECTS, 1, 'no 0'],
      [REJECTS, 4, 'no 4'],
    ]);
  });

  it('has words that are cut, on one line, and without the credentials of the export', async () => {
    const words = `no ${TOKEN}\n\n(Bearer ${TOKEN}) ${'x'.repeat(10_000)}`;
    const { exportSpans, told } = await tracesTo([partialSuccess(1, words)]);
    await exportSpans(1);
    expect(told()).toEqual([[REJECTS, 1, expect.stringMatching(/^no \[redacted\] \(\[redacted\]\) x+…$/)]]);
    expect(String(told()[0]?.[2]).length).toBeLessThan(250);
  });
});
