/**
 * Checks the socket file while the provider serves: another process may take or remove it, and then no driver reaches
 * this one. `listener.ts` starts it. The socket is bound again if no process listens there. It is never taken back from
 * another process, since two would take it from each other without end: the process that started last keeps it.
 */

import { messageOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { refusesConnections, type SocketFile } from './unix-socket.ts';
import { whoAnswers } from './version-call.ts';

/** Counts the losses of the socket. */
export interface SocketMeter {
  socketLost(): void;
}

/** Options of a {@link SocketWatch}. */
export interface SocketWatchOptions {
  readonly path: string;
  /** The file that was bound last. */
  readonly file: () => SocketFile;
  /** Binds the socket again if no process listens. Returns true if it did. Throws: ERR_USAGE. */
  readonly bindAgain: () => Promise<boolean>;
  readonly log: Logger;
  readonly lost: () => void;
  /** The interval between two checks of the file, in milliseconds. */
  readonly everyMs: number;
}

/** `taken`: another process listens at the path; `dead`: no process listens on the file at the path. */
type Found = 'ours' | 'taken' | 'dead' | 'gone';

/** Checks the socket at intervals, from its construction on. */
export class SocketWatch {
  readonly #options: SocketWatchOptions;
  /** The result of the last check. */
  #before: Found = 'ours';
  /** The reason why the last attempt to bind failed. */
  #failure = '';
  #binding = Promise.resolve();
  #stopped = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: SocketWatchOptions) {
    this.#options = options;
    this.#next();
  }

  /**
   * Ends the checks. Resolves when no bind is running; it does not wait for the file system, whose threads may all be
   * busy.
   */
  stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    return this.#binding;
  }

  #next(): void {
    const look = async () => {
      await this.#look();
      if (!this.#stopped) this.#next();
    };
    this.#timer = setTimeout(look, this.#options.everyMs).unref();
  }

  async #look(): Promise<void> {
    const found = await this.#find();
    await this.#options.file().checkPredecessor();
    // This process has removed the file.
    if (this.#stopped) return;
    if (found !== this.#before) this.#note(found);
    this.#before = found;
    if (found !== 'gone' && found !== 'dead') return;
    this.#binding = this.#bind();
    await this.#binding;
  }

  async #find(): Promise<Found> {
    const { path, file } = this.#options;
    const found = await file().look();
    if (found !== 'other') return found;
    return (await refusesConnections(path)) ? 'dead' : 'taken';
  }

  #note(found: Found): void {
    const { path, log, lost } = this.#options;
    if (this.#before === 'ours') lost();
    if (found === 'ours') log.info('The socket is that of this process again', { path });
    else if (found === 'taken') void tellWhoTookIt({ path, log });
    else log.warn(BOUND_AGAIN[found], { path });
  }

  async #bind(): Promise<void> {
    const { path, bindAgain, log, everyMs } = this.#options;
    try {
      if (!(await bindAgain())) return;
      this.#before = 'ours';
      this.#failure = '';
      log.info('Listening again', { path });
    } catch (error) {
      const text = messageOf(error);
      if (text !== this.#failure) log.warn('The socket cannot be bound again', { error: text, nextTryMs: everyMs });
      this.#failure = text;
    }
  }
}

const BOUND_AGAIN: Readonly<Record<'gone' | 'dead', string>> = {
  gone: 'The socket file was removed; it is bound again. Keep other programs out of its directory',
  dead: 'No process listens on the socket any more; it is bound again. Keep other programs out of its directory',
};

async function tellWhoTookIt({ path, log }: Pick<SocketWatchOptions, 'path' | 'log'>): Promise<void> {
  const taker = await whoAnswers({ kind: 'unix', path });
  log.warn(
    'Another process took the socket; it gets the calls until it ends. Run one provider on each node with this endpoint, or give each its own',
    { path, runtimeName: taker?.runtimeName, runtimeVersion: taker?.runtimeVersion },
  );
}
