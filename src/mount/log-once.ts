import { Cache } from '../base/cache.ts';

/** Texts remembered; the oldest are forgotten and may be said again. */
const MAX_NOTED = 2000;

/** Says things once instead of at every rotation. */
export class NotedOnce {
  readonly #said = new Cache<true>({ entries: MAX_NOTED });

  /** Calls `say` unless `key` was noted before. */
  note(key: string, say: () => void): void {
    if (this.#said.peek(key)) return;
    this.#said.set(key, true);
    say();
  }
}
