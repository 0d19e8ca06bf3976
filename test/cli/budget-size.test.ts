import { describe, expect, it } from 'vitest';
import {
  inMebibytes,
  isLarge,
  isLowLimit,
  isNearLimit,
  keptBytes,
  leastLimitBytes,
  memoryBudgetBytes,
} from '../../src/cli/budget-size.ts';

const MIB = 2 ** 20;

describe('the memory budget of serve', () => {
  it.each([
    ['half of what the process leaves in 108 MiB', 0, 108, 10],
    ['8 MiB where less is left', 0, 96, 8],
    ['at most 12 MiB', 0, 192, 12],
    ['12 MiB without a limit', 0, 0, 12],
    ['the flag, whatever the limit', 24, 128, 24],
  ])('is %s', (_what, flag, limit, budget) => {
    expect(memoryBudgetBytes(flag * MIB, limit * MIB)).toBe(budget * MIB);
  });

  it('is 12 MiB if Node reports a limit larger than any memory, as it does for none', () => {
    expect(memoryBudgetBytes(0, 2 ** 64)).toBe(12 * MIB);
    expect(isNearLimit(500 * MIB, 2 ** 64)).toBe(false);
  });

  it.each([
    [64, 8],
    [12, 8],
    [10, 4],
    [8, 1],
  ])('of %i MiB lets the provider keep %i MiB of values', (budget, kept) => {
    expect(keptBytes(budget * MIB)).toBe(kept * MIB);
  });

  it('has garbage collected near the limit only', () => {
    expect(isNearLimit(60 * MIB, 128 * MIB)).toBe(false);
    expect(isNearLimit(70 * MIB, 128 * MIB)).toBe(true);
    expect(isNearLimit(70 * MIB, 0)).toBe(false);
  });

  it('has the heap grow by small steps where the process is large, or near the limit', () => {
    expect(isLarge(30 * MIB, 128 * MIB)).toBe(false);
    expect(isLarge(30 * MIB, 90 * MIB)).toBe(true);
    expect(isLarge(50 * MIB, 128 * MIB)).toBe(true);
    expect(isLarge(50 * MIB, 160 * MIB)).toBe(true);
    expect(isLarge(50 * MIB, 192 * MIB)).toBe(false);
    expect(isLarge(50 * MIB, 0)).toBe(false);
    expect(isLarge(61 * MIB, 0)).toBe(true);
  });

  it('takes a limit up to 160 MiB for a low one', () => {
    expect([0, 100, 160, 192].map((limit) => isLowLimit(limit * MIB))).toEqual([false, true, true, false]);
  });

  it('needs a higher limit without memory.node', () => {
    expect([true, false].map((native) => inMebibytes(leastLimitBytes(native)))).toEqual(['100Mi', '128Mi']);
  });
});
