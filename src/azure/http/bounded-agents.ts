/**
 * Extends Node's agents: a connection is established within a bounded time, or fails with a code that names the layer.
 * Limits the idle connections to all hosts. `Agents`, the tunnel and the token proxy use them.
 */

import http from 'node:http';
import https from 'node:https';
import { isIP, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { Cache } from '../../base/cache.ts';
import { inWords, type Tried } from './addresses.ts';
import { ConnectionsAhead } from './connections-ahead.ts';
import { DirectConnections } from './direct-connections.ts';
import { PendingConnections } from './held-back.ts';
import { coded } from './network-error.ts';
import { keyOf, type Target } from './target.ts';

/** Settings of agents whose connections do not hang. */
export interface BoundedAgentOptions extends https.AgentOptions {
  /** Bound of one connection: DNS, TCP and TLS together, in milliseconds. */
  readonly connectTimeoutMs: number;
  /** Holds the connections that are not up yet, and the requests that wait for one. Default: an object of the agent's own. */
  readonly pending?: PendingConnections;
}

/** Idle connections kept while requests come and go, over all hosts. */
const MAX_IDLE = 100;
/** Idle connections that stay when they were not needed for {@link REST_MS}. */
const MAX_RESTING = 16;
const REST_MS = 2_000;

/** Idle connections of an agent, bounded over all hosts; the one idle for longest goes first. */
export class IdleConnections {
  /** Since when each is idle, in milliseconds of the process's own clock. */
  readonly #sockets = new Map<Duplex, number>();
  #timer: NodeJS.Timeout | undefined;

  add(socket: Duplex): void {
    this.#sockets.set(socket, performance.now());
    this.#close(MAX_IDLE, Number.POSITIVE_INFINITY);
    this.#timer ??= setTimeout(() => this.#trim(), REST_MS).unref();
  }

  /** Removes a connection that is used again, or closed. */
  delete(socket: Duplex): void {
    this.#sockets.delete(socket);
  }

  #trim(): void {
    this.#close(MAX_RESTING, performance.now() - REST_MS);
    this.#timer = this.#sockets.size > MAX_RESTING ? setTimeout(() => this.#trim(), REST_MS).unref() : undefined;
  }

  /** Closes those that are idle since before `before`, until `most` are left. */
  #close(most: number, before: number): void {
    for (const [socket, since] of this.#sockets) {
      if (this.#sockets.size <= most || since > before) break;
      this.#sockets.delete(socket);
      socket.destroy();
    }
  }
}

/** How long an agent without a timeout of its own keeps idle connections. */
const DEFAULT_IDLE_MS = 60_000;
/** TLS sessions kept, one a host; the one not used for longest goes first. */
const MAX_SESSIONS = 100;

/**
 * An HTTPS agent whose connections are up in time, or fail with a code that names the layer. Connections to a host
 * resume its TLS session, which halves the work of the handshake on both sides.
 */
export class BoundedHttpsAgent extends https.Agent {
  readonly #timeoutMs: number;
  readonly #pending: PendingConnections;
  readonly #idle = new IdleConnections();
  /** By host and port. */
  readonly #sessions = new Cache<Buffer>({ entries: MAX_SESSIONS });
  /** Connections of each host. */
  readonly #open = new Map<string, number>();
  readonly #ahead = new ConnectionsAhead({
    connect: (target) => this.#connectTo(target),
    open: (target) => this.#open.get(target) ?? 0,
  });
  /** The connections of requests that do not go through Node's HTTP. */
  readonly direct: DirectConnections;

  constructor({ connectTimeoutMs, pending = new PendingConnections(), ...options }: BoundedAgentOptions) {
    // The sessions are kept here: the agent does not keep those of prepared connections.
    super({ ...options, maxCachedSessions: 0 });
    this.#timeoutMs = connectTimeoutMs;
    this.#pending = pending;
    this.direct = new DirectConnections({
      connect: (target) => this.#ahead.take(keyOf(target)) ?? this.#connectTo(target),
      pending,
      idle: this.#idle,
      max: this.maxSockets,
      idleMs: options.keepAlive === true ? (options.timeout ?? DEFAULT_IDLE_MS) : 0,
    });
  }

  override createConnection(...args: Parameters<https.Agent['createConnection']>) {
    const [options] = args;
    return this.#ahead.take(`${options.host}:${options.port}`) ?? this.#connect(options);
  }

  #connectTo({ host, port }: Target): Socket {
    const { servername = isIP(host) === 0 ? host : '' } = this.options;
    return this.#connect({ ...this.options, host, port, servername });
  }

  /**
   * Opens a connection. Node keeps what it is given for as long as the connection is open: the callback, with the
   * first request, and the headers of that. Neither is needed, and both have credentials.
   */
  #connect(options: Parameters<https.Agent['createConnection']>[0]): Socket {
    const { host, port } = options;
    const target = `${host}:${port}`;
    // The type of a request has no `session`, but that of a TLS connection does.
    const resumed: object = { session: this.#sessions.get(target) };
    const socket = super.createConnection({ ...options, headers: undefined, ...resumed }) as Socket;
    const done = this.#pending.add(target, (error) => socket.destroy(error));
    watch(socket, { host, up: 'secureConnect', timeoutMs: this.#timeoutMs, done });
    this.#open.set(target, (this.#open.get(target) ?? 0) + 1);
    socket.on('session', (fresh: Buffer) => this.#sessions.set(target, fresh));
    socket.once('close', (failed: boolean) => {
      this.#idle.delete(socket);
      if (failed) this.#sessions.delete(target);
      const others = (this.#open.get(target) ?? 1) - 1;
      if (others === 0) this.#open.delete(target);
      else this.#open.set(target, others);
    });
    return socket;
  }

  /** Opens a connection ahead of a request that will need it soon; see {@link ConnectionsAhead}. */
  prepare(target: Target): void {
    this.#ahead.want(target);
  }

  /**
   * Names the connections that a request can use. Node's name holds all options of TLS, which are the same for each
   * connection of this agent, and is made four times a request.
   */
  override getName({ host, port }: https.RequestOptions = {}): string {
    return `${host}:${port}:`;
  }

  override keepSocketAlive(socket: Duplex): boolean {
    this.#idle.add(socket);
    // Its type does not declare the boolean.
    const kept: unknown = super.keepSocketAlive(socket);
    return kept === true;
  }

  override reuseSocket(...args: Parameters<https.Agent['reuseSocket']>): void {
    this.#idle.delete(args[0]);
    super.reuseSocket(...args);
  }

  /** Closes every connection, those that wait for their first request included. */
  override destroy(): void {
    this.#ahead.close();
    this.direct.close();
    super.destroy();
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

/** Code and text for a connection that is not up in time, by the event that it waits for. */
const STUCK = {
  lookup: ['EAI_AGAIN', 'no answer of the name server'],
  connect: ['ETIMEDOUT', 'no connection'],
  secureConnect: ['TLS_TIMEOUT', 'no answer to the TLS handshake'],
} as const;

interface Watch {
  readonly host: string | null | undefined;
  /** The event of a connection that is up. */
  readonly up: 'connect' | 'secureConnect';
  readonly timeoutMs: number;
  /** Called when the connection is up or failed. */
  readonly done: () => void;
}

/** A connection that is not up yet. */
export interface Connecting {
  /** The event that it waits for. */
  awaited: keyof typeof STUCK;
  /** The addresses it was tried with so far. */
  readonly tried: Tried[];
}

const connecting = new WeakMap<object, Connecting>();

/** Returns the state of a direct connection that is not up yet; undefined for any other. */
export function connectingOf(socket: object): Connecting | undefined {
  return connecting.get(socket);
}

function watch(socket: Socket, { host, up, timeoutMs, done }: Watch): void {
  const state: Connecting = { awaited: isIP(host ?? '') === 0 ? 'lookup' : 'connect', tried: [] };
  connecting.set(socket, state);
  socket.once('lookup', () => {
    state.awaited = 'connect';
  });
  socket.once('connect', () => {
    state.awaited = 'secureConnect';
  });
  socket.on('connectionAttempt', (address: string, port: number) => state.tried.push({ address, port }));
  const timer = setTimeout(() => {
    const [code, text] = STUCK[state.awaited];
    const addresses = inWords(state.tried);
    socket.destroy(Object.assign(coded(code, `${text} within ${timeoutMs / 1000} s`), { addresses }));
  }, timeoutMs);
  const end = () => {
    clearTimeout(timer);
    connecting.delete(socket);
    done();
  };
  socket.once(up, end);
  socket.once('close', end);
}
