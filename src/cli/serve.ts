/**
 * The command `serve`: runs the provider until a signal stops it. `main.ts` calls it. Refuses wrong flags.
 */

import type { OfflineCacheOptions } from '../azure/offline-cache.ts';
import { systemClock } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { MemoryBudget } from '../base/memory-budget.ts';
import { Sweeper } from '../base/sweeper.ts';
import { type Endpoint, parseEndpoint } from '../server/endpoint.ts';
import { startHealthServer } from '../server/health.ts';
import { createMetrics, startMetricsServer } from '../server/metrics.ts';
import { type RunningServer, startServer } from '../server/server.ts';
import type { Tracing } from '../tracing/start.ts';
import { tracesWanted } from '../tracing/wanted.ts';
import { afterStart } from './after-start.ts';
import { anonymousBytes } from './anonymous-memory.ts';
import { inMebibytes, isLarge, isLowLimit, isNearLimit, leastLimitBytes, memoryBudgetBytes } from './budget-size.ts';
import { catchDefects } from './defects.ts';
import { type HeapKeeper, keepHeapSmall, v8Engine } from './heap.ts';
import { exitCodeFor, type Io } from './io.ts';
import { lazyProvider } from './lazy-provider.ts';
import { type LogOutput, type LostLines, openLogOutput } from './log-output.ts';
import { createLogger } from './logging.ts';
import { keepMemoryPrivate } from './memory-dumps.ts';
import { loadNativeMemory } from './native-memory.ts';
import { readOfflineCache } from './offline-cache.ts';
import { parseServeFlags, type ServeOptions, serveHelp } from './serve-flags.ts';
import type { StopSignals } from './signals.ts';
import { BUILD_DATE, VERSION } from './version.ts';

/** The time that running calls have to finish after the provider is told to stop. */
const DRAIN_MS = 20_000;
/**
 * The process ends this long after the signal, even if something still runs, such as the export of the last spans; the
 * kubelet kills it after 30 s.
 */
const STOP_LIMIT_MS = DRAIN_MS + 3_000;
/** Exit code of a process that did not stop in time, or that had too many defects. */
const FAILED = 1;

/** The parts of the process that `serve` uses. */
export interface ServeProcess {
  readonly signals: StopSignals;
  /** From this call on, `serve` handles errors of standard output and standard error itself. */
  readonly takeOutput: () => void;
}

/**
 * `akv-csi serve`: runs the provider until it is told to stop. Returns the exit code. Throws: ERR_USAGE for its flags.
 */
export async function runServe(
  args: readonly string[],
  io: Io,
  { signals, takeOutput }: ServeProcess,
): Promise<number> {
  const options = parseServeFlags(args);
  if (options.help) {
    io.stdout(serveHelp());
    return 0;
  }
  if (options.version) {
    io.stdout(`${JSON.stringify({ version: VERSION, buildDate: BUILD_DATE })}\n`);
    return 0;
  }
  keepMemoryPrivate(io.env);
  takeOutput();
  const output = openLogOutput(process, (lost) => logLostLines(lost, log));
  const log = createLogger({ json: options.logJson, verbosity: options.verbosity, ...output });
  if (options.ignored.length > 0)
    log.info('Flags that have no effect here are ignored', { flags: options.ignored.join(' ') });
  try {
    const endpoint = parseEndpoint(options.endpoint);
    const offlineCache = await readOfflineCache(options, io.env);
    const tracing = await tracingOf(io.env, log, options);
    return await serve({ options, endpoint, offlineCache, env: io.env, log, output, signals, tracing });
  } catch (error) {
    log.error('Cannot serve', { error: messageOf(error) });
    return exitCodeFor(error);
  }
}

interface Serving {
  readonly options: ServeOptions;
  readonly endpoint: Endpoint;
  readonly offlineCache: OfflineCacheOptions | undefined;
  readonly env: Io['env'];
  readonly log: Logger;
  readonly output: LogOutput;
  readonly signals: StopSignals;
  readonly tracing: Tracing | undefined;
}

/** Loads the export of traces, if the environment asks for it. Throws: see `openTracing`. */
async function tracingOf(env: Io['env'], log: Logger, options: ServeOptions): Promise<Tracing | undefined> {
  if (!tracesWanted(env)) return undefined;
  const { openTracing } = await import('./tracing.ts');
  return openTracing({ env, log, objectNames: options.metricsObjectNames });
}

async function serve({
  options,
  endpoint,
  offlineCache,
  env,
  log,
  output,
  signals,
  tracing,
}: Serving): Promise<number> {
  const { healthHost: host, healthPort: port, healthPath, healthTimeoutMs: timeoutMs } = options;
  let server: RunningServer | undefined;
  let stopping = false;
  const endAtOnce = (exitCode: number) => {
    server?.abandon();
    process.exit(exitCode);
  };
  signals.onFurther(endAtOnce);
  const defect = catchDefects({ log, end: () => endAtOnce(FAILED), clock: systemClock });
  process.on('unhandledRejection', (reason) => defect('Defect: unhandled rejection', reason));
  process.on('uncaughtException', (error) => defect('Defect: uncaught exception', error));

  const clock = systemClock;
  const { metricsObjectNames: objectNames } = options;
  const sweeper = new Sweeper(clock);
  // Read once: the budget has its size from it, and the kernel tells it in several files.
  const limitBytes = process.constrainedMemory();
  const memory = budgetOf(options.memoryBudgetBytes, limitBytes, () => heap);
  const counts = { logLinesDropped: output.dropped, traceSpans: tracing?.spans };
  const metrics = createMetrics({ version: VERSION, objectNames, clock, sweeper, memory, log, ...counts });
  const heap = keepHeapSmall(metrics, v8Engine(limitBytes));
  const provider = lazyProvider(async () => {
    const { createProvider } = await import('./provider.ts');
    const surroundings = { env, log, telemetry: metrics, clock, sweeper, memory, swept: heap.dropped, offlineCache };
    return createProvider(options, { ...surroundings, tracer: tracing?.tracer });
  });
  const rest = afterStart(heap.meter, async () => {
    await Promise.all([provider.warmUp(), metrics.begin()]);
    heap.begin(await fitIntoLimit(limitBytes, log));
  });
  const meter = { ...rest.meter, socketLost: metrics.socketLost };
  const closers = [provider.close, async () => tracing?.close()];
  try {
    const target = () => (stopping ? 'stopping' : (server ?? 'starting'));
    const health = await startHealthServer({ host, port, path: healthPath, timeoutMs, target });
    closers.push(health.close);
    const exposed = await startMetricsServer({ host: options.metricsHost, port: options.metricsPort, metrics });
    closers.push(exposed.close);
    if (signals.received()) return 0;
    // This is the last step that can fail, because it takes the socket from a running provider.
    const { mount } = provider;
    const parts = { log, tracer: tracing?.tracer, meter, memory };
    server = await startServer({ endpoint, mount, version: VERSION, drainMs: DRAIN_MS, ...parts });
    log.info('Serving', { version: VERSION, healthPort: health.port, healthPath, metricsPort: exposed.port });
    const signal = await signals.first;
    stopping = true;
    log.info('Stopping', { signal, mountsInFlight: server.inFlight() });
    setTimeout(() => {
      log.error('Stopping took too long; the process ends before all calls ended', { seconds: STOP_LIMIT_MS / 1000 });
      endAtOnce(FAILED);
    }, STOP_LIMIT_MS);
    await server.stop();
  } finally {
    rest.cancel();
    heap.close();
    for (const close of closers) await close();
  }
  log.info('Stopped');
  return 0;
}

/** Logs how many lines were lost on the stream that can be written again. */
function logLostLines({ stream, lines, reason }: LostLines, log: Logger): void {
  const message = 'Log lines were lost because they could not be written';
  if (stream === 'stderr') log.warn(message, { stream, lines, reason });
  else log.info(message, { stream, lines, reason });
}

/** Makes the memory of everything under way. It tells the heap when Mounts have discarded much and the process is large. */
function budgetOf(flagBytes: number, limitBytes: number, heap: () => HeapKeeper): MemoryBudget {
  return new MemoryBudget(memoryBudgetBytes(flagBytes, limitBytes), {
    onDiscarded() {
      const bytes = anonymousBytes();
      if (isLarge(bytes, limitBytes)) heap().large();
      if (isNearLimit(bytes, limitBytes)) heap().discarded();
    },
  });
}

/** Prepares the process for its memory limit. Returns the function that returns memory to the system. */
async function fitIntoLimit(limitBytes: number, log: Logger): Promise<() => void> {
  const native = await loadNativeMemory();
  // Not before now: at the start, large reads are faster.
  if (isLowLimit(limitBytes)) native?.readSinglePages();
  const leastBytes = leastLimitBytes(native !== undefined);
  if (limitBytes > 0 && limitBytes < leastBytes) {
    log.warn(
      'The memory limit of the container is too low: when many pods start at once, Mounts may time out or the kernel may ' +
        'end the provider; raise it (linux.resources.limits.memory in the chart)',
      { limit: inMebibytes(limitBytes), least: inMebibytes(leastBytes) },
    );
  }
  // Most of the code that is mapped now was used by the start only.
  native?.releaseCode();
  return () => {
    native?.trim();
    native?.releaseCode();
  };
}
