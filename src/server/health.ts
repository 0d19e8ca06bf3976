/**
 * Serves the liveness probe. `serve` starts it. The probe fails if the socket is not answered by this very process.
 */

import { messageOf } from '../base/errors.ts';
import { type Endpoint, formatEndpoint } from './endpoint.ts';
import { type HttpAnswer, type HttpEndpoint, serveHttp } from './http.ts';
import { callVersion } from './version-call.ts';

/** Parts and settings of {@link startHealthServer}. */
export interface HealthOptions {
  /** Every interface if absent. */
  readonly host?: string;
  readonly port: number;
  readonly path: string;
  /** The time limit of one check. */
  readonly timeoutMs: number;
  /** The provider, or the reason why there is none. */
  readonly target: () => HealthTarget | 'starting' | 'stopping';
}

/** The server that must answer. */
export interface HealthTarget {
  readonly endpoint: Endpoint;
  /** See `RunningServer`. */
  readonly instance: string;
}

/**
 * Serves the liveness probe: 200 `ok` if this very server answers `Version` over a new connection to the endpoint, else
 * 503 and the reason. The check takes the path of a driver: socket file, accept queue, event loop. A provider that is
 * stopping takes no calls and is healthy: 200 `stopping`. Probes during a check share its result.
 * Throws: ERR_USAGE naming the port.
 *
 * Differs: the official provider calls `Health/Check`, accepts the answer of any process, and logs nothing if it cannot
 * listen.
 */
export function startHealthServer({ target, timeoutMs, ...where }: HealthOptions): Promise<HttpEndpoint> {
  let running: Promise<HttpAnswer> | undefined;
  const answer = () => {
    const asked = target();
    if (asked === 'stopping') return Promise.resolve(plain(200, asked));
    if (asked === 'starting') return Promise.resolve(plain(503, asked));
    running ??= check(asked, timeoutMs).finally(() => {
      running = undefined;
    });
    return running;
  };
  return serveHttp({ ...where, purpose: 'health checks (--healthz-port)', answer });
}

async function check({ endpoint, instance }: HealthTarget, timeoutMs: number): Promise<HttpAnswer> {
  try {
    const found = await callVersion(endpoint, timeoutMs);
    if (found.instance === instance) return plain(200, 'ok');
    const who = `${found.runtimeName} ${found.runtimeVersion}`.trim();
    const remedy = 'run one provider on each node with this endpoint, and stop the other';
    return plain(503, `another process answers on ${formatEndpoint(endpoint)} (${who}); ${remedy}`);
  } catch (error) {
    return plain(503, messageOf(error));
  }
}

function plain(status: number, body: string): HttpAnswer {
  return { status, contentType: 'text/plain', body };
}
