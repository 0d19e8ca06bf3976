/**
 * The agent for hosts behind a proxy: opens a tunnel by CONNECT, with TLS to the host. `Agents` makes one for each
 * proxy. A refusal by the proxy is an error. It is never returned as an answer of the host.
 */

import type http from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { SecureContext } from 'node:tls';
import { HttpsProxyAgent } from 'https-proxy-agent';
import { abortable } from '../../base/abort.ts';
import { type BoundedAgentOptions, IdleConnections } from './bounded-agents.ts';
import { PendingConnections } from './held-back.ts';
import { coded, type FailedPlace } from './network-error.ts';

/**
 * An agent whose connections go through a proxy and are up in time, or fail with a code that names the layer. The agent
 * of the package uses its TLS options for the proxy itself, and does not recognize a connection that it could reuse.
 */
export class TunnelAgent extends HttpsProxyAgent<string> {
  readonly #secureContext: SecureContext | undefined;
  readonly #timeoutMs: number;
  readonly #pending: PendingConnections;
  readonly #idle = new IdleConnections();

  constructor(
    proxy: string,
    { connectTimeoutMs, pending = new PendingConnections(), ...options }: BoundedAgentOptions,
  ) {
    super(proxy, options);
    this.#secureContext = options.secureContext;
    this.#timeoutMs = connectTimeoutMs;
    this.#pending = pending;
  }

  override isSecureEndpoint(): boolean {
    return true;
  }

  override async connect(request: http.ClientRequest, options: Parameters<HttpsProxyAgent<string>['connect']>[1]) {
    const { host, port } = options;
    const given = new AbortController();
    let socket: Socket | undefined;
    const giveUp = (error: Error) => (socket === undefined ? given.abort(error) : socket.destroy(error));
    const forget = this.#pending.add(`${host}:${port}`, giveUp);
    const timer = setTimeout(() => {
      const [code, where] = socket === undefined ? ['ETIMEDOUT', 'proxy'] : ['TLS_TIMEOUT', 'host'];
      giveUp(coded(code, `no answer of the ${where} within ${this.#timeoutMs / 1000} s`));
    }, this.#timeoutMs);
    const done = () => {
      clearTimeout(timer);
      forget();
    };
    const trust = this.#secureContext === undefined ? {} : { secureContext: this.#secureContext };
    // Node keeps the options while the connection is open, and the headers of its first request have a token.
    const lasting = { ...options, ...trust, headers: undefined };
    let status = 200;
    request.once('proxyConnect', ({ statusCode }: http.IncomingMessage) => {
      status = statusCode ?? 0;
    });
    // Read before the first wait of `super.connect`, which keeps the socket to the proxy to itself.
    this.connectOpts = { ...this.connectOpts, signal: given.signal };
    const way = super.connect(request, lasting);
    try {
      const up = await abortable(way, given.signal);
      socket = up;
      // The package would return the refusal of a proxy as the answer of the host.
      if (status !== 200) {
        up.destroy();
        throw coded(`PROXY_${status}`, `the proxy answered ${status}`);
      }
      up.once('secureConnect', done);
      up.once('close', () => {
        done();
        this.#idle.delete(up);
      });
      return up;
    } catch (error) {
      done();
      const place: FailedPlace = { atProxy: socket === undefined };
      if (error instanceof Error) Object.assign(error, place);
      way.then(
        (late) => late.destroy(),
        () => {},
      );
      throw error;
    }
  }

  override keepSocketAlive(socket: Duplex): boolean {
    this.#idle.add(socket);
    // Its type does not declare the boolean.
    const kept: unknown = super.keepSocketAlive(socket);
    return kept === true;
  }

  override reuseSocket(...args: Parameters<HttpsProxyAgent<string>['reuseSocket']>): void {
    this.#idle.delete(args[0]);
    super.reuseSocket(...args);
  }
}
