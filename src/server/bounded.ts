import { type Clock, Lifetime } from '../base/clock.ts';
import { printable } from '../base/printable.ts';
import { clip } from '../base/words.ts';

/** How much a {@link RecentMap} holds. */
export interface RecentMapLimits {
  readonly clock: Clock;
  readonly maxEntries: number;
  readonly idleMs: number;
}

/** A map of what was touched lately: at most `maxEntries`, and nothing that has been idle for `idleMs`. */
export class RecentMap<V> {
  readonly #entries = new Map<string, { readonly value: V; readonly idle: Lifetime }>();
  readonly #limits: RecentMapLimits;

  constructor(limits: RecentMapLimits) {
    this.#limits = limits;
  }

  get(key: string): V | undefined {
    return this.#entries.get(key)?.value;
  }

  set(key: string, value: V): void {
    this.#entries.delete(key);
    this.#entries.set(key, { value, idle: new Lifetime(this.#limits.clock, this.#limits.idleMs) });
    this.#prune();
  }

  /** What is left, the longest untouched first. */
  values(): V[] {
    this.#prune();
    return [...this.#entries.values()].map(({ value }) => value);
  }

  #prune(): void {
    for (const [key, { idle }] of this.#entries) {
      if (this.#entries.size <= this.#limits.maxEntries && !idle.over) return;
      this.#entries.delete(key);
    }
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
