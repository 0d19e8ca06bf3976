// Connects to a socket again and again, to see whether somebody always listens. node.ci.test.ts calls it during upgrades.
import { connect } from 'node:net';

/** What happened at a socket. */
export interface Watched {
  readonly connections: number;
  /** Connections that were refused, or found no socket. */
  readonly refused: number;
  /** The longest time from the first refused connection to the next accepted one. */
  readonly longestGapMs: number;
}

const PAUSE_MS = 5;

/** Begins to connect. `end` stops it. */
export function watchSocket(path: string): { end(): Promise<Watched> } {
  let [connections, refused, longestGapMs] = [0, 0, 0];
  let goneAt: number | undefined;
  let ended = false;
  const work = async () => {
    while (!ended) {
      if (await accepts(path)) {
        if (goneAt !== undefined) longestGapMs = Math.max(longestGapMs, Math.round(performance.now() - goneAt));
        goneAt = undefined;
      } else {
        goneAt ??= performance.now();
        refused++;
      }
      connections++;
      await new Promise((wake) => setTimeout(wake, PAUSE_MS));
    }
  };
  const working = work();
  return {
    async end() {
      ended = true;
      await working;
      return { connections, refused, longestGapMs };
    },
  };
}

function accepts(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
