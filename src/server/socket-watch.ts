/**
 * Looks after the socket file while the provider serves: another process may take or remove it, and nobody would call us
 * any more. `listener.ts` starts it. The socket is bound again where nobody listens there; from another process it is
 * never taken back, as two would take it from each other for ever, so the one that started last keeps it.
 */
import { messageOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { refusesConnections, type SocketFile } from './unix-socket.ts';
import { whoAnswers } from './version-call.ts';

/** Told when the socket is lost. */
export interface SocketMeter {
  socketLost(): void;
}

/** What {@link watchSocket} needs. */
export interface SocketWatchOptions {
  readonly path: string;
  /** The file as it was bound last. */
  readonly file: () => SocketFile;
  /** Binds again where nobody listens. Returns whether it did; raises `ERR_USAGE`. */
  readonly bindAgain: () => Promise<boolean>;
  readonly log: Logger;
  readonly lost: () => void;
  /** How often it looks, in milliseconds. */
  readonly everyMs: number;
}

/** Begins to watch. Returns what ends it, and resolves when nothing of it is under way. */
export function watchSocket(options: SocketWatchOptions): () => Promise<void> {
  let stopped = false;
  const look = lookAfter(options, () => stopped);
  let timer: NodeJS.Timeout;
  let round = Promise.resolve();
  const next = () => {
    timer = setTimeout(() => {
      round = look().then(() => {
        if (!stopped) next();
      });
    }, options.everyMs).unref();
  };
  next();
  return async () => {
    stopped = true;
    clearTimeout(timer);
    await round;
  };
}

/** One look at the socket, and what follows from it. */
function lookAfter(
  { path, file, bindAgain, log, lost, everyMs }: SocketWatchOptions,
  stopped: () => boolean,
): () => Promise<void> {
  let before: 'ours' | 'other' | 'gone' = 'ours';
  let failure = '';
  const note = (found: 'other' | 'gone') => {
    if (before === 'ours') lost();
    if (found === 'other') void tellWhoTookIt({ path, log });
    else log.warn('The socket is gone; it is bound again. Keep other programs from its directory', { path });
  };
  const bind = async () => {
    try {
      if (!(await bindAgain())) return;
      before = 'ours';
      failure = '';
      log.info('Listening again', { path });
    } catch (error) {
      const text = messageOf(error);
      if (text !== failure) log.warn('The socket cannot be bound again', { error: text, nextTryMs: everyMs });
      failure = text;
    }
  };
  return async () => {
    const found = await file().look();
    // Then it is we who have removed it.
    if (stopped()) return;
    if (found !== 'ours' && found !== before) note(found);
    if (found === 'ours' && before !== 'ours') log.info('The socket is that of this process again', { path });
    before = found;
    if (found === 'gone' || (found === 'other' && (await refusesConnections(path)))) await bind();
  };
}

async function tellWhoTookIt({ path, log }: Pick<SocketWatchOptions, 'path' | 'log'>): Promise<void> {
  const taker = await whoAnswers({ kind: 'unix', path });
  log.warn(
    'Another process took the socket; it gets the calls until it ends. Run one provider a node with this endpoint, or give each its own',
    { path, runtimeName: taker?.runtimeName, runtimeVersion: taker?.runtimeVersion },
  );
}
