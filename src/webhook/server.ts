/**
 * Serves reviews of the API server over HTTPS. The command `webhook` starts it. Connections, sizes, times and bodies
 * under way are bounded. A request that is no review gets a status and one line with the reason; the API server then
 * does what the failure policy of its webhook configuration says.
 */

import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { Socket } from 'node:net';
import { type Clock, msSince } from '../base/clock.ts';
import { framesOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { bind, cannotListenOnPort, portOf } from '../server/bind.ts';
import { ConnectionLimit, type ConnectionUse } from '../server/connection-limit.ts';
import { Bodies, BodyRefused } from './body.ts';
import type { KeyPair } from './certificate/key-pair.ts';
import { BadReview, REVIEW_LIMITS, type Review, readReview, subjectOf, type Verdict, writeReview } from './review.ts';

/** Answers a review. `signal` aborts when the API server no longer waits for the answer. */
export type Reviewer = (review: Review, signal: AbortSignal) => Promise<Verdict>;

/** The result of a request, for the metrics. */
export type ReviewResult = 'allowed' | 'warned' | 'patched' | 'denied' | 'malformed' | 'overloaded' | 'failed';

/** Parts and settings of {@link startWebhookServer}. */
export interface WebhookServerOptions {
  /** Every interface if absent. */
  readonly host?: string;
  /** The system chooses the port if 0. */
  readonly port: number;
  readonly keyPair: KeyPair;
  /** The reviewers by path, such as `/validate`. */
  readonly reviewers: Readonly<Record<string, Reviewer>>;
  /** Returns the reason why the server cannot answer reviews; undefined: it is ready. */
  readonly notReady: () => string | undefined;
  readonly reviewed: (path: string, result: ReviewResult, seconds: number) => void;
  readonly clock: Pick<Clock, 'steady'>;
  readonly log: Logger;
  /** {@link WEBHOOK_LIMITS} if absent. */
  readonly limits?: WebhookLimits;
}

/** Limits of the callers of the server. */
export interface WebhookLimits {
  /** A further connection closes one without any request, else one without an open request, else the oldest. */
  readonly connections: number;
  /** The size of request line and headers. */
  readonly headerBytes: number;
  readonly bodyBytes: number;
  /** Bytes of all bodies that are being read or reviewed. */
  readonly allBodyBytes: number;
  /** The time for a handshake, and for a whole request. */
  readonly requestMs: number;
  /** The time between two requests of a connection: more than the 90 s after which the API server closes it. */
  readonly idleMs: number;
  /** The time for one review; the API server's own limit in `?timeout=` shortens it. */
  readonly reviewMs: number;
}

/** The default limits. An API server keeps few connections; a large cluster has five API servers. */
export const WEBHOOK_LIMITS: WebhookLimits = {
  connections: 256,
  headerBytes: 16 * 1024,
  bodyBytes: REVIEW_LIMITS.bytes,
  allBodyBytes: 16 * 1024 * 1024,
  requestMs: 10_000,
  idleMs: 120_000,
  reviewMs: 10_000,
};

/** The path of the readiness probe. */
const READY_PATH = '/readyz';
/** The part of the API server's timeout that is left for the way back. */
const WAY_BACK = 0.2;

/** A running server. */
export interface WebhookServer {
  readonly port: number;
  /** Requests that are not answered yet. */
  inFlight(): number;
  /** Uses another certificate for new connections. */
  setKeyPair(keyPair: KeyPair): void;
  /**
   * From now on, the readiness probe gets `stopping`, and every answer closes its connection, so that the caller makes
   * its next request elsewhere. Requests are still taken.
   */
  leave(): void;
  /** Takes no more connections, and resolves when the requests under way are answered, or after `waitMs`. */
  stop(waitMs: number): Promise<void>;
}

/** An answer to one request. */
interface Answer {
  readonly status: number;
  readonly contentType: 'application/json' | 'text/plain; charset=utf-8';
  readonly body: string;
  /** Undefined: the request was no review. */
  readonly result?: ReviewResult;
}

/** Starts the server. Throws: ERR_USAGE naming the port if it cannot listen. */
export async function startWebhookServer(options: WebhookServerOptions): Promise<WebhookServer> {
  const { host = '', port, keyPair, limits = WEBHOOK_LIMITS, clock, reviewed } = options;
  const bodies = new Bodies({ bytes: limits.bodyBytes, allBytes: limits.allBodyBytes });
  const open = new Map<Socket, number>();
  let inFlight = 0;
  let leaving = false;
  const notReady = () => (leaving ? 'stopping' : options.notReady());
  const server = createServer({
    cert: keyPair.certificate,
    key: keyPair.key,
    minVersion: 'TLSv1.2',
    handshakeTimeout: limits.requestMs,
    requestTimeout: limits.requestMs,
    headersTimeout: limits.requestMs,
    keepAliveTimeout: limits.idleMs,
    maxHeaderSize: limits.headerBytes,
  });
  server.on('request', (request, response) => {
    const { socket } = request;
    const start = clock.steady();
    open.set(socket, (open.get(socket) ?? 0) + 1);
    inFlight++;
    response.once('close', () => {
      open.set(socket, (open.get(socket) ?? 1) - 1);
      inFlight--;
    });
    const path = request.url?.split('?')[0] ?? '';
    void answer(request, response, { ...options, notReady, limits, bodies }).then((found) => {
      if (found.result !== undefined) reviewed(path, found.result, msSince(clock, start) / 1000);
      send(response, found, server.listening && !leaving);
    });
  });
  const limit = new ConnectionLimit(limits.connections, 'cutOldest');
  server.on('secureConnection', (socket) => {
    open.set(socket, 0);
    socket.once('close', () => open.delete(socket));
  });
  server.on('connection', (socket: Socket) => limit.admit(socket, () => useOf(open, socket)));
  // A client that speaks no TLS, or that gives up, and an accept that fails must not end the process.
  server.on('tlsClientError', (_, socket) => socket.destroy());
  server.on('error', () => {});
  const where = { port, ...(host === '' ? {} : { host }) };
  await bind(server, where, (error) => cannotListenOnPort(where, 'admission reviews (--port)', error));
  return {
    port: portOf(server),
    inFlight: () => inFlight,
    setKeyPair: ({ certificate, key }) => server.setSecureContext({ cert: certificate, key, minVersion: 'TLSv1.2' }),
    leave() {
      leaving = true;
    },
    stop: (waitMs) => stop(server, waitMs),
  };
}

/** Returns the use of a plain connection by the requests of the TLS connection that it carries. */
function useOf(open: ReadonlyMap<Socket, number>, plain: Socket): ConnectionUse {
  for (const [socket, requests] of open) {
    if (socket.remotePort !== plain.remotePort || socket.remoteAddress !== plain.remoteAddress) continue;
    return requests > 0 ? 'busy' : 'idle';
  }
  return 'unused';
}

interface Answering extends WebhookServerOptions {
  readonly limits: WebhookLimits;
  readonly bodies: Bodies;
}

async function answer(request: IncomingMessage, response: ServerResponse, parts: Answering): Promise<Answer> {
  const [path = '', query = ''] = request.url?.split('?') ?? [];
  if (path === READY_PATH) {
    const reason = parts.notReady();
    return plain(reason === undefined ? 200 : 503, reason ?? 'ok');
  }
  const reviewer = Object.hasOwn(parts.reviewers, path) ? parts.reviewers[path] : undefined;
  if (reviewer === undefined) return plain(404, `not found; the paths are ${Object.keys(parts.reviewers).join(', ')}`);
  if (request.method !== 'POST') return plain(405, 'a review is sent by POST');
  if (!/^application\/json\s*(;|$)/i.test(request.headers['content-type'] ?? ''))
    return plain(415, 'a review has the content type application/json', 'malformed');
  try {
    const body = await parts.bodies.read(request);
    const aborted = new AbortController();
    response.once('close', () => aborted.abort());
    const timer = setTimeout(() => aborted.abort(), reviewMs(query, parts.limits));
    try {
      const review = readReview(body.text);
      const verdict = await reviewer(review, aborted.signal);
      const result = resultOf(verdict);
      parts.log.detail('Reviewed', { path, operation: review.operation, object: subjectOf(review), result });
      return { status: 200, contentType: 'application/json', body: writeReview(review, verdict), result };
    } finally {
      clearTimeout(timer);
      body.release();
    }
  } catch (error) {
    return failure(error, parts.log, path);
  }
}

/** Returns the time for a review in milliseconds, by the API server's `timeout=5s`. */
function reviewMs(query: string, { reviewMs: most }: WebhookLimits): number {
  const [, seconds] = /^(\d{1,3}(?:\.\d{1,9})?)s$/.exec(new URLSearchParams(query).get('timeout') ?? '') ?? [];
  return seconds === undefined ? most : Math.min(most, Number(seconds) * 1000 * (1 - WAY_BACK));
}

function failure(error: unknown, log: Logger, path: string): Answer {
  if (error instanceof BadReview) return plain(400, error.message, 'malformed');
  if (error instanceof BodyRefused)
    return plain(error.status, error.message, error.status === 503 ? 'overloaded' : 'malformed');
  // Its message may quote the object.
  const name = error instanceof Error ? error.name : typeof error;
  log.error('Defect: a review failed', { path, error: `${name}${framesOf(error)[0] ?? ''}` });
  return plain(500, 'the review failed; the log of the webhook has the place', 'failed');
}

function resultOf({ refusal, warnings = [], patch = [] }: Verdict): ReviewResult {
  if (refusal !== undefined) return 'denied';
  if (patch.length > 0) return 'patched';
  return warnings.length > 0 ? 'warned' : 'allowed';
}

function plain(status: number, body: string, result?: ReviewResult): Answer {
  return { status, contentType: 'text/plain; charset=utf-8', body, ...(result === undefined ? {} : { result }) };
}

function send(response: ServerResponse, { status, contentType, body }: Answer, stays: boolean): void {
  const bytes = Buffer.from(body);
  const isRead = response.req.complete;
  response.writeHead(status, {
    'content-type': contentType,
    'content-length': bytes.length,
    'cache-control': 'no-store',
    // A body that was not read to its end would be taken for the next request.
    ...(stays && isRead ? {} : { connection: 'close' }),
  });
  response.end(bytes);
  if (!isRead) response.once('finish', () => response.req.destroy());
}

function stop(server: Server, waitMs: number): Promise<void> {
  return new Promise((stopped) => {
    const timer = setTimeout(() => server.closeAllConnections(), waitMs);
    server.close(() => {
      clearTimeout(timer);
      stopped();
    });
    server.closeIdleConnections();
  });
}
