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

/** What a {@link SocketWatch} needs. */
export interface SocketWatchOptions {
  readonly path: string;
  /** The file as it was bound last. */
  readonly file: () => SocketFile;
  /** Binds again where nobody listens. Returns whether it did; throws ERR_USAGE. */
  readonly bindAgain: () => Promise<boolean>;
  readonly log: Logger;
  readonly lost: () => void;
  /** How often it looks, in milliseconds. */
  readonly everyMs: number;
}

/** `taken` where somebody else listens at the path, `dead` where nobody listens on what stands there. */
type Found = 'ours' | 'taken' | 'dead' | 'gone';

/** Looks at the socket again and again from its making on. */
export class SocketWatch {
  readonly #options: SocketWatchOptions;
  /** What the last look has found. */
  #before: Found = 'ours';
  /** Why it could not be bound when that was tried last. */
  #failure = '';
  #binding = Promise.resolve();
  #stopped = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: SocketWatchOptions) {
    this.#options = options;
    this.#next();
  }

  /**
   * Ends it. Resolves when nothing is being bound any more; it does not wait for the file system, whose threads may
   * all be busy.
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
    // Then it is we who have removed it.
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
  gone: 'The socket is gone; it is bound again. Keep other programs from its directory',
  dead: 'Nobody listens where the socket was; it is bound again. Keep other programs from its directory',
};

async function tellWhoTookIt({ path, log }: Pick<SocketWatchOptions, 'path' | 'log'>): Promise<void> {
  const taker = await whoAnswers({ kind: 'unix', path });
  log.warn(
    'Another process took the socket; it gets the calls until it ends. Run one provider a node with this endpoint, or give each its own',
    { path, runtimeName: taker?.runtimeName, runtimeVersion: taker?.runtimeVersion },
  );
}
