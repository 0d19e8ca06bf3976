import http from 'node:http';
import https from 'node:https';
import { isIP, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/** Settings of agents whose connections do not hang. */
export interface BoundedAgentOptions extends https.AgentOptions {
  /** Bound of one connection: DNS, TCP and TLS together, in milliseconds. */
  readonly connectTimeoutMs: number;
}

/** Code of a connection that was given up because its request shall wait. */
export const HELD_BACK = 'HELD_BACK';

/** Connections that are not up yet, and whom they are for. */
export class PendingConnections {
  readonly #giveUp = new Map<symbol, { readonly target: string; readonly giveUp: (error: Error) => void }>();

  /** Notes one. Returns what is to be called when it is up or failed. */
  add(target: string, giveUp: (error: Error) => void): () => void {
    const key = Symbol(target);
    this.#giveUp.set(key, { target, giveUp });
    return () => this.#giveUp.delete(key);
  }

  /** Gives up those to a host; their requests, which nobody has seen, fail with {@link HELD_BACK}. */
  holdBack(host: string, port: number): void {
    for (const { target, giveUp } of [...this.#giveUp.values()]) {
      if (target === `${host}:${port}`) giveUp(coded(HELD_BACK, 'held back'));
    }
  }
}

/** Idle connections kept over all hosts: some vaults and login hosts, each with a wave's worth. */
const MAX_IDLE = 64;

/** Idle connections of an agent, bounded over all hosts; the one idle for longest goes first. */
export class IdleConnections {
  readonly #sockets = new Set<Duplex>();

  add(socket: Duplex): void {
    this.#sockets.add(socket);
    for (const oldest of this.#sockets) {
      if (this.#sockets.size <= MAX_IDLE) break;
      this.#sockets.delete(oldest);
      oldest.destroy();
    }
  }

  /** The connection is used again, or closed. */
  delete(socket: Duplex): void {
    this.#sockets.delete(socket);
  }
}

/** An HTTPS agent whose connections are up in time, or fail with a code that names the layer. */
export class BoundedHttpsAgent extends https.Agent {
  readonly #timeoutMs: number;
  readonly #pending = new PendingConnections();
  readonly #idle = new IdleConnections();

  constructor({ connectTimeoutMs, ...options }: BoundedAgentOptions) {
    super(options);
    this.#timeoutMs = connectTimeoutMs;
  }

  override createConnection(...args: Parameters<https.Agent['createConnection']>) {
    const socket = super.createConnection(...args) as Socket;
    const [{ host, port }] = args;
    const done = this.#pending.add(`${host}:${port}`, (error) => socket.destroy(error));
    watch(socket, { host, up: 'secureConnect', timeoutMs: this.#timeoutMs, done });
    socket.once('close', () => this.#idle.delete(socket));
    return socket;
  }

  override keepSocketAlive(socket: Duplex): boolean {
    this.#idle.add(socket);
    // Its types do not tell of the boolean.
    const kept: unknown = super.keepSocketAlive(socket);
    return kept === true;
  }

  override reuseSocket(...args: Parameters<https.Agent['reuseSocket']>): void {
    this.#idle.delete(args[0]);
    super.reuseSocket(...args);
  }

  /** See {@link PendingConnections.holdBack}. */
  holdBack(host: string, port: number): void {
    this.#pending.holdBack(host, port);
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

/** An error as Node's network throws it. */
export function coded(code: string, text: string): Error {
  return Object.assign(new Error(text), { code });
}

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
    socket.destroy(coded(code, `${text} within ${timeoutMs / 1000} s`));
  }, timeoutMs);
  const end = () => {
    clearTimeout(timer);
    done();
  };
  socket.once(up, end);
  socket.once('close', end);
}
