/**
 * A server between the provider and the host of an outbound call. It forwards requests, and answers the chosen ones with
 * exact bytes, which no HTTP server would send. Tests of faults start one for each host.
 */
import { randomInt } from 'node:crypto';
import http, { type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import https from 'node:https';
import { createServer, type Server, type Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';

/** The state of the host below HTTP. */
export type Mode = 'up' | 'untrusted' | 'wrong name' | 'plain' | 'silent' | 'closing' | 'refused';

/** PEM of a certificate with its key. */
export interface ServerPem {
  readonly cert: string;
  readonly key: string;
}

/** Certificates of a relay: the right one, one of another authority, and one for another name. */
export interface RelayTls {
  readonly right: ServerPem;
  readonly untrusted: ServerPem;
  readonly wrongName: ServerPem;
}

/** One request that a fault answers. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly body: Buffer;
  readonly response: ServerResponse;
  /** The connection, for answers that are not HTTP. */
  readonly socket: Socket;
}

/** A fault of the host: what it answers, and to which requests. */
export interface Armed {
  readonly matches: (request: IncomingMessage) => boolean;
  /** Absent: the request is forwarded, and only counted. */
  readonly answer?: (exchange: Exchange) => void;
  /** If set, such a request is forwarded when this resolves. */
  readonly until?: Promise<void>;
}

/** The server that answers in the end. */
export type Upstream =
  | {
      readonly kind: 'forward';
      readonly port: () => number;
      readonly tls: boolean;
      /** The header `host` of forwarded requests. Default: that of the request. */
      readonly hostHeader?: string;
    }
  | { readonly kind: 'answer'; readonly answer: RequestListener };

/** A running relay. */
export interface Relay {
  readonly port: number;
  /** Requests that the current fault matched, or connections while the mode is not `up`. */
  hits(): number;
  /** Headers `authorization` of all requests. */
  readonly authorizations: ReadonlySet<string>;
  /** Begins a fault of requests. */
  arm(armed: Armed): void;
  /** Begins a fault of connections: those that exist are closed. */
  setMode(mode: Mode): Promise<void>;
  /** Ends the fault, and closes all connections. */
  clear(): Promise<void>;
  close(): Promise<void>;
}

/** Starts a relay on a port that the system does not give to others by itself. Without `tls` it speaks HTTP. */
export async function startRelay(upstream: Upstream, tls?: RelayTls): Promise<Relay> {
  let mode: Mode = 'up';
  let armed: Armed | undefined;
  let hits = 0;
  const sockets = new Set<Socket>();
  const authorizations = new Set<string>();
  const onRequest: RequestListener = (request, response) => {
    void serveOne(request, response).catch(() => request.socket.destroy());
  };
  const serveOne = async (request: IncomingMessage, response: ServerResponse) => {
    const { authorization = '' } = request.headers;
    if (authorization !== '') authorizations.add(authorization.replace(/^\w+ /, ''));
    const body = await buffer(request);
    const { socket } = request;
    if (armed?.matches(request) === true) {
      hits++;
      if (armed.answer !== undefined) return armed.answer({ request, body, response, socket });
      await armed.until;
    }
    if (upstream.kind === 'answer') upstream.answer(request, response);
    else forward(upstream, { request, body, response });
  };
  const servers = {
    up: serverOf(tls?.right, onRequest),
    untrusted: serverOf(tls?.untrusted, onRequest),
    'wrong name': serverOf(tls?.wrongName, onRequest),
    plain: serverOf(undefined, onRequest),
  };
  const front = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => sockets.delete(socket));
    if (mode !== 'up') hits++;
    if (mode === 'closing') socket.destroy();
    else if (mode !== 'silent' && mode !== 'refused') servers[mode].emit('connection', socket);
  });
  const port = await listenOnFreePort(front);
  const relay: Relay = {
    port,
    hits: () => hits,
    authorizations,
    arm(fault) {
      armed = fault;
      hits = 0;
    },
    async setMode(next) {
      if (next === 'refused') await closed(front, sockets);
      else if (mode === 'refused') await listening(front, port);
      for (const socket of sockets) socket.destroy();
      mode = next;
      hits = 0;
    },
    async clear() {
      armed = undefined;
      await relay.setMode('up');
    },
    async close() {
      if (front.listening) await closed(front, sockets);
    },
  };
  return relay;
}

function serverOf(pem: ServerPem | undefined, onRequest: RequestListener): http.Server | https.Server {
  const server = pem === undefined ? http.createServer(onRequest) : https.createServer({ ...pem }, onRequest);
  // Clients that do not trust the certificate, or speak TLS to a plain server, go away.
  server.on('tlsClientError', () => {});
  server.on('secureConnection', (socket: Socket) => socket.on('error', () => {}));
  server.keepAliveTimeout = 0;
  return server;
}

interface Forwarded {
  readonly request: IncomingMessage;
  readonly body: Buffer;
  readonly response: ServerResponse;
}

function forward(upstream: Extract<Upstream, { kind: 'forward' }>, { request, body, response }: Forwarded): void {
  const { method, url: path, headers } = request;
  const { hostHeader = headers.host } = upstream;
  const options = { host: '127.0.0.1', port: upstream.port(), method, path, headers: { ...headers, host: hostHeader } };
  const send = upstream.tls ? https.request({ ...options, rejectUnauthorized: false }) : http.request(options);
  send.on('response', (answer) => {
    response.writeHead(answer.statusCode ?? 500, answer.headers);
    answer.pipe(response);
  });
  send.on('error', () => response.destroy());
  send.end(body);
}

async function listenOnFreePort(server: Server): Promise<number> {
  for (;;) {
    const port = randomInt(10_000, 30_000);
    const taken = await listening(server, port).then(
      () => false,
      () => true,
    );
    if (!taken) return port;
  }
}

function listening(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject);
      resolve();
    });
  });
}

async function closed(server: Server, sockets: ReadonlySet<Socket>): Promise<void> {
  const done = new Promise<void>((resolve) => server.close(() => resolve()));
  for (const socket of sockets) socket.destroy();
  await done;
}
