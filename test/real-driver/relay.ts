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
  const server = createServer((near) => {
    const far = connect(target);
    near.pipe(far);
    far.on('data', (chunk) => {
      // The provider begins a response with a separate write, which starts with a HEADERS frame.
      if (chunk[FRAME_TYPE] === HEADERS) onAnswer();
      near.write(chunk);
    });
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      one.on('error', () => {});
      one.once('close', () => other.destroySoon());
    }
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return () => server.close();
}
