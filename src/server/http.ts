/**
 * Serves HTTP for probes and scrapes; `health.ts` and `metrics.ts` start one endpoint each. Connections, headers and
 * times are bounded, and requests at the same time share one answer. Requests with a body are refused.
 */

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { type Clock, msSince, type SteadyTime, systemClock } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import { bind, cannotListenOnPort, portOf } from './bind.ts';
import { ConnectionLimit, type ConnectionUse } from './connection-limit.ts';

/** A running HTTP endpoint. */
export interface HttpEndpoint {
  readonly port: number;
  close(): Promise<void>;
}

/** Settings of an HTTP endpoint. It serves one path, for any method; every other path is 404. */
export interface HttpOptions {
  /** The use of the endpoint and the flag of its port, for the error message. */
  readonly purpose: string;
  /** Every interface if absent or empty. */
  readonly host?: string;
  /** The system chooses the port if 0. */
  readonly port: number;
  /** The path, which begins with `/`. */
  readonly path: string;
  answer(): Promise<HttpAnswer>;
  /** The time for which an answer with status 200 is reused, counted from its request; if absent, it is not reused. */
  readonly keepMs?: number;
  /** The system clock if absent. */
  readonly clock?: Pick<Clock, 'steady'>;
  /** {@link HTTP_LIMITS} if absent. */
  readonly limits?: HttpLimits;
}

/** An HTTP answer. */
export interface HttpAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

/** The limits of the callers of one endpoint. */
export interface HttpLimits {
  /** A further connection closes one without any request, else one without an open request, else the oldest. */
  readonly connections: number;
  /** The size of request line and headers. */
  readonly headerBytes: number;
  /** The time for a whole request, from its first byte or, on a new connection, from the start of the connection. */
  readonly requestMs: number;
  /** The time until the client has taken the answer. */
  readonly answerMs: number;
  /** The time between two requests of a connection. */
  readonly idleMs: number;
  readonly requestsPerConnection: number;
  /** The interval at which connections are checked against these times. */
  readonly checkMs: number;
}

/** The default limits, far above the needs of a kubelet and a Prometheus. */
export const HTTP_LIMITS: HttpLimits = {
  connections: 16,
  headerBytes: 2048,
  requestMs: 2000,
  answerMs: 5000,
  idleMs: 5000,
  requestsPerConnection: 100,
  checkMs: 1000,
};

/** Starts a plain HTTP server. Throws: ERR_USAGE naming the port if it cannot listen. */
export async function serveHttp(options: HttpOptions): Promise<HttpEndpoint> {
  const { purpose, host = '', port, path, limits = HTTP_LIMITS } = options;
  const answer = sharedAnswer(options);
  /** The number of open requests of a connection; absent before its first request. */
  const pending = new WeakMap<Socket, number>();
  const use = (socket: Socket): ConnectionUse => {
    const requests = pending.get(socket);
    if (requests === undefined) return 'unused';
    return requests > 0 ? 'busy' : 'idle';
  };
  const limit = new ConnectionLimit(limits.connections, 'cutOldest');
  const server = createServer(
    {
      requestTimeout: limits.requestMs,
      headersTimeout: limits.requestMs,
      keepAliveTimeout: limits.idleMs,
      connectionsCheckingInterval: limits.checkMs,
      maxHeaderSize: limits.headerBytes,
    },
    (request, response) => {
      const { socket } = request;
      pending.set(socket, (pending.get(socket) ?? 0) + 1);
      response.once('close', () => pending.set(socket, (pending.get(socket) ?? 1) - 1));
      const refusal = refused(request, path);
      const answered = refusal === undefined ? answer() : Promise.resolve(refusal);
      void answered.then((found) => send(response, found, limits.answerMs));
    },
  );
  server.maxRequestsPerSocket = limits.requestsPerConnection;
  server.on('connection', (socket) => limit.admit(socket, () => use(socket)));
  const where = { port, ...(host === '' ? {} : { host }) };
  await bind(server, where, (error) => cannotListenOnPort(where, purpose, error));
  // An accept that fails (no file descriptors left) must not end the process.
  server.on('error', () => {});
  return {
    port: portOf(server),
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  };
}

/** An answer as bytes, shared by all responses with it. */
interface Served {
  readonly status: number;
  readonly contentType: string;
  readonly body: Buffer;
  /** The connection is closed after it. */
  readonly last?: boolean;
}

/** Makes one answer at a time, for all requests meanwhile and for `keepMs` afterwards. */
function sharedAnswer({ answer, keepMs = 0, clock = systemClock }: HttpOptions): () => Promise<Served> {
  let shared: { readonly askedAt: SteadyTime; readonly served: Promise<Served>; made: boolean } | undefined;
  const make = async () => {
    try {
      return text(await answer());
    } catch (thrown) {
      return text({ status: 500, contentType: 'text/plain', body: messageOf(thrown) });
    }
  };
  return () => {
    if (shared !== undefined && (!shared.made || msSince(clock, shared.askedAt) < keepMs)) return shared.served;
    const asked = { askedAt: clock.steady(), served: make(), made: false };
    shared = asked;
    void asked.served.then(({ status }) => {
      asked.made = true;
      if (status !== 200 && shared === asked) shared = undefined;
    });
    return asked.served;
  };
}

function refused({ url, headers }: IncomingMessage, path: string): Served | undefined {
  const plain = (status: number, body: string) => text({ status, contentType: 'text/plain', body });
  if (headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) !== 0) {
    return { ...plain(413, 'a request has no body here'), last: true };
  }
  return url?.split('?')[0] === path ? undefined : plain(404, 'not found');
}

function text({ status, contentType, body }: HttpAnswer): Served {
  return { status, contentType, body: Buffer.from(body) };
}

function send(response: ServerResponse, { status, contentType, body, last }: Served, answerMs: number): void {
  const cut = setTimeout(() => response.destroy(), answerMs);
  response.once('close', () => clearTimeout(cut));
  response.writeHead(status, {
    'content-type': `${contentType}; charset=utf-8`,
    'content-length': body.length,
    'cache-control': 'no-store',
    ...(last ? { connection: 'close' } : {}),
  });
  response.end(body);
}
