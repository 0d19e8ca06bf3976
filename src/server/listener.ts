/**
 * Accepts the connections of an endpoint, a Unix socket or a TCP port. `server.ts` calls it. A stop loses no connection
 * that was made before. It refuses endpoints that cannot be opened.
 */

import { createServer, type Server, type Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import type { Logger } from '../base/log.ts';
import { bind, cannotListen, portOf } from './bind.ts';
import type { Endpoint } from './endpoint.ts';
import { SocketWatch } from './socket-watch.ts';
import { type SocketFile, takeFreeSocket, takeSocket } from './unix-socket.ts';

/** An open endpoint. */
export interface Listener {
  /** The open endpoint; for port 0, with the port that the system chose. */
  readonly endpoint: Endpoint;
  /** See {@link SocketFile.remove}. */
  abandon(): void;
  /**
   * Removes the socket file if it is still ours, or gives a predecessor its own back, accepts the connections that were
   * made before, and then no more. Open connections stay open.
   */
  stopAccepting(): Promise<void>;
  /** Waits `graceMs` for the connections to end, cuts the others, and resolves when all are closed. */
  close(graceMs: number): Promise<void>;
}

/** Options of {@link openListener}. */
export interface ListenerOptions {
  readonly endpoint: Endpoint;
  readonly log: Logger;
  readonly onConnection: (socket: Socket) => void;
  /** Called when another process took or removed the socket. */
  readonly lost: () => void;
  /** The interval between two checks of the socket, in milliseconds. */
  readonly watchMs: number;
}

/** Opens an endpoint. Throws: ERR_USAGE if that cannot be done on this machine. */
export async function openListener(options: ListenerOptions): Promise<Listener> {
  const { endpoint, log, onConnection } = options;
  const servers = new ListeningServers(onConnection, log);
  const opened =
    endpoint.kind === 'unix' ? await openUnix(servers, endpoint, options) : await openTcp(servers, endpoint);
  let retired: Promise<void> | undefined;
  const retire = async () => {
    const unwatched = opened.unwatch();
    opened.abandon();
    await unwatched;
    // The socket may have been bound again meanwhile.
    opened.abandon();
    await opened.checkPredecessor();
    // Until it is closed, a successor may give the socket back.
    await servers.retire(opened.abandon);
  };
  const stopAccepting = () => {
    retired ??= retire();
    return retired;
  };
  return {
    endpoint: opened.endpoint,
    abandon: opened.abandon,
    stopAccepting,
    async close(graceMs) {
      await stopAccepting();
      await servers.close(graceMs);
    },
  };
}

type Opened = Pick<Listener, 'endpoint' | 'abandon'> & {
  /** See {@link SocketFile.checkPredecessor}. */
  checkPredecessor(): Promise<void>;
  /** Resolves when the socket is no longer checked. */
  unwatch(): Promise<void>;
};

async function openUnix(
  servers: ListeningServers,
  endpoint: Endpoint & { kind: 'unix' },
  { log, lost, watchMs: everyMs }: ListenerOptions,
): Promise<Opened> {
  const { path } = endpoint;
  let file: SocketFile = await servers.open((server) => takeSocket(server, path));
  const bindAgain = async () => {
    const again = await servers.open((server) => takeFreeSocket(server, path));
    if (again === undefined) return false;
    // Its file is gone, but it may hold the second name of a predecessor.
    file.remove();
    file = again;
    return true;
  };
  const watch = new SocketWatch({ path, file: () => file, bindAgain, log, lost, everyMs });
  return {
    endpoint,
    checkPredecessor: () => file.checkPredecessor(),
    unwatch: () => watch.stop(),
    abandon: () => file.remove(),
  };
}

async function openTcp(servers: ListeningServers, endpoint: Endpoint & { kind: 'tcp' }): Promise<Opened> {
  const { host, port } = endpoint;
  const bound = await servers.open(async (server) => {
    await bind(server, host === '' ? { port } : { host, port }, (error) => cannotListen(endpoint, error));
    return portOf(server);
  });
  return {
    endpoint: { ...endpoint, port: bound },
    checkPredecessor: async () => {},
    unwatch: async () => {},
    abandon() {},
  };
}

/** The limit of turns for a TCP port, which receives connections for as long as it is open. */
const MAX_RETIRING_TURNS = 1000;

/** The servers of an endpoint and all their connections. The server that was opened last gets the new connections. */
class ListeningServers {
  readonly #onConnection: (socket: Socket) => void;
  readonly #log: Logger;
  readonly #sockets = new Set<Socket>();
  /** Servers that are not closed, each with the promise of its end. */
  readonly #closed = new Map<Server, Promise<void>>();
  #accepted = 0;

  constructor(onConnection: (socket: Socket) => void, log: Logger) {
    this.#onConnection = onConnection;
    this.#log = log;
  }

  /** Opens a server with `bindTo`, and then retires the others. If `bindTo` returns undefined, no server was opened. */
  async open<T>(bindTo: (server: Server) => Promise<T>): Promise<T> {
    const server = createServer({ noDelay: true }, (socket) => this.#take(socket));
    const bound = await bindTo(server);
    if (bound === undefined) return bound;
    server.on('error', (error) => this.#log.error('Cannot accept a connection', { error: error.message }));
    void this.retire();
    const closed = new Promise<void>((resolve) => server.once('close', resolve));
    this.#closed.set(
      server,
      closed.then(() => void this.#closed.delete(server)),
    );
    return bound;
  }

  /** Accepts the connections that were made, and then closes the open servers, right after a call of `abandon`. */
  async retire(abandon = () => {}): Promise<void> {
    const open = [...this.#closed.keys()];
    // A connection that is not accepted yet would be reset. libuv accepts one in each turn of the event loop.
    for (let turn = 0, before = -1; turn < MAX_RETIRING_TURNS && before !== this.#accepted; turn++) {
      before = this.#accepted;
      await eventLoopTurn();
    }
    abandon();
    for (const server of open) server.close();
  }

  /** Cuts the connections after `graceMs`; resolves when every server is closed. */
  async close(graceMs: number): Promise<void> {
    const cut = setTimeout(() => {
      for (const socket of this.#sockets) socket.destroy();
    }, graceMs);
    await Promise.all(this.#closed.values());
    clearTimeout(cut);
  }

  #take(socket: Socket): void {
    this.#accepted++;
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    this.#onConnection(socket);
  }
}

/** Resolves when the event loop has polled for I/O once more; the first `setImmediate` may still come before that. */
async function eventLoopTurn(): Promise<void> {
  await setImmediate();
  await setImmediate();
}
