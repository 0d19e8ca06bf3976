/**
 * Receives HTTPS and HTTP requests, applies faults and delays, and sends the responses. The emulator calls it.
 */

import http, { type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import https from 'node:https';
import { type AddressInfo, isIPv6, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { WallClock } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import { answered, type HttpRequest, type HttpResponse, type ServiceKind, text } from '../http/http.ts';
import type { RequestRecord } from '../http/request-log.ts';
import { standardError } from '../vault/vault-errors.ts';
import { edited, type FaultAction, type FaultList, faultAnswer } from './faults.ts';

/** The service that answers a request. */
export interface Service {
  readonly kind: ServiceKind;
  /** The vault that the host names. */
  readonly vault: string | undefined;
  readonly handle: (request: HttpRequest) => HttpResponse | Promise<HttpResponse>;
}

/** Settings of a listener other than its address. */
export interface ListenerParts {
  readonly clock: WallClock;
  readonly log: Logger;
  readonly faults: FaultList;
  readonly route: (request: HttpRequest) => Service;
  /** Returns the delay of a response of this kind, in milliseconds. */
  readonly latencyMs: (kind: ServiceKind) => number;
  readonly record: (record: RequestRecord) => void;
}

/** A running listener. */
export interface Listening {
  readonly port: number;
  close(): Promise<void>;
}

type Delivery =
  | { readonly kind: 'answer'; readonly response: HttpResponse; readonly bytes?: number }
  | { readonly kind: 'drop' }
  | { readonly kind: 'hang' };

const MAX_BODY_BYTES = 4 * 1024 * 1024;
/** Longer than SDKs keep idle connections, so that no SDK uses a connection that is being closed. */
const KEEP_ALIVE_MS = 120_000;

/** Opens an HTTPS listener, or an HTTP listener if there is no certificate. Port 0 selects a free port. */
export async function listen(
  at: { host: string; port: number },
  tls: { key: string; cert: string } | undefined,
  parts: ListenerParts,
): Promise<Listening> {
  const socketIds = new WeakMap<Socket, number>();
  let sockets = 0;
  const onRequest: RequestListener = (incoming, outgoing) => {
    const id = socketIds.get(incoming.socket) ?? ++sockets;
    socketIds.set(incoming.socket, id);
    serve(incoming, outgoing, { ...parts, socketId: id }).catch((error: unknown) => {
      const gone = !incoming.complete;
      if (!gone) parts.log.error('The emulator failed to answer', { path: incoming.url, error: messageOf(error) });
      incoming.socket.destroy();
    });
  };
  const options = { keepAliveTimeout: KEEP_ALIVE_MS };
  const server =
    tls === undefined ? http.createServer(options, onRequest) : https.createServer({ ...options, ...tls }, onRequest);
  await opened(server, at);
  return { port: (server.address() as AddressInfo).port, close: () => closed(server) };
}

/** Returns a host in the form that a URL needs. */
export function urlHost(host: string): string {
  return isIPv6(host) ? `[${host}]` : host;
}

async function serve(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  parts: ListenerParts & { socketId: number },
): Promise<void> {
  const request = await readRequest(incoming);
  if (request === undefined) {
    send(outgoing, { kind: 'answer', response: text(413, 'The request is too large.\n') });
    return;
  }
  const at = parts.clock.wall();
  const service = parts.route(request);
  await pause(parts.latencyMs(service.kind));
  const outcome = await respond(service, request, parts);
  const response = outcome.kind === 'answer' ? outcome.response : undefined;
  parts.record({
    at,
    kind: service.kind,
    method: request.method,
    host: request.host,
    path: request.path,
    query: request.query.toString(),
    status: response?.status ?? 0,
    ...(response?.identity === undefined ? {} : { identity: response.identity }),
    authenticated: response?.identity !== undefined,
    userAgent: request.headers['user-agent'] ?? '',
    tlsSocketId: parts.socketId,
  });
  send(outgoing, outcome);
}

async function respond(service: Service, request: HttpRequest, parts: ListenerParts): Promise<Delivery> {
  const fault = parts.faults.next(service, request);
  switch (fault?.kind) {
    case undefined:
      return { kind: 'answer', response: await handled(service, request, parts) };
    case 'answer':
      return { kind: 'answer', response: faultAnswer(service.kind, fault, parts.clock.wall()) };
    case 'drop':
    case 'hang':
      return fault;
    case 'delay':
      await pause(fault.ms);
      return { kind: 'answer', response: await handled(service, request, parts) };
    case 'hold':
      await fault.released();
      return respond(service, request, parts);
    case 'edit':
      return { kind: 'answer', response: edited(await handled(service, request, parts), fault) };
    case 'truncate':
      return truncated(await handled(service, request, parts), fault);
  }
}

async function handled(service: Service, request: HttpRequest, parts: ListenerParts): Promise<HttpResponse> {
  try {
    return await answered(() => service.handle(request));
  } catch (error) {
    parts.log.error('The emulator failed to answer', { path: request.path, error: messageOf(error) });
    return standardError(500);
  }
}

function truncated(response: HttpResponse, fault: Extract<FaultAction, { kind: 'truncate' }>): Delivery {
  return { kind: 'answer', response, bytes: fault.bytes ?? Math.floor(Buffer.byteLength(response.body) / 2) };
}

function send(outgoing: ServerResponse, outcome: Delivery): void {
  if (outcome.kind === 'hang') return;
  if (outcome.kind === 'drop') {
    outgoing.socket?.destroy();
    return;
  }
  const { response, bytes } = outcome;
  const body = Buffer.from(response.body);
  outgoing.writeHead(response.status, {
    ...response.headers,
    ...(response.status === 204 ? {} : { 'content-length': body.length }),
  });
  if (bytes === undefined) outgoing.end(body);
  else outgoing.write(body.subarray(0, bytes), () => outgoing.socket?.destroy());
}

async function readRequest(incoming: IncomingMessage): Promise<HttpRequest | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of incoming) {
    size += chunk.length;
    // Read to the end: a client that is still sending would not see the response.
    if (size <= MAX_BODY_BYTES) chunks.push(chunk);
  }
  if (size > MAX_BODY_BYTES) return undefined;
  const [path = '/', query = ''] = (incoming.url ?? '/').split(/\?(.*)/s);
  const headers = Object.entries(incoming.headers).map(([name, value]) => [name, String(value)] as const);
  return {
    method: incoming.method ?? 'GET',
    host: (incoming.headers.host ?? '').toLowerCase(),
    path,
    query: new URLSearchParams(query),
    headers: Object.fromEntries(headers),
    body: Buffer.concat(chunks),
    remoteAddress: (incoming.socket.remoteAddress ?? '').replace(/^::ffff:/, ''),
  };
}

async function pause(ms: number): Promise<void> {
  if (ms > 0) await sleep(ms);
}

async function opened(server: Server | https.Server, at: { host: string; port: number }): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(at.port, at.host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

async function closed(server: Server | https.Server): Promise<void> {
  const done = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeAllConnections();
  await done;
}
