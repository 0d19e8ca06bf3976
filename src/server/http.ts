import { createServer, type ServerResponse } from 'node:http';
import { messageOf, ProviderError } from '../base/errors.ts';

/** A running HTTP endpoint. */
export interface HttpEndpoint {
  readonly port: number;
  close(): Promise<void>;
}

/** Where an HTTP endpoint listens and what it serves: one path, any method; everything else is 404. */
export interface HttpOptions {
  /** What the endpoint is for and which flag moves it, for the message when it cannot listen. */
  readonly purpose: string;
  /** Every interface where absent. */
  readonly host?: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** Begins with `/`. */
  readonly path: string;
  answer(): Promise<HttpAnswer>;
}

/** What is served. */
export interface HttpAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

/** Nothing here is worth more than a short request. */
const REQUEST_TIMEOUT_MS = 10_000;
const MAX_HEADER_BYTES = 8192;

/** Starts a plain HTTP server. Raises `ERR_USAGE` naming the port if it cannot listen. */
export function serveHttp({ purpose, host, port, path, answer }: HttpOptions): Promise<HttpEndpoint> {
  const server = createServer(
    { requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS, maxHeaderSize: MAX_HEADER_BYTES },
    (request, response) => {
      request.resume();
      if (request.url?.split('?')[0] !== path) {
        send(response, { status: 404, contentType: 'text/plain', body: 'not found' });
        return;
      }
      answer().then(
        (found) => send(response, found),
        (thrown: unknown) => send(response, { status: 500, contentType: 'text/plain', body: messageOf(thrown) }),
      );
    },
  );
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(new ProviderError('ERR_USAGE', cannotListen(purpose, port, error), { cause: error }));
    });
    server.listen({ port, ...(host === undefined ? {} : { host }) }, () => {
      server.removeAllListeners('error');
      // An accept that fails (no file descriptors left) must not end the process.
      server.on('error', () => {});
      const address = server.address();
      resolve({
        port: typeof address === 'object' && address !== null ? address.port : port,
        close: () =>
          new Promise((closed) => {
            server.close(() => closed());
            server.closeAllConnections();
          }),
      });
    });
  });
}

function send(response: ServerResponse, { status, contentType, body }: HttpAnswer): void {
  response.writeHead(status, { 'content-type': `${contentType}; charset=utf-8`, 'cache-control': 'no-store' });
  response.end(body);
}

function cannotListen(purpose: string, port: number, error: NodeJS.ErrnoException): string {
  const reason = error.code === 'EADDRINUSE' ? 'another process of this node listens there' : messageOf(error);
  return `Cannot listen on port ${port} for ${purpose}: ${reason}; choose another port or stop the other process`;
}
