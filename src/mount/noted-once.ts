/** Texts remembered; the oldest are forgotten and may be said again. */
const MAX_NOTED = 2000;

/** Says things once instead of at every rotation. */
export class NotedOnce {
  readonly #said = new Set<string>();

  /** Calls `say` unless `key` was noted before. */
  note(key: string, say: () => void): void {
    if (this.#said.has(key)) return;
    this.#said.add(key);
    for (const oldest of this.#said) {
      if (this.#said.size <= MAX_NOTED) break;
      this.#said.delete(oldest);
    }
    say();
  }
}
