/**
 * Bounds the metrics: the number of volumes that are remembered, and the values and lengths of labels. `metrics.ts` and
 * `instruments.ts` use it. A value beyond the bound becomes the label `other`.
 */

import { type Clock, Lifetime } from '../base/clock.ts';
import { printable } from '../base/printable.ts';
import { clip } from '../base/words.ts';

/** How much a {@link RecentMap} holds. */
export interface RecentMapLimits {
  readonly clock: Clock;
  /** An entry may count as several. */
  readonly maxEntries: number;
  readonly idleMs: number;
}

/** A map of what was touched lately: at most `maxEntries`, and nothing that has been idle for `idleMs`. */
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

  /** Puts a value in that counts as `count` entries. */
  set(key: string, value: V, count = 1): void {
    this.#delete(key);
    this.#entries.set(key, { value, count, idle: new Lifetime(this.#limits.clock, this.#limits.idleMs) });
    this.#count += count;
    this.#prune();
  }

  /** Keeps what is there as if it had come now. */
  touch(key: string): void {
    const entry = this.#entries.get(key);
    if (entry !== undefined) this.set(key, entry.value, entry.count);
  }

  /** What is left, the longest untouched first. */
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
 * A text that a caller or a manifest gives, as the value of a label: printable, of at most 200 characters. Line feeds
 * stay, as Prometheus' format escapes them itself.
 */
export function labelText(text: string): string {
  return clip(text).split('\n').map(printable).join('\n');
}

/** Whether a value is one of the first `max` different ones it is asked about. */
export function boundedSet(max: number): (value: string) => boolean {
  const known = new Set<string>();
  return (value) => {
    if (known.size < max) known.add(value);
    return known.has(value);
  };
}

/**
 * Lets the first `max` different values through, as {@link labelText}, and calls every further one `other`, so that a
 * label stays bounded.
 */
export function boundedLabel(max: number): (value: string) => string {
  const known = boundedSet(max);
  return (text) => {
    const value = labelText(text);
    return known(value) ? value : 'other';
  };
}
