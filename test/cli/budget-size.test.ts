import { describe, expect, it } from 'vitest';
import { isNearLimit, memoryBudgetBytes } from '../../src/cli/budget-size.ts';

const MIB = 2 ** 20;

describe('the memory budget of serve', () => {
  it.each([
    ['half of what the process leaves in 128 MiB', 0, 128, 22],
    ['8 MiB where less is left', 0, 100, 8],
    ['54 MiB in 192 MiB', 0, 192, 54],
    ['at most 64 MiB', 0, 2048, 64],
    ['64 MiB without a limit', 0, 0, 64],
    ['the flag, whatever the limit', 16, 128, 16],
  ])('is %s', (_what, flag, limit, budget) => {
    expect(memoryBudgetBytes(flag * MIB, limit * MIB)).toBe(budget * MIB);
  });

  it('is 64 MiB if Node reports a limit larger than any memory, as it does for none', () => {
    expect(memoryBudgetBytes(0, 2 ** 64)).toBe(64 * MIB);
    expect(isNearLimit(500 * MIB, 2 ** 64)).toBe(false);
  });

  it('has garbage collected near the limit only', () => {
    expect(isNearLimit(60 * MIB, 128 * MIB)).toBe(false);
    expect(isNearLimit(70 * MIB, 128 * MIB)).toBe(true);
    expect(isNearLimit(70 * MIB, 0)).toBe(false);
  });
});
