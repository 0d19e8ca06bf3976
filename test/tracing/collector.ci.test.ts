import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { describe, expect, it, onTestFinished } from 'vitest';
import { exampleVolumes, mountInto, startWorld } from '../support/e2e.ts';
import { goProgram } from '../support/go.ts';
import { eventually } from '../support/process.ts';
import { traces } from './traces.ts';

interface Span {
  readonly name: string;
  readonly attributes?: readonly { readonly key: string; readonly value: Readonly<Record<string, unknown>> }[];
}
interface Line {
  readonly resourceSpans: readonly { readonly scopeSpans: readonly { readonly spans: readonly Span[] }[] }[];
}

// The first build takes a minute of CPU, which only a run that asks for all tools spends.
const program = process.env.REQUIRE_TOOLS === '1' ? goProgram('otlp-receiver') : '';

/** Starts the receiver. Returns its address, and the spans that it accepted so far. */
async function startCollector() {
  const child = spawn(program, { stdio: ['pipe', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  await eventually(() => lines.length > 0);
  const spans = () =>
    lines
      .slice(1)
      .flatMap((line) => (JSON.parse(line) as Line).resourceSpans)
      .flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans));
  return { address: lines[0] ?? '', spans };
}

describe.skipIf(program === '')('the receiver of the OpenTelemetry Collector', () => {
  it('accepts the spans of a Mount', async () => {
    const { address, spans } = await startCollector();
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: `http://${address}`, OTEL_BSP_SCHEDULE_DELAY: '60000' };
    const world = await startWorld({ env });
    onTestFinished(() => world.close());
    await mountInto(world, 'tls', exampleVolumes().listener.parameters);
    await world.provider.stop();
    await eventually(() => spans().some(({ name }) => name === 'v1alpha1.CSIDriverProvider/Mount'));
    const [read] = spans().filter(({ name }) => name === 'read object');
    expect(read?.attributes).toContainEqual({ key: 'akv_csi.vault', value: { stringValue: 'my-key-vault' } });
    expect(world.provider.log()).not.toContain('cannot be exported');
  });

  it.each([
    ['http/protobuf', 'gzip'],
    ['http/json', 'none'],
    ['http/json', 'gzip'],
  ])('accepts %s with compression %s', async (protocol, compression) => {
    const collector = await startCollector();
    const tracing = traces(Number(collector.address.split(':')[1]), {
      OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
      OTEL_EXPORTER_OTLP_COMPRESSION: compression,
    });
    tracing.mount((span) => span.set({ 'akv_csi.objects': 3 }));
    await eventually(() => tracing.spans('exported') === 1);
    await eventually(() => collector.spans().length === 1);
    expect(collector.spans()[0]?.attributes).toContainEqual({ key: 'akv_csi.objects', value: { intValue: '3' } });
    expect(tracing.warnings()).toEqual([]);
  });
});
