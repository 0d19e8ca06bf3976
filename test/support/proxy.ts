/** A proxy that connects every name to one port of this machine, for tests of src/azure/. */
import http from 'node:http';
import { type AddressInfo, connect } from 'node:net';

/** A proxy that listens. */
export interface TunnelProxy {
  readonly url: string;
  close(): Promise<void>;
}

/** Starts a proxy. `portOf` is called for each connection. */
export async function startProxy(portOf: () => number): Promise<TunnelProxy> {
  const server = http.createServer().on('connect', (_, socket) => {
    const onward = connect(portOf(), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      onward.pipe(socket).pipe(onward);
    });
    onward.on('error', () => socket.destroy());
    socket.on('error', () => onward.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
