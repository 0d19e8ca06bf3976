import http from 'node:http';
import https from 'node:https';
import { isIP, type Socket } from 'node:net';

/** Settings of agents whose connections do not hang. */
export interface BoundedAgentOptions extends https.AgentOptions {
  /** Bound of one connection: DNS, TCP and TLS together, in milliseconds. */
  readonly connectTimeoutMs: number;
}

/** Code of a connection that was given up because its request shall wait. */
export const HELD_BACK = 'HELD_BACK';

/** An HTTPS agent whose connections are up in time, or fail with a code that names the layer. */
export class BoundedHttpsAgent extends https.Agent {
  readonly #timeoutMs: number;
  /** Connections that are not up yet, and whom they are for. */
  readonly #connecting = new Map<Socket, string>();

  constructor({ connectTimeoutMs, ...options }: BoundedAgentOptions) {
    super(options);
    this.#timeoutMs = connectTimeoutMs;
  }

  override createConnection(...args: Parameters<https.Agent['createConnection']>) {
    const socket = super.createConnection(...args) as Socket;
    const [{ host, port }] = args;
    this.#connecting.set(socket, `${host}:${port}`);
    watch(socket, {
      host,
      up: 'secureConnect',
      timeoutMs: this.#timeoutMs,
      done: () => this.#connecting.delete(socket),
    });
    return socket;
  }

  /** Gives up the connections to a host that are not up yet; their requests, which nobody has seen, fail with {@link HELD_BACK}. */
  holdBack(host: string, port: number): void {
    for (const [socket, target] of this.#connecting) {
      if (target === `${host}:${port}`) socket.destroy(Object.assign(new Error('held back'), { code: HELD_BACK }));
    }
  }
}

/** The same for plain HTTP. */
export class BoundedHttpAgent extends http.Agent {
  readonly #timeoutMs: number;

  constructor({ connectTimeoutMs, ...options }: http.AgentOptions & Pick<BoundedAgentOptions, 'connectTimeoutMs'>) {
    super(options);
    this.#timeoutMs = connectTimeoutMs;
  }

  override createConnection(...args: Parameters<http.Agent['createConnection']>) {
    const socket = super.createConnection(...args);
    watch(socket as Socket, { host: args[0].host, up: 'connect', timeoutMs: this.#timeoutMs, done: () => {} });
    return socket;
  }
}

/** What it means that a connection got no further: nobody resolved the name, took the connection, or spoke TLS. */
const STUCK = {
  lookup: ['EAI_AGAIN', 'no answer of the name server'],
  connect: ['ETIMEDOUT', 'no connection'],
  secureConnect: ['TLS_TIMEOUT', 'no answer to the TLS handshake'],
} as const;

interface Watch {
  readonly host: string | null | undefined;
  /** What happens when the connection is up. */
  readonly up: 'connect' | 'secureConnect';
  readonly timeoutMs: number;
  /** Called when the connection is up or failed. */
  readonly done: () => void;
}

function watch(socket: Socket, { host, up, timeoutMs, done }: Watch): void {
  let awaited: keyof typeof STUCK = isIP(host ?? '') === 0 ? 'lookup' : 'connect';
  socket.once('lookup', () => {
    awaited = 'connect';
  });
  socket.once('connect', () => {
    awaited = 'secureConnect';
  });
  const timer = setTimeout(() => {
    const [code, text] = STUCK[awaited];
    socket.destroy(Object.assign(new Error(`${text} within ${timeoutMs / 1000} s`), { code }));
  }, timeoutMs);
  const end = () => {
    clearTimeout(timer);
    done();
  };
  socket.once(up, end);
  socket.once('close', end);
}
