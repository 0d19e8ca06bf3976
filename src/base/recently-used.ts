/** How much a {@link RecentlyUsed} holds at most. */
export interface RecentBounds {
  readonly entries?: number;
  /** Of all entries together. */
  readonly bytes?: number;
}

/** A bounded map in the order of use: when it is full, what is unused for longest goes. */
export class RecentlyUsed<V> {
  readonly #maxEntries: number;
  readonly #maxBytes: number;
  readonly #entries = new Map<string, { readonly value: V; readonly bytes: number }>();
  #bytes = 0;

  constructor({ entries = Number.POSITIVE_INFINITY, bytes = Number.POSITIVE_INFINITY }: RecentBounds) {
    this.#maxEntries = entries;
    this.#maxBytes = bytes;
  }

  /** The value, which counts as used now. */
  get(key: string): V | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry.value;
  }

  /** The value, which keeps its place. */
  peek(key: string): V | undefined {
    return this.#entries.get(key)?.value;
  }

  /** Puts a value of `bytes` size in, as used now; what is larger than everything may be is not kept. */
  set(key: string, value: V, bytes = 0): void {
    this.delete(key);
    this.#entries.set(key, { value, bytes });
    this.#bytes += bytes;
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.#maxBytes && this.#entries.size <= this.#maxEntries) break;
      this.delete(oldest);
    }
  }

  delete(key: string): void {
    this.#bytes -= this.#entries.get(key)?.bytes ?? 0;
    this.#entries.delete(key);
  }

  /** All of it, the least recently used first; entries may be deleted on the way. */
  *[Symbol.iterator](): IterableIterator<readonly [string, V]> {
    for (const [key, { value }] of this.#entries) yield [key, value];
  }
}
