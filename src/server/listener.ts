import { createServer, type Server, type Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import type { Logger } from '../base/log.ts';
import { type Bound, bind } from './bind.ts';
import type { Endpoint } from './endpoint.ts';
import { bindUnix } from './unix-socket.ts';

/** An open endpoint. */
export interface Listener {
  /** Where it listens; the port the system chose where the endpoint said 0. */
  readonly endpoint: Endpoint;
  /**
   * Removes the socket file if it is still ours, takes the connections that were made before that, and then no more. Open
   * connections stay.
   */
  stopAccepting(): Promise<void>;
  /** Gives the connections `graceMs` to end by themselves, cuts the others, and resolves when all are gone. */
  close(graceMs: number): Promise<void>;
}

/** What {@link listen} needs. */
export interface ListenerOptions {
  readonly endpoint: Endpoint;
  readonly log: Logger;
  readonly onConnection: (socket: Socket) => void;
}

/** A TCP port goes on receiving connections while it is open. */
const MAX_RETIRING_TURNS = 1000;

/** Opens an endpoint. Raises `ERR_USAGE` if that cannot be done on this machine. */
export async function listen({ endpoint, log, onConnection }: ListenerOptions): Promise<Listener> {
  const sockets = new Set<Socket>();
  let accepted = 0;
  const server = createServer({ noDelay: true }, (socket) => {
    accepted++;
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    onConnection(socket);
  });
  const bound = endpoint.kind === 'unix' ? await bindUnix(server, endpoint.path) : await bindTcp(server, endpoint);
  server.on('error', (error) => log.error('Cannot accept a connection', { error: error.message }));
  const closed = new Promise<void>((resolve) => server.once('close', resolve));

  const retire = async () => {
    bound.remove();
    // A connection nobody has accepted yet would be reset. libuv accepts one in each turn of the event loop.
    for (let turn = 0, before = -1; turn < MAX_RETIRING_TURNS && before !== accepted; turn++) {
      before = accepted;
      await eventLoopTurn();
    }
    server.close();
  };
  let retired: Promise<void> | undefined;
  const stopAccepting = () => {
    retired ??= retire();
    return retired;
  };
  return {
    endpoint: bound.endpoint,
    stopAccepting,
    async close(graceMs) {
      await stopAccepting();
      const cut = setTimeout(() => {
        for (const socket of sockets) socket.destroy();
      }, graceMs);
      await closed;
      clearTimeout(cut);
    },
  };
}

/** Resolves when the event loop has polled for I/O once more; the first `setImmediate` may still come before that. */
async function eventLoopTurn(): Promise<void> {
  await setImmediate();
  await setImmediate();
}

async function bindTcp(server: Server, endpoint: Endpoint & { kind: 'tcp' }): Promise<Bound> {
  const { host, port } = endpoint;
  await bind(server, host === '' ? { port } : { host, port }, endpoint);
  const address = server.address();
  const boundPort = typeof address === 'object' && address !== null ? address.port : port;
  return { endpoint: { ...endpoint, port: boundPort }, remove() {} };
}
