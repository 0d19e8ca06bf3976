/**
 * How often the tests with generated input repeat: few times by default, and in full where FULL_ROUNDS=1, as `.ci/run`
 * sets it. Seeds do not depend on it.
 */

/** True where tests run in full. */
export const FULL = process.env.FULL_ROUNDS === '1';

/** The number of rounds of this run. */
export function rounds(quick: number, full: number): number {
  return FULL ? full : quick;
}
