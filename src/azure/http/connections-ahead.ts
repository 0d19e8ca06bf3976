/**
 * Opens connections to a host ahead of the requests that will need them soon. `BoundedHttpsAgent` keeps them here until
 * its requests take them. Opens a bounded number, and none to a host whose connections are in use: requests open what
 * they need.
 */

import type { Socket } from 'node:net';
import { nextTurn } from '../../base/turns.ts';
import { keyOf, type Target } from './target.ts';

/** Connections to one host that wait for their first request; so many idle ones are kept, too. */
const MAX_AHEAD = 16;
/** The same over all hosts. */
const MAX_AHEAD_OF_ALL = 64;
/** A connection that no request takes is closed after this. */
const UNUSED_MS = 10_000;

/** Parts of {@link ConnectionsAhead}. */
export interface AheadOptions {
  readonly connect: (target: Target) => Socket;
  /** Returns the number of connections to a target that are open or being opened, by `host:port`. */
  readonly open: (key: string) => number;
}

/** The connections of an agent that wait for their first request, by `host:port`. */
export class ConnectionsAhead {
  readonly #options: AheadOptions;
  readonly #sockets = new Map<string, Set<Socket>>();
  /** How many more to open. */
  readonly #wanted = new Map<string, number>();
  /** Targets to which connections are being opened, one in each turn. */
  readonly #opening = new Set<string>();
  #size = 0;

  constructor(options: AheadOptions) {
    this.#options = options;
  }

  /**
   * Asks for a connection for one request. The first one to a host is opened in the next turn of the event loop. The
   * others follow when it is up and has a TLS session, which they resume.
   */
  want(target: Target): void {
    const key = keyOf(target);
    const open = this.#options.open(key);
    if (open !== this.#count(key)) return;
    this.#wanted.set(key, Math.min(MAX_AHEAD - open, (this.#wanted.get(key) ?? 0) + 1));
    if (open === 0) void this.#openWanted(target);
  }

  /**
   * Returns a connection for a request; undefined if none was opened ahead. Closes those on which the host has spoken: such
   * bytes, for example the 408 of a load balancer that has waited for long enough, would be taken for the answer.
   */
  take(key: string): Socket | undefined {
    for (const socket of [...(this.#sockets.get(key) ?? [])]) {
      this.#remove(key, socket);
      if (socket.readableLength > 0) socket.destroy();
      if (!socket.destroyed) return socket;
    }
    return undefined;
  }

  close(): void {
    this.#wanted.clear();
    for (const sockets of [...this.#sockets.values()]) for (const socket of [...sockets]) socket.destroy();
  }

  #count(key: string): number {
    return this.#sockets.get(key)?.size ?? 0;
  }

  /** Opens one connection, or all that are wanted if `resumed`, one in each turn of the event loop. */
  async #openWanted(target: Target, resumed = false): Promise<void> {
    const key = keyOf(target);
    if (this.#opening.has(key)) return;
    this.#opening.add(key);
    for (let isNext = true; isNext; ) {
      await nextTurn();
      isNext = this.#openNext(target) && resumed;
    }
    this.#opening.delete(key);
  }

  /** Opens a connection if one is wanted, and no request has begun to use those of the host. */
  #openNext(target: Target): boolean {
    const key = keyOf(target);
    const wanted = this.#wanted.get(key) ?? 0;
    const isInUse = this.#options.open(key) !== this.#count(key);
    if (wanted === 0 || isInUse || this.#size >= MAX_AHEAD_OF_ALL) {
      this.#wanted.delete(key);
      return false;
    }
    this.#wanted.set(key, wanted - 1);
    this.#add(key, this.#options.connect(target), () => void this.#openWanted(target, true));
    return true;
  }

  #add(key: string, socket: Socket, onSession: () => void): void {
    const sockets = this.#sockets.get(key) ?? new Set();
    this.#sockets.set(key, sockets.add(socket));
    this.#size++;
    const timer = setTimeout(() => {
      if (sockets.has(socket)) socket.destroy();
    }, UNUSED_MS).unref();
    socket.once('session', onSession);
    const drop = () => {
      clearTimeout(timer);
      this.#remove(key, socket);
    };
    // The request that needs it fails on its own connection, with the reason.
    socket.on('error', drop);
    socket.once('close', drop);
  }

  #remove(key: string, socket: Socket): void {
    const sockets = this.#sockets.get(key);
    if (sockets?.delete(socket) !== true) return;
    this.#size--;
    if (sockets.size > 0) return;
    this.#sockets.delete(key);
    this.#wanted.delete(key);
  }
}
