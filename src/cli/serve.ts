import { systemClock } from '../base/clock.ts';
import type { MountHandler } from '../mount/call.ts';
import { parseEndpoint } from '../server/endpoint.ts';
import { startHealthServer } from '../server/health.ts';
import { createMetrics, startMetricsServer } from '../server/metrics.ts';
import { startServer } from '../server/server.ts';
import { keepHeapSmall } from './heap.ts';
import type { Io } from './io.ts';
import { createLogger } from './logging.ts';
import type { Provider } from './provider.ts';
import { parseServeFlags, serveHelp } from './serve-flags.ts';
import { BUILD_DATE, VERSION } from './version.ts';

/** The half that talks to Azure takes as long to load as all the rest, and a start is over with the first answer. */
const PRELOAD_MS = 200;

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
  let loading: Promise<Provider> | undefined;
  const provider = () => {
    loading ??= import('./provider.ts').then(({ createProvider }) =>
      createProvider(options, { env: io.env, log, telemetry: metrics, clock }),
    );
    return loading;
  };
  const mount: MountHandler = async (input, call) => (await provider()).mount(input, call);
  const server = await startServer({ endpoint, mount, version: VERSION, log, meter: metrics });
  const stoppers: (() => Promise<void>)[] = [server.stop];
  try {
    const { healthPort: port, healthPath: path, healthTimeoutMs: timeoutMs } = options;
    const health = await startHealthServer({ port, path, timeoutMs, endpoint: server.endpoint });
    stoppers.push(health.close);
    const exposed = await startMetricsServer({ port: options.metricsPort, metrics });
    stoppers.push(exposed.close);
    log.info('Serving', { version: VERSION, healthPort: health.port, healthPath: path, metricsPort: exposed.port });
    const preload = setTimeout(async () => {
      await (await provider()).warmUp();
      keepHeapSmall();
    }, PRELOAD_MS);
    const signal = await stopSignal();
    clearTimeout(preload);
    log.info('Stopping', { signal, mountsInFlight: server.inFlight() });
  } finally {
    for (const stop of stoppers) await stop();
    (await loading)?.close();
  }
  log.info('Stopped');
  return 0;
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
