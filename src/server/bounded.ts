/**
 * Bounds the metrics: the number of volumes that are remembered, and the values and lengths of labels. `metrics.ts` and
 * `instruments.ts` use it. A value beyond the bound becomes the label `other`.
 */

import { type Clock, Lifetime } from '../base/clock.ts';
import { printable } from '../base/printable.ts';
import { clip } from '../base/words.ts';

/** The limits of a {@link RecentMap}. */
export interface RecentMapLimits {
  readonly clock: Clock;
  /** An entry may count as several. */
  readonly maxEntries: number;
  readonly idleMs: number;
}

/** A map of recently used entries: at most `maxEntries`, and none that was idle for `idleMs`. */
export class RecentMap<V> {
  readonly #entries = new Map<string, { readonly value: V; readonly count: number; readonly idle: Lifetime }>();
  readonly #limits: RecentMapLimits;
  #count = 0;

  constructor(limits: RecentMapLimits) {
    this.#limits = limits;
  }

  get(key: string): V | undefined {
    return this.#entries.get(key)?.value;
  }

  /** Stores a value that counts as `count` entries. */
  set(key: string, value: V, count = 1): void {
    this.#delete(key);
    this.#entries.set(key, { value, count, idle: new Lifetime(this.#limits.clock, this.#limits.idleMs) });
    this.#count += count;
    this.#prune();
  }

  /** Restarts the idle time of an entry. */
  touch(key: string): void {
    const entry = this.#entries.get(key);
    if (entry !== undefined) this.set(key, entry.value, entry.count);
  }

  /** The values, the longest idle first. */
  values(): V[] {
    this.#prune();
    return [...this.#entries.values()].map(({ value }) => value);
  }

  #prune(): void {
    for (const [key, { idle }] of this.#entries) {
      if (this.#count <= this.#limits.maxEntries && !idle.over) return;
      this.#delete(key);
    }
  }

  #delete(key: string): void {
    this.#count -= this.#entries.get(key)?.count ?? 0;
    this.#entries.delete(key);
  }
}

/**
 * A text of a caller or a manifest as the value of a label: printable, at most 200 characters. Line feeds stay, since
 * the format of Prometheus escapes them.
 */
export function labelText(text: string): string {
  return clip(text).split('\n').map(printable).join('\n');
}

/** Returns a function that is true for the first `max` different values, and false for all others. */
export function boundedSet(max: number): (value: string) => boolean {
  const known = new Set<string>();
  return (value) => {
    if (known.size < max) known.add(value);
    return known.has(value);
  };
}

/**
 * Returns a function that maps the first `max` different values to their {@link labelText}, and all others to `other`, so
 * that a label stays bounded.
 */
export function boundedLabel(max: number): (value: string) => string {
  const known = boundedSet(max);
  return (text) => {
    const value = labelText(text);
    return known(value) ? value : 'other';
  };
}
