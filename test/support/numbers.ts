/** Pseudo-random numbers for tests with generated input, so that a failure can be repeated by its seed. */

/** Returns a generator of whole numbers from 0 to below the given bound, the same in every run (mulberry32). */
export function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** Returns one of several values. */
export function oneOf<T>(random: (below: number) => number, values: readonly [T, ...T[]]): T {
  return values[random(values.length)] ?? values[0];
}
