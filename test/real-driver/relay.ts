// A socket in front of the provider's socket. It forwards everything and reports when a response begins. node.ts puts
// it between driver and provider.
import { connect, createServer } from 'node:net';

const FRAME_TYPE = 3;
const HEADERS = 1;

/** Options of {@link startRelay}. */
export interface RelayOptions {
  readonly path: string;
  /** Socket of the provider. Clients are disconnected while no provider listens there. */
  readonly target: string;
  /** Called when a response has begun to arrive, before its first bytes are forwarded. */
  readonly onAnswer: () => void;
}

/** Starts the relay. Returns the function that ends it. */
export async function startRelay({ path, target, onAnswer }: RelayOptions): Promise<() => void> {
  const server = createServer((client) => {
    const provider = connect(target);
    client.pipe(provider);
    provider.on('data', (chunk) => {
      // The provider begins a response with a separate write, which starts with a HEADERS frame.
      if (chunk[FRAME_TYPE] === HEADERS) onAnswer();
      client.write(chunk);
    });
    for (const [one, other] of [
      [client, provider],
      [provider, client],
    ] as const) {
      one.on('error', () => {});
      one.once('close', () => other.destroySoon());
    }
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return () => server.close();
}
