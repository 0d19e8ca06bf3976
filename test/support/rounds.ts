/**
 * The number of repetitions of tests with generated input: few by default, all with FULL_ROUNDS=1, which `.ci/run`
 * sets. Seeds do not depend on it.
 */

/** True if tests run in full. */
export const FULL = process.env.FULL_ROUNDS === '1';

/** Returns the number of rounds of this run. */
export function rounds(quick: number, full: number): number {
  return FULL ? full : quick;
}
