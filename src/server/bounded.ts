/** A map of what was touched lately: at most `maxEntries`, and nothing that has been idle for `idleMs`. */
export class RecentMap<V> {
  readonly #entries = new Map<string, { readonly value: V; readonly touchedAt: number }>();
  readonly #maxEntries: number;
  readonly #idleMs: number;

  constructor(maxEntries: number, idleMs: number) {
    this.#maxEntries = maxEntries;
    this.#idleMs = idleMs;
  }

  get(key: string): V | undefined {
    return this.#entries.get(key)?.value;
  }

  /** `now` in milliseconds since 1970, never less than before. */
  set(key: string, value: V, now: number): void {
    this.#entries.delete(key);
    this.#entries.set(key, { value, touchedAt: now });
    this.#prune(now);
  }

  /** What is left at `now`, the longest untouched first. */
  values(now: number): V[] {
    this.#prune(now);
    return [...this.#entries.values()].map(({ value }) => value);
  }

  #prune(now: number): void {
    for (const [key, { touchedAt }] of this.#entries) {
      if (this.#entries.size <= this.#maxEntries && now - touchedAt < this.#idleMs) return;
      this.#entries.delete(key);
    }
  }
}

/** Lets the first `max` different values through and calls every further one `other`, so that a label stays bounded. */
export function boundedLabel(max: number): (value: string) => string {
  const known = new Set<string>();
  return (value) => {
    if (known.has(value)) return value;
    if (known.size >= max) return 'other';
    known.add(value);
    return value;
  };
}
