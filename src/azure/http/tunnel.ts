/**
 * The agent for hosts behind a proxy: opens a tunnel by CONNECT, with TLS to the host. `Agents` makes one for each
 * proxy. A refusal by the proxy is an error. It is never returned as an answer of the host.
 */

import type http from 'node:http';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as connectTls, type SecureContext } from 'node:tls';
import { HttpsProxyAgent } from 'https-proxy-agent';
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

  /**
   * Opens a tunnel. The package's own method reads the answer of the proxy without a bound, and again from its beginning
   * whenever more of it comes.
   */
  override async connect(_: http.ClientRequest, options: Parameters<HttpsProxyAgent<string>['connect']>[1]) {
    const { host = '', port } = options;
    const question = this.#questionFor(host, port);
    const way = this.#toProxy();
    // Until TLS is above it, and nobody waits for the proxy any more.
    way.on('error', () => {});
    let socket = way;
    const giveUp = (error: Error) => socket.destroy(error);
    const forget = this.#pending.add(`${host}:${port}`, giveUp);
    const timer = setTimeout(() => {
      const [code, where] = socket === way ? ['ETIMEDOUT', 'proxy'] : ['TLS_TIMEOUT', 'host'];
      giveUp(coded(code, `no answer of the ${where} within ${this.#timeoutMs / 1000} s`));
    }, this.#timeoutMs);
    const done = () => {
      clearTimeout(timer);
      forget();
    };
    try {
      await tunnelOver(way, question);
    } catch (error) {
      done();
      way.destroy();
      throw error;
    }
    const trust = this.#secureContext === undefined ? {} : { secureContext: this.#secureContext };
    // Node keeps the options while the connection is open, and the headers of its first request have a token.
    const lasting = { ...options, ...trust, headers: undefined, path: undefined };
    socket = connectTls({ ...lasting, socket: way, servername: isIP(host) === 0 ? host : '' });
    socket.once('secureConnect', done);
    const up = socket;
    up.once('close', () => {
      done();
      this.#idle.delete(up);
    });
    return up;
  }

  #toProxy(): Socket {
    const { connectOpts } = this;
    if (this.proxy.protocol !== 'https:') return connectTcp(connectOpts);
    const { host = '' } = connectOpts;
    return connectTls({ ...connectOpts, servername: isIP(host) === 0 ? host : '' });
  }

  /** Returns the request for a tunnel. It may have the password of the proxy. */
  #questionFor(hostname: string, port: number): string {
    const { username, password } = this.proxy;
    const host = `${isIP(hostname) === 6 ? `[${hostname}]` : hostname}:${port}`;
    const login = Buffer.from(`${decoded(username)}:${decoded(password)}`).toString('base64');
    const authorization = username === '' && password === '' ? '' : `Proxy-Authorization: Basic ${login}\r\n`;
    return `CONNECT ${host} HTTP/1.1\r\n${authorization}Host: ${host}\r\nProxy-Connection: Keep-Alive\r\n\r\n`;
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

/** Decodes a part of a URL; what is not encoded, such as a password with a `%`, is taken as it is. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Bytes of the answer of a proxy: a status line and headers, of which none is used. */
const MAX_ANSWER_BYTES = 16 * 1024;
const STATUS_LINE = /^HTTP\/1\.[01] (\d\d\d)(?: |\r\n)/;
const HTTP = 'HTTP/1.';
const HEAD_END = '\r\n\r\n';

/** What the answer of a proxy means so far; undefined if more has to come. */
function meaningOf(answer: Buffer): 'open' | Error | undefined {
  const end = answer.indexOf(HEAD_END);
  if ((end === -1 ? answer.length : end) > MAX_ANSWER_BYTES) return garbled('its answer is too long');
  if (!HTTP.startsWith(answer.toString('latin1', 0, HTTP.length))) return garbled('its answer is no HTTP');
  if (end === -1) return undefined;
  const [, status] = STATUS_LINE.exec(answer.toString('latin1', 0, end + HEAD_END.length)) ?? [];
  if (status === undefined) return garbled('its answer has no status');
  if (status !== '200') return coded(`PROXY_${status}`, `the proxy answered ${status}`);
  return end + HEAD_END.length < answer.length ? garbled('bytes after its answer') : 'open';
}

function garbled(text: string): Error & FailedPlace {
  return atProxy(coded('HPE_INVALID_CONSTANT', text));
}

function atProxy(error: Error): Error & FailedPlace {
  return Object.assign(error, { atProxy: true });
}

/**
 * Asks a proxy for a tunnel. Resolves when it is open. Throws: errors of the connection; `PROXY_` and the status of a
 * refusal; an error with a code of Node's parser for an answer that is none.
 */
function tunnelOver(way: Socket, question: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let answer = Buffer.alloc(0);
    const settle = (meaning: 'open' | Error) => {
      way.off('readable', read).off('error', failed).off('end', closed).off('close', closed);
      if (meaning === 'open') resolve();
      else reject(meaning);
    };
    const failed = (error: Error) => settle(atProxy(error));
    const closed = () => failed(coded('ECONNRESET', 'the proxy closed the connection without an answer'));
    const read = () => {
      for (let chunk = way.read(); chunk !== null; chunk = way.read()) {
        answer = Buffer.concat([answer, chunk]);
        const meaning = meaningOf(answer);
        if (meaning !== undefined) {
          settle(meaning);
          return;
        }
      }
    };
    way.on('readable', read).on('error', failed).on('end', closed).on('close', closed);
    way.write(question);
  });
}
