/**
 * Keeps the connections to HTTPS hosts over which the provider writes its requests itself. `BoundedHttpsAgent` owns them,
 * and `direct-exchange.ts` takes one for each request. Bounds those to each host: further requests wait.
 */

import type { Socket } from 'node:net';
import type { PendingConnections } from './held-back.ts';
import { coded } from './network-error.ts';
import { keyOf, type Target } from './target.ts';

/** Parts and settings of {@link DirectConnections}. */
export interface DirectOptions {
  readonly connect: (target: Target) => Socket;
  /** Gives up requests that wait for a connection, when their host asks for a pause. */
  readonly pending: PendingConnections;
  /** Bounds the idle connections over all hosts. */
  readonly idle: { add(socket: Socket): void; delete(socket: Socket): void };
  /** Connections to one host. */
  readonly max: number;
  /** How long an idle connection is kept, in milliseconds; 0: it is closed at once. */
  readonly idleMs: number;
}

/** The request that a connection carries. */
export interface Carried {
  /** Begins to send. The connection may not be up yet. */
  begin(connection: DirectConnection): void;
  data(chunk: Buffer): void;
  /** The connection has ended: by `error`, or undefined if the host has ended it after its last byte. */
  closed(error: Error | undefined): void;
}

/** One connection. Its listeners are added once, and not for each request. */
export class DirectConnection {
  readonly socket: Socket;
  /** True if it has carried a request before. */
  isReused = false;
  /** The request that it carries now. */
  carried: Carried | undefined;

  constructor(socket: Socket, onClose: () => void) {
    this.socket = socket;
    let cause: Error | undefined;
    let hasEnded = false;
    socket.setKeepAlive(true, PROBE_MS);
    // A host that speaks without being asked is not understood.
    socket.on('data', (chunk: Buffer) => (this.carried === undefined ? socket.destroy() : this.carried.data(chunk)));
    socket.on('error', (error) => {
      cause = error;
    });
    socket.on('end', () => {
      hasEnded = true;
      socket.destroy();
    });
    socket.on('timeout', () => this.carried ?? socket.destroy());
    socket.once('close', () => {
      onClose();
      // Closed by the provider: an answer that ends with its connection has been cut.
      if (!hasEnded) cause ??= coded('ECONNRESET', 'the connection was closed before its host ended it');
      this.carried?.closed(cause);
    });
  }
}

/** The connections to one host. */
interface Host {
  readonly all: Set<DirectConnection>;
  /** The one used last is taken first. */
  readonly idle: DirectConnection[];
  /** Requests that wait for a connection, each with the function that forgets it among the pending ones. */
  readonly waiting: Map<Carried, () => void>;
  /** Connections whose answer has ended in this turn of the event loop. */
  returning: number;
}

/** As in Node's agents. */
const PROBE_MS = 1_000;

/** Connections that carry one request after another. */
export class DirectConnections {
  readonly #options: DirectOptions;
  /** By `host:port`. */
  readonly #hosts = new Map<string, Host>();

  constructor(options: DirectOptions) {
    this.#options = options;
  }

  /** Begins a request over an idle connection, over a new one, or as soon as another request to the host has ended. */
  take(target: Target, request: Carried): void {
    const key = keyOf(target);
    const host = this.#hosts.get(key) ?? { all: new Set(), idle: [], waiting: new Map(), returning: 0 };
    this.#hosts.set(key, host);
    let kept = host.idle.pop();
    // One that has just been closed leaves in a later turn.
    while (kept?.socket.destroyed === true) kept = host.idle.pop();
    if (kept !== undefined) this.#begin(kept, request);
    else if (host.all.size < this.#options.max && host.returning <= host.waiting.size)
      this.#open(target, host, request);
    else {
      const giveUp = (error: Error) => {
        forget(host, request);
        request.closed(error);
      };
      // Not a method: one that runs in some builds only would make their code caches differ.
      host.waiting.set(request, this.#options.pending.add(key, giveUp));
    }
  }

  /** Forgets a request that waits for a connection. */
  leave(target: Target, request: Carried): void {
    const host = this.#hosts.get(keyOf(target));
    if (host !== undefined) forget(host, request);
  }

  /**
   * Takes a connection back after a complete answer. The host keeps it for `hostMs` milliseconds at most, if it says so.
   * It carries the next request in the next turn of the event loop: bytes that came with the answer, in records of their
   * own, would be taken for the answer to that request.
   */
  keep(target: Target, connection: DirectConnection, hostMs = Number.POSITIVE_INFINITY): void {
    const { socket } = connection;
    connection.carried = undefined;
    connection.isReused = true;
    const host = this.#hosts.get(keyOf(target));
    if (host === undefined || socket.destroyed) return;
    const idleMs = Math.min(this.#options.idleMs, hostMs);
    if (idleMs <= 0) {
      socket.destroy();
      return;
    }
    host.returning++;
    setImmediate(() => {
      host.returning--;
      if (!socket.destroyed) this.#reuse(host, connection, idleMs);
    });
  }

  /** Closes the idle connections to a host. */
  closeIdle(target: Target): void {
    for (const { socket } of [...(this.#hosts.get(keyOf(target))?.idle ?? [])]) socket.destroy();
  }

  /** Closes every connection. Requests that wait for one fail as those whose connection is closed. */
  close(): void {
    for (const host of [...this.#hosts.values()]) {
      const left = [...host.waiting.keys()];
      for (const request of left) forget(host, request);
      for (const { socket } of [...host.all]) socket.destroy();
      for (const request of left) request.closed(undefined);
    }
  }

  #reuse(host: Host, connection: DirectConnection, idleMs: number): void {
    const { socket } = connection;
    const next = firstWaiting(host);
    if (next !== undefined) {
      this.#begin(connection, next);
      return;
    }
    if (socket.timeout !== idleMs) socket.setTimeout(idleMs);
    socket.unref();
    host.idle.push(connection);
    this.#options.idle.add(socket);
  }

  #begin(connection: DirectConnection, request: Carried): void {
    this.#options.idle.delete(connection.socket);
    connection.socket.ref();
    connection.carried = request;
    request.begin(connection);
  }

  #open(target: Target, host: Host, request: Carried): void {
    const connection = new DirectConnection(this.#options.connect(target), () => {
      host.all.delete(connection);
      const at = host.idle.indexOf(connection);
      if (at !== -1) host.idle.splice(at, 1);
      const next = firstWaiting(host);
      if (next !== undefined) this.#open(target, host, next);
      else if (host.all.size === 0) this.#hosts.delete(keyOf(target));
    });
    host.all.add(connection);
    this.#begin(connection, request);
  }
}

function forget({ waiting }: Host, request: Carried): void {
  waiting.get(request)?.();
  waiting.delete(request);
}

/** Takes the request that has waited for longest. */
function firstWaiting(host: Host): Carried | undefined {
  const [[next, noLongerPending] = []] = host.waiting;
  noLongerPending?.();
  if (next !== undefined) host.waiting.delete(next);
  return next;
}
