/**
 * Serves the liveness probe. `serve` starts it. The probe fails if the socket is not answered by this very process.
 */

import { messageOf } from '../base/errors.ts';
import { type Endpoint, formatEndpoint } from './endpoint.ts';
import { type HttpAnswer, type HttpEndpoint, serveHttp } from './http.ts';
import { callVersion } from './version-call.ts';

/** What {@link startHealthServer} needs. */
export interface HealthOptions {
  /** Every interface where absent. */
  readonly host?: string;
  readonly port: number;
  readonly path: string;
  /** For one check. */
  readonly timeoutMs: number;
  /** The provider, or why there is none to be asked. */
  readonly target: () => HealthTarget | 'starting' | 'stopping';
}

/** The server that has to answer. */
export interface HealthTarget {
  readonly endpoint: Endpoint;
  /** See `RunningServer`. */
  readonly instance: string;
}

/**
 * Serves the liveness probe: 200 `ok` if this very server answers `Version` over a new connection to the endpoint, else
 * 503 and why. That proves the way a driver takes: the socket file, the accept queue, the event loop. A provider that is
 * stopping is in order, though it takes no calls: 200 `stopping`. Probes that come while a check runs share its result.
 * Throws: ERR_USAGE naming the port.
 *
 * Differs: the official provider calls `Health/Check`, takes any answer for its own, and says nothing if it cannot listen.
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
    const remedy = 'run one provider a node with this endpoint, and stop the other';
    return plain(503, `another process answers on ${formatEndpoint(endpoint)} (${who}); ${remedy}`);
  } catch (error) {
    return plain(503, messageOf(error));
  }
}

function plain(status: number, body: string): HttpAnswer {
  return { status, contentType: 'text/plain', body };
}
