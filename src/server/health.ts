import { Client, credentials } from '@grpc/grpc-js';
import { systemClock } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import { CONTRACT_VERSION, csiDriverProvider } from '../wire/contract.ts';
import type { Endpoint } from './endpoint.ts';
import { type HttpEndpoint, serveHttp } from './http.ts';

/** What {@link startHealthServer} needs. */
export interface HealthOptions {
  /** Every interface where absent. */
  readonly host?: string;
  readonly port: number;
  readonly path: string;
  /** For one check. */
  readonly timeoutMs: number;
  /** The provider's own endpoint. */
  readonly endpoint: Endpoint;
}

/**
 * Serves the liveness probe: 200 `ok` if `Version` is answered over a new connection to the endpoint, else 503 and why.
 * That proves the way a driver takes: the socket file, the accept queue, the event loop. Probes that come while a check
 * runs share its result. Raises `ERR_USAGE` naming the port.
 *
 * Differs: the official provider calls `Health/Check`, and says nothing if it cannot listen.
 */
export function startHealthServer({ endpoint, timeoutMs, ...where }: HealthOptions): Promise<HttpEndpoint> {
  let running: Promise<void> | undefined;
  const check = () => {
    running ??= callVersion(endpoint, timeoutMs).finally(() => {
      running = undefined;
    });
    return running;
  };
  return serveHttp({
    ...where,
    purpose: 'health checks (--healthz-port)',
    answer: () =>
      check().then(
        () => ({ status: 200, contentType: 'text/plain', body: 'ok' }),
        (thrown: unknown) => ({ status: 503, contentType: 'text/plain', body: messageOf(thrown) }),
      ),
  });
}

/** Calls `Version` over a connection of its own; rejects if the answer does not come. */
async function callVersion(endpoint: Endpoint, timeoutMs: number): Promise<void> {
  const { path, requestSerialize, responseDeserialize } = csiDriverProvider.Version;
  const client = new Client(targetOf(endpoint), credentials.createInsecure(), {
    'grpc.default_authority': 'localhost',
    'grpc.enable_channelz': 0,
    'grpc.enable_http_proxy': 0,
    'grpc.enable_retries': 0,
    'grpc.service_config_disable_resolution': 1,
    'grpc.use_local_subchannel_pool': 1,
  });
  try {
    await new Promise<void>((resolve, reject) => {
      client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        { version: CONTRACT_VERSION },
        { deadline: systemClock.wall() + timeoutMs },
        (error) => (error ? reject(error) : resolve()),
      );
    });
  } finally {
    client.close();
  }
}

function targetOf(endpoint: Endpoint): string {
  if (endpoint.kind === 'unix') return `unix:${endpoint.path}`;
  const host = endpoint.host === '' ? '127.0.0.1' : endpoint.host;
  return host.includes(':') ? `[${host}]:${endpoint.port}` : `${host}:${endpoint.port}`;
}
