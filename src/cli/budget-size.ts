/**
 * Chooses the size of the memory budget of `serve`: by flag, or by the memory limit of the container. `serve` reads it once
 * at the start. Also tells `serve` when the process comes near that limit.
 */

const MIB = 2 ** 20;
/** Enough for the largest volume, one at a time. */
export const MIN_BUDGET_BYTES = 8 * MIB;
/** More does not make a node faster: some tens of Mounts keep its processors busy. More of them cost memory and garbage. */
const MAX_BUDGET_BYTES = 16 * MIB;
/**
 * The memory of a provider that was used, without Mounts: Node, the program and its caches, the answer that is being
 * encoded, and the file pages of Node that must stay.
 */
const BASE_BYTES = 84 * MIB;
/** Bytes that the heap grows by for one byte in use, until the next collection. */
const GARBAGE_FACTOR = 2;

/**
 * Returns the size in bytes. `flagBytes` is 0 if the flag was not given. `limitBytes` is the limit of the process's memory
 * cgroup, of version 1 or 2; a number as large as the machine's memory, or 0, means none.
 */
export function memoryBudgetBytes(flagBytes: number, limitBytes: number): number {
  if (flagBytes > 0) return flagBytes;
  if (limitBytes <= 0) return MAX_BUDGET_BYTES;
  const bytes = Math.floor((limitBytes - BASE_BYTES) / GARBAGE_FACTOR);
  return Math.min(MAX_BUDGET_BYTES, Math.max(MIN_BUDGET_BYTES, bytes));
}

const MIN_KEPT_BYTES = MIB;
const MAX_KEPT_BYTES = 8 * MIB;

/**
 * Returns the bytes of values that the provider keeps with this budget: 8 MiB, or less where the budget was made small to
 * fit into the memory limit. Without a budget, undefined.
 */
export function keptBytes(budgetBytes: number | undefined): number | undefined {
  if (budgetBytes === undefined) return undefined;
  return Math.min(MAX_KEPT_BYTES, Math.max(MIN_KEPT_BYTES, budgetBytes - MIN_BUDGET_BYTES));
}

/**
 * The part of the limit that the process leaves free of anonymous memory, if it can: for the file pages of Node, which the
 * kernel drops first and reads again with each use, and for what is discarded between two collections.
 */
const NEAR_BYTES = 64 * MIB;

/**
 * Returns true if a process with so much anonymous memory is near its limit, so that it collects garbage during Mounts;
 * without a limit, never.
 */
export function isNearLimit(anonymousBytes: number, limitBytes: number): boolean {
  return limitBytes > 0 && anonymousBytes > limitBytes - NEAR_BYTES;
}

/** An idle process has less, and most Mounts need no more. */
const SMALL_BYTES = 40 * MIB;

/** Returns true if the heap of a process with so much anonymous memory grows by small steps, whatever its limit. */
export function isLarge(anonymousBytes: number, limitBytes: number): boolean {
  return anonymousBytes > SMALL_BYTES || isNearLimit(anonymousBytes, limitBytes);
}
