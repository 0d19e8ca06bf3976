/**
 * Starts and stops the gRPC server: listener, connections, guard and services. `serve` calls it. It bounds connections,
 * calls and message sizes, and stops without loss of a running call.
 */

import { randomUUID } from 'node:crypto';
import { Server, ServerCredentials, setLogger } from '@grpc/grpc-js';
import { within } from '../base/abort.ts';
import { messageOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { MemoryBudget } from '../base/memory-budget.ts';
import type { Tracer } from '../base/trace.ts';
import type { MountHandler } from '../mount/handler.ts';
import { type PinnedConnection, pinConnection } from './connection.ts';
import { ConnectionLimit } from './connection-limit.ts';
import { type Endpoint, formatEndpoint } from './endpoint.ts';
import { type CallMeter, guardCalls } from './guard.ts';
import { openListener } from './listener.ts';
import { RequestBudget } from './requests.ts';
import { addServices } from './service.ts';
import type { SocketMeter } from './socket-watch.ts';
import { watchStalled } from './stalled.ts';
import { refusesConnections } from './unix-socket.ts';
import { type Answerer, whoAnswers } from './version-call.ts';

/** Options of {@link startServer}. */
export interface ServerOptions {
  readonly endpoint: Endpoint;
  readonly mount: MountHandler;
  /** The version of this program, without a leading `v`. */
  readonly version: string;
  readonly log: Logger;
  /** Makes a span of each Mount. Default: there is none. */
  readonly tracer?: Tracer | undefined;
  readonly meter: CallMeter & Partial<SocketMeter>;
  /** The memory of everything under way. Default: one without limit. */
  readonly memory?: MemoryBudget;
  /** The longest time that {@link RunningServer.stop} waits for open calls; 20 s if absent. */
  readonly drainMs?: number;
  /** The interval between two checks of the socket, in milliseconds; one second if absent. */
  readonly watchMs?: number;
}

/** A server that answers calls. */
export interface RunningServer {
  /** The open endpoint; for port 0, with the port that the system chose. */
  readonly endpoint: Endpoint;
  /** An id that differs from server to server; the answers to `Version` carry it. */
  readonly instance: string;
  /** The number of running calls. */
  inFlight(): number;
  /**
   * Accepts no more connections, waits for open calls until the time limit, ends the others with a final code, and
   * resolves when every connection is closed. Clients get GOAWAY at once and send their next call to the successor, so no
   * call is lost.
   */
  stop(): Promise<void>;
  /** Removes the socket file if it is still ours, or gives a predecessor its own back, for a process that ends at once. */
  abandon(): void;
}

/** The limit of the driver's client for an answer; its requests are smaller. */
const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;
/** The limit of connections; a driver has one, and so has a probe. */
const MAX_CONNECTIONS = 64;
/**
 * The limit of calls on one connection. A node has a few hundred volumes; the client of the driver queues further
 * calls.
 */
const MAX_CONCURRENT_CALLS = 512;
/**
 * The limit over all connections: a hundred requests of 100 KB at the same time, and half as much again. It is half of
 * the memory budget if that is less.
 */
const MAX_UNFINISHED_BYTES = 16 * 1024 * 1024;
const WATCH_MS = 1000;
const DEFAULT_DRAIN_MS = 20_000;
/** The time for the last answers, of the calls that outlast the drain, to reach their callers. */
const LAST_ANSWERS_MS = 2000;
/** The time that connections without calls have to end. */
const CLOSE_MS = 500;

/** Starts the gRPC server of the provider. Throws: ERR_USAGE if the endpoint cannot be opened. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { log, drainMs = DEFAULT_DRAIN_MS, watchMs = WATCH_MS } = options;
  const { memory = new MemoryBudget(Number.POSITIVE_INFINITY) } = options;
  // The library reports malformed metadata on stderr, in its own format.
  setLogger({ error: (complaint) => log.debug('gRPC library', { complaint: String(complaint) }) });
  const guard = guardCalls(options.meter, log);
  const server = new Server({
    interceptors: [guard.interceptor],
    'grpc.enable_channelz': 0,
    'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
    'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
    'grpc.max_concurrent_streams': MAX_CONCURRENT_CALLS,
  });
  surviveLostStreams(server, log);
  const instance = randomUUID();
  addServices(server, { ...options, instance, codeOf: guard.codeOf });
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const limit = new ConnectionLimit(MAX_CONNECTIONS, 'refuseNewest');
  const budget = new RequestBudget(Math.min(MAX_UNFINISHED_BYTES, memory.figures.limit / 2), memory);
  const connections = new Set<PinnedConnection>();
  const endWatch = watchStalled(connections, memory, log);
  const { endpoint } = options;
  const predecessor = await predecessorAt(endpoint);
  const listener = await openListener({
    endpoint,
    log,
    lost: () => options.meter.socketLost?.(),
    watchMs,
    onConnection(socket) {
      const connection = pinConnection(socket, budget, memory);
      connections.add(connection);
      connection.once('close', () => connections.delete(connection));
      limit.admit(connection, () => connection.use);
      if (!connection.destroyed) injector.injectConnection(connection);
    },
  });
  log.info('Listening', { endpoint: formatEndpoint(listener.endpoint) });
  if (predecessor !== undefined) {
    const { runtimeName, runtimeVersion } = predecessor;
    log.info('Replaced the socket of a provider that runs', { runtimeName, runtimeVersion });
  }

  const stop = async () => {
    endWatch();
    await listener.stopAccepting();
    injector.destroy();
    await within(drainMs, delivered(connections));
    guard.endAll('The provider is stopping; the next attempt is answered by its successor');
    await within(LAST_ANSWERS_MS, delivered(connections));
    await listener.close(CLOSE_MS);
  };
  let stopped: Promise<void> | undefined;
  return {
    endpoint: listener.endpoint,
    instance,
    inFlight: guard.inFlight,
    stop() {
      stopped ??= stop();
      return stopped;
    },
    abandon: listener.abandon,
  };
}

/**
 * Keeps a lost stream from ending the process. grpc-js refuses a request with an unknown method or content type without
 * a check of its stream, and `respond` of Node throws if the stream was reset. No public function stands between the
 * two.
 */
function surviveLostStreams(server: Server, log: Logger): void {
  const name = '_streamHandler';
  const handle: unknown = Reflect.get(server, name);
  if (typeof handle !== 'function') throw new Error(`grpc-js has no ${name} any more`);
  Reflect.set(server, name, (...args: unknown[]) => {
    try {
      handle.apply(server, args);
    } catch (error) {
      log.debug('A request was lost before it could be refused', { error: messageOf(error) });
    }
  });
}

/** The process that listens on the socket that is about to be replaced, if there is one; without names if it is silent. */
async function predecessorAt(endpoint: Endpoint): Promise<Partial<Answerer> | undefined> {
  if (endpoint.kind !== 'unix' || (await refusesConnections(endpoint.path))) return undefined;
  return (await whoAnswers(endpoint)) ?? {};
}

/** Resolves when every call has its answer, also those whose request is still being sent. */
async function delivered(connections: ReadonlySet<PinnedConnection>): Promise<void> {
  await Promise.all([...connections].map((connection) => connection.delivered()));
}
