/**
 * Measures what stays in the heap of V8. Tests of what is kept use it.
 */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Collects all garbage. */
export function collect(): void {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  setFlagsFromString('--no-expose-gc');
  gc();
}

/** Returns the bytes by which the heap has grown while what `make` returned is in use, without garbage. */
export function keptBytes(make: () => unknown): number {
  collect();
  const before = process.memoryUsage().heapUsed;
  const kept = [make()];
  collect();
  const bytes = process.memoryUsage().heapUsed - before;
  // Until here, V8 takes it to be in use.
  kept.pop();
  return bytes;
}
