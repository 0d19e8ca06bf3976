/**
 * Bounds the labels of metrics: the number of their values, and the length of each. `metrics.ts` and `instruments.ts`
 * use it. A value beyond the bound becomes the label `other`.
 */

import { printable } from '../base/printable.ts';
import { clip } from '../base/words.ts';

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
 * Returns a function that maps the first `max` different values to their {@link labelText}, and all others to `other`,
 * so that a label stays bounded.
 */
export function boundedLabel(max: number): (value: string) => string {
  const known = boundedSet(max);
  return (text) => {
    const value = labelText(text);
    return known(value) ? value : 'other';
  };
}
