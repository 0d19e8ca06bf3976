/**
 * Writes a log line once instead of at every rotation. The report of a Mount and the checks of certificates use it. It
 * remembers two thousand texts.
 */

import { Cache } from '../base/cache.ts';

/** Number of texts that are remembered. A text that was forgotten is logged again. */
const MAX_NOTED = 2000;

/** Remembers which lines were logged. */
export class LogOnce {
  readonly #logged = new Cache<true>({ entries: MAX_NOTED });

  /** Calls `write` unless `key` was noted before. */
  note(key: string, write: () => void): void {
    if (this.#logged.peek(key)) return;
    this.#logged.set(key, true);
    write();
  }
}
