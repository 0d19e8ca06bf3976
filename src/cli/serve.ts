import { systemClock } from '../base/clock.ts';
import { parseEndpoint } from '../server/endpoint.ts';
import type { CallMeter } from '../server/guard.ts';
import { startHealthServer } from '../server/health.ts';
import { createMetrics, startMetricsServer } from '../server/metrics.ts';
import { startServer } from '../server/server.ts';
import { keepHeapSmall } from './heap.ts';
import type { Io } from './io.ts';
import { lateProvider } from './late-provider.ts';
import { createLogger } from './logging.ts';
import { parseServeFlags, serveHelp } from './serve-flags.ts';
import { BUILD_DATE, VERSION } from './version.ts';

/** Answers that belong to the start go out before the other half of the program is loaded. */
const AFTER_MS = 200;

/** `akv-csi serve`: runs the provider until SIGTERM or SIGINT. Returns the exit code. Errors: ERR_USAGE. */
export async function runServe(args: readonly string[], io: Io): Promise<number> {
  const options = parseServeFlags(args);
  if (options.help) {
    io.stdout(serveHelp());
    return 0;
  }
  if (options.version) {
    io.stdout(`${JSON.stringify({ version: VERSION, buildDate: BUILD_DATE })}\n`);
    return 0;
  }
  const endpoint = parseEndpoint(options.endpoint);
  const log = createLogger({
    json: options.logJson,
    verbosity: options.verbosity,
    stdout: io.stdout,
    stderr: io.stderr,
  });
  if (options.ignored.length > 0)
    log.info('Flags without a meaning here are ignored', { flags: options.ignored.join(' ') });
  // Nothing a pod's manifest or a vault's answer does may end the process that serves every pod of the node.
  process.on('unhandledRejection', (reason) => log.error('Defect: unhandled rejection', { error: kindOf(reason) }));
  process.on('uncaughtException', (error) => log.error('Defect: uncaught exception', { error: kindOf(error) }));

  const clock = systemClock;
  const metrics = createMetrics({ version: VERSION, objectNames: options.metricsObjectNames, clock, log });
  const provider = lateProvider(async () => {
    const { createProvider } = await import('./provider.ts');
    return createProvider(options, { env: io.env, log, telemetry: metrics, clock });
  });
  const heap = keepHeapSmall(metrics);
  const firstAnswer = afterFirstCall(heap.meter, async () => {
    await provider.warmUp();
    heap.begin();
  });
  const server = await startServer({
    endpoint,
    mount: provider.mount,
    version: VERSION,
    log,
    meter: firstAnswer.meter,
  });
  const stoppers: (() => Promise<void>)[] = [server.stop];
  try {
    const { healthPort: port, healthPath: path, healthTimeoutMs: timeoutMs } = options;
    const health = await startHealthServer({ port, path, timeoutMs, endpoint: server.endpoint });
    stoppers.push(health.close);
    const exposed = await startMetricsServer({ port: options.metricsPort, metrics });
    stoppers.push(exposed.close);
    log.info('Serving', { version: VERSION, healthPort: health.port, healthPath: path, metricsPort: exposed.port });
    const signal = await stopSignal();
    log.info('Stopping', { signal, mountsInFlight: server.inFlight() });
  } finally {
    firstAnswer.cancel();
    heap.close();
    for (const stop of stoppers) await stop();
    await provider.close();
  }
  log.info('Stopped');
  return 0;
}

/** A meter that also does some work once, a moment after the first call has been answered: driver and probes all call. */
function afterFirstCall(meter: CallMeter, work: () => Promise<void>) {
  let timer: NodeJS.Timeout | undefined;
  return {
    meter: {
      callStarted: (method) => meter.callStarted(method),
      callEnded(end) {
        meter.callEnded(end);
        timer ??= setTimeout(work, AFTER_MS);
      },
    } satisfies CallMeter,
    cancel: () => clearTimeout(timer),
  };
}

function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    process.once('SIGTERM', resolve);
    process.once('SIGINT', resolve);
  });
}

/** Name and place of a foreign error; its message may quote what it choked on. */
function kindOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return typeof thrown;
  const code = 'code' in thrown ? ` ${String(thrown.code)}` : '';
  const place = thrown.stack?.split('\n').find((line) => line.trimStart().startsWith('at ')) ?? '';
  return `${thrown.name}${code}${place}`;
}
