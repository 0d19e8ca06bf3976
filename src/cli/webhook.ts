/**
 * The command `webhook`: answers admission reviews until a signal stops it. `main.ts` calls it. Refuses wrong flags, and
 * does not start without a certificate.
 */

import { systemClock } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { type HttpEndpoint, serveHttp } from '../server/http.ts';
import { startMetricsServer } from '../server/metrics.ts';
import { CertificateKeeper } from '../webhook/certificate/keeper.ts';
import { type ClusterClasses, connectClasses } from '../webhook/classes.ts';
import { createWebhookMetrics, type WebhookMetrics } from '../webhook/metrics.ts';
import { mutate } from '../webhook/mutate.ts';
import { type Reviewer, startWebhookServer } from '../webhook/server.ts';
import { STAND_IN_CLOUD, validate } from '../webhook/validate.ts';
import { catchDefects } from './defects.ts';
import { exitCodeFor, type Io } from './io.ts';
import { type LogOutput, openLogOutput } from './log-output.ts';
import { createLogger } from './logging.ts';
import type { StopSignals } from './signals.ts';
import { BUILD_DATE, VERSION } from './version.ts';
import { parseWebhookFlags, type WebhookOptions, webhookHelp } from './webhook-flags.ts';

/** After a signal, requests are still taken for this time, until the endpoints of the Service no longer name this pod. */
const LEAVE_MS = 5_000;
/** The time that requests have after that; longer than any timeout of an API server that the chart sets. */
const DRAIN_MS = 10_000;
/** The process ends this long after the signal, even if something still runs; the kubelet kills it after 30 s. */
const STOP_LIMIT_MS = LEAVE_MS + DRAIN_MS + 1_000;
/** The interval at which the files of the certificate are read. The kubelet changes them about a minute after the Secret. */
const CHECK_MS = 60_000;
const FAILED = 1;

/** The parts of the process that `webhook` uses. */
export interface WebhookProcess {
  readonly signals: StopSignals;
  /** From this call on, `webhook` handles errors of standard output and standard error itself. */
  readonly takeOutput: () => void;
}

/**
 * `akv-csi webhook`: answers reviews until it is told to stop. Returns the exit code. Throws: ERR_USAGE for its flags.
 */
export async function runWebhook(
  args: readonly string[],
  io: Io,
  { signals, takeOutput }: WebhookProcess,
): Promise<number> {
  const options = parseWebhookFlags(args);
  if (options.help) {
    io.stdout(webhookHelp());
    return 0;
  }
  if (options.version) {
    io.stdout(`${JSON.stringify({ version: VERSION, buildDate: BUILD_DATE })}\n`);
    return 0;
  }
  takeOutput();
  const output = openLogOutput(process, ({ stream, lines, reason }) =>
    log.warn('Log lines were lost because they could not be written', { stream, lines, reason }),
  );
  const log = createLogger({ json: options.logJson, verbosity: options.verbosity, ...output });
  try {
    return await serve({ options, env: io.env, log, output, signals });
  } catch (error) {
    log.error('Cannot serve', { error: messageOf(error) });
    return exitCodeFor(error);
  }
}

interface Serving {
  readonly options: WebhookOptions;
  readonly env: Io['env'];
  readonly log: Logger;
  readonly output: LogOutput;
  readonly signals: StopSignals;
}

async function serve({ options, env, log, output, signals }: Serving): Promise<number> {
  signals.onFurther((exitCode) => process.exit(exitCode));
  const defect = catchDefects({ log, end: () => process.exit(FAILED), clock: systemClock });
  process.on('unhandledRejection', (reason) => defect('Defect: unhandled rejection', reason));
  process.on('uncaughtException', (error) => defect('Defect: uncaught exception', error));

  const keeper = await CertificateKeeper.open({ source: options.certificate, clock: systemClock, log });
  const reviewers = reviewersOf(options, connectClasses({ env, serviceAccountDir: options.serviceAccountDir }));
  const metrics = createWebhookMetrics(Object.keys(reviewers), {
    version: VERSION,
    inFlight: () => server.inFlight(),
    periods: () => ({ serving: keeper.keyPair.period, authority: keeper.authority }),
    logLinesDropped: output.dropped,
  });
  const server = await startWebhookServer({
    host: options.host,
    port: options.port,
    keyPair: keeper.keyPair,
    reviewers,
    notReady: () => keeper.problem,
    reviewed: metrics.reviewed,
    clock: systemClock,
    log,
  });
  const checking = setInterval(() => {
    void keeper.check().then((isNew) => isNew && server.setKeyPair(keeper.keyPair));
  }, CHECK_MS);
  const endpoints: HttpEndpoint[] = [];
  try {
    endpoints.push(...(await startProbes(options, metrics)));
    log.info('Serving', { version: VERSION, port: server.port, validation: options.validation });
    const signal = await signals.first;
    server.leave();
    log.info('Stopping', { signal, requestsInFlight: server.inFlight() });
    setTimeout(() => process.exit(FAILED), STOP_LIMIT_MS).unref();
    await new Promise((wake) => setTimeout(wake, LEAVE_MS));
    await server.stop(DRAIN_MS);
  } finally {
    clearInterval(checking);
    for (const { close } of endpoints) await close();
  }
  log.info('Stopped');
  return 0;
}

function reviewersOf(options: WebhookOptions, classes: ClusterClasses): Readonly<Record<string, Reviewer>> {
  const { cloudName, providerNames, validation: action, watchImage } = options;
  const defaults = { cloudName, orderChain: true, split: false };
  const validation = { action, defaults, providerNames, readCloudFile: async () => STAND_IN_CLOUD };
  return {
    '/validate': (review) => validate(review, validation),
    '/mutate': (review, signal) => mutate(review, { classes, watchImage }, signal),
  };
}

/** Starts the endpoints of the liveness probe and of the metrics. Throws: ERR_USAGE naming the port. */
async function startProbes(options: WebhookOptions, metrics: WebhookMetrics): Promise<readonly HttpEndpoint[]> {
  const health = await serveHttp({
    purpose: 'health checks (--healthz-port)',
    port: options.healthPort,
    path: options.healthPath,
    answer: async () => ({ status: 200, contentType: 'text/plain', body: 'ok' }),
  });
  return [health, await startMetricsServer({ port: options.metricsPort, metrics })];
}
