// A socket in front of the provider's, which passes everything on and tells when an answer begins. node.ts puts it between
// driver and provider.
import { connect, createServer } from 'node:net';

const FRAME_TYPE = 3;
const HEADERS = 1;

/** A relay to be started. */
export interface RelayOptions {
  readonly path: string;
  /** Socket of the provider. A client that comes while nobody listens there is cut off. */
  readonly target: string;
  /** Called when an answer has begun to arrive, before its first bytes are passed on. */
  readonly onAnswer: () => void;
}

/** Starts it. Returns what ends it. */
export async function startRelay({ path, target, onAnswer }: RelayOptions): Promise<() => void> {
  const server = createServer((near) => {
    const far = connect(target);
    near.pipe(far);
    far.on('data', (chunk) => {
      // The provider begins an answer with a write of its own, which is a HEADERS frame first.
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
