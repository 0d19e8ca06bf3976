/**
 * The command `serve`: runs the provider until a signal stops it. `main.ts` calls it. Refuses wrong flags.
 */

import { systemClock } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { Sweeper } from '../base/sweeper.ts';
import { type Endpoint, parseEndpoint } from '../server/endpoint.ts';
import type { CallMeter } from '../server/guard.ts';
import { startHealthServer } from '../server/health.ts';
import { createMetrics, startMetricsServer } from '../server/metrics.ts';
import { type RunningServer, startServer } from '../server/server.ts';
import { keepHeapSmall } from './heap.ts';
import { exitCodeFor, type Io } from './io.ts';
import { catchDefects } from './last-resort.ts';
import { lateProvider } from './lazy-provider.ts';
import { type LogOutput, type LostLines, openLogOutput } from './log-output.ts';
import { createLogger } from './logging.ts';
import { endProcess } from './process-end.ts';
import { parseServeFlags, type ServeOptions, serveHelp } from './serve-flags.ts';
import type { StopSignals } from './signals.ts';
import { BUILD_DATE, VERSION } from './version.ts';

/** Answers that belong to the start go out before the other half of the program is loaded. */
const AFTER_MS = 200;
/** How long the calls under way may take when the provider is stopped. */
const DRAIN_MS = 20_000;
/** The process ends so long after the signal, whatever still waits for something; the kubelet kills it after 30 s. */
const STOP_LIMIT_MS = DRAIN_MS + 1_000;
/** Exit code of a process that did not stop in time, or that was busy with defects only. */
const FAILED = 1;

/** The parts of the process that `serve` uses. */
export interface ServeProcess {
  readonly signals: StopSignals;
  /** Leaves output that cannot be written to `serve`. */
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
  takeOutput();
  const output = openLogOutput(process, (lost) => tellOf(lost, log));
  const log = createLogger({ json: options.logJson, verbosity: options.verbosity, ...output });
  if (options.ignored.length > 0)
    log.info('Flags without a meaning here are ignored', { flags: options.ignored.join(' ') });
  try {
    const endpoint = parseEndpoint(options.endpoint);
    return await serve({ options, endpoint, env: io.env, log, output, signals });
  } catch (error) {
    log.error('Cannot serve', { error: messageOf(error) });
    return exitCodeFor(error);
  }
}

interface Serving {
  readonly options: ServeOptions;
  readonly endpoint: Endpoint;
  readonly env: Io['env'];
  readonly log: Logger;
  readonly output: LogOutput;
  readonly signals: StopSignals;
}

async function serve({ options, endpoint, env, log, output, signals }: Serving): Promise<number> {
  const { healthHost: host, healthPort: port, healthPath, healthTimeoutMs: timeoutMs } = options;
  let server: RunningServer | undefined;
  let stopping = false;
  const endAtOnce = (exitCode: number) => {
    server?.abandon();
    endProcess(exitCode);
  };
  signals.onFurther(endAtOnce);
  const defect = catchDefects({ log, end: () => endAtOnce(FAILED), clock: systemClock });
  process.on('unhandledRejection', (reason) => defect('Defect: unhandled rejection', reason));
  process.on('uncaughtException', (error) => defect('Defect: uncaught exception', error));

  const clock = systemClock;
  const { metricsObjectNames: objectNames } = options;
  const sweeper = new Sweeper(clock);
  const logLinesDropped = output.dropped;
  const metrics = createMetrics({ version: VERSION, objectNames, clock, sweeper, log, logLinesDropped });
  const provider = lateProvider(async () => {
    const { createProvider } = await import('./provider.ts');
    return createProvider(options, { env, log, telemetry: metrics, clock, sweeper });
  });
  const heap = keepHeapSmall(metrics);
  const firstAnswer = afterFirstCall(heap.meter, async () => {
    await provider.warmUp();
    heap.begin();
  });
  const meter = { ...firstAnswer.meter, socketLost: metrics.socketLost };
  const closers: (() => Promise<void>)[] = [provider.close];
  try {
    const target = () => (stopping ? 'stopping' : (server ?? 'starting'));
    const health = await startHealthServer({ host, port, path: healthPath, timeoutMs, target });
    closers.push(health.close);
    const exposed = await startMetricsServer({ port: options.metricsPort, metrics });
    closers.push(exposed.close);
    if (signals.received()) return 0;
    // Last of all that can fail, as it takes the socket from a provider that runs.
    server = await startServer({ endpoint, mount: provider.mount, version: VERSION, log, meter, drainMs: DRAIN_MS });
    log.info('Serving', { version: VERSION, healthPort: health.port, healthPath, metricsPort: exposed.port });
    if (!signals.received()) server.settle();
    const signal = await signals.first;
    stopping = true;
    log.info('Stopping', { signal, mountsInFlight: server.inFlight() });
    setTimeout(() => {
      log.error('Stopping took too long; the process ends without the rest', { seconds: STOP_LIMIT_MS / 1000 });
      endAtOnce(FAILED);
    }, STOP_LIMIT_MS);
    provider.stop();
    await server.stop();
  } finally {
    firstAnswer.cancel();
    heap.close();
    for (const close of closers) await close();
  }
  log.info('Stopped');
  return 0;
}

/** Says what the log has lost on the stream that can be written again. */
function tellOf({ stream, lines, reason }: LostLines, log: Logger): void {
  const message = 'Log lines were lost, as they could not be written';
  if (stream === 'stderr') log.warn(message, { stream, lines, reason });
  else log.info(message, { stream, lines, reason });
}

/**
 * A meter that also does some work once, a moment after the first call has been answered: driver and probes all call.
 */
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
