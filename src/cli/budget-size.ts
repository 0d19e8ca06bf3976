/**
 * Chooses the size of the memory budget of `serve`: by flag, or by the memory limit of the container. `serve` reads it once
 * at the start. Also tells `serve` when the process comes near that limit.
 */

const MIB = 2 ** 20;
/** Enough for the largest volume, one at a time. */
export const MIN_BUDGET_BYTES = 8 * MIB;
/**
 * More does not make a node faster: a dozen Mounts keep its processors busy. The heap of more of them is so large that it
 * has to grow by small steps, which takes more CPU time.
 */
const MAX_BUDGET_BYTES = 12 * MIB;
/**
 * The memory of a provider that was used, without Mounts: Node, the program and its caches, the answer that is being
 * encoded, and the file pages of Node that must stay.
 */
const BASE_BYTES = 88 * MIB;
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
/** Bytes that are kept for each byte of the budget above the smallest one. */
const KEPT_FACTOR = MAX_KEPT_BYTES / (MAX_BUDGET_BYTES - MIN_BUDGET_BYTES);

/**
 * Returns the bytes of values that the provider keeps with this budget: 8 MiB, or less where the budget was made small to
 * fit into the memory limit. Without a budget, undefined.
 */
export function keptBytes(budgetBytes: number | undefined): number | undefined {
  if (budgetBytes === undefined) return undefined;
  return Math.min(MAX_KEPT_BYTES, Math.max(MIN_KEPT_BYTES, KEPT_FACTOR * (budgetBytes - MIN_BUDGET_BYTES)));
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

/** Up to here the heap grows by V8's own steps, which saves a fifth of the CPU time. An idle process has half as much. */
const LARGE_BYTES = 60 * MIB;
/** The same under a low limit, which the process would come near before it has collected garbage. */
const LARGE_IN_LITTLE_BYTES = 40 * MIB;
const LOW_LIMIT_BYTES = 160 * MIB;

/** Returns true if there is a limit that a storm of Mounts could reach. */
export function isLowLimit(limitBytes: number): boolean {
  return limitBytes > 0 && limitBytes <= LOW_LIMIT_BYTES;
}

/** The lowest limits in which the storms of the benchmark end well; measured with Node 24. */
const LEAST_LIMIT_BYTES = 100 * MIB;
const LEAST_LIMIT_WITHOUT_NATIVE_BYTES = 128 * MIB;

/** Returns the lowest limit for a node on which many pods start at once. `native` says whether `memory.node` is there. */
export function leastLimitBytes(native: boolean): number {
  return native ? LEAST_LIMIT_BYTES : LEAST_LIMIT_WITHOUT_NATIVE_BYTES;
}

/** Writes a size as Kubernetes does, such as `96Mi`. */
export function inMebibytes(bytes: number): string {
  return `${Math.floor(bytes / MIB)}Mi`;
}

/** Returns true if the heap of a process with so much anonymous memory grows by small steps. */
export function isLarge(anonymousBytes: number, limitBytes: number): boolean {
  const most = isLowLimit(limitBytes) ? LARGE_IN_LITTLE_BYTES : LARGE_BYTES;
  return anonymousBytes > most || isNearLimit(anonymousBytes, limitBytes);
}
