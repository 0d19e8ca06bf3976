import { describe, expect, it } from 'vitest';
import { MemoryBudget } from '../../src/base/memory-budget.ts';
import { MountMemory } from '../../src/mount/memory.ts';
import { manualClock } from '../support/clocks.ts';
import { failureOf } from '../support/mount.ts';

const MIB = 2 ** 20;
const never = new AbortController().signal;
const SIZE = { vaultUrl: 'https://kv', objects: 20, requestBytes: 2000 };
const value = (bytes: number) => [async () => 'x', () => bytes, never] as const;

function memoryOf(budget: MemoryBudget) {
  const clock = manualClock();
  return { clock, memory: new MountMemory(budget, clock) };
}

describe('the memory of a Mount', () => {
  it('is its request, a fixed part, and three times each value, until it is closed', async () => {
    const budget = new MemoryBudget(8 * MIB);
    const { memory } = memoryOf(budget);
    await memory.begin(SIZE, never);
    const begun = budget.figures.used;
    expect(begun).toBe((8 + 128 + 20 * 4) * 1024 + 2 * 2000);
    await memory.during(...value(1000));
    expect(budget.figures.used).toBe(begun + 3000);
    const failing = memory.during(
      () => Promise.reject(new Error('no')),
      () => 0,
      never,
    );
    await expect(failing).rejects.toThrow('no');
    expect(budget.figures.used).toBe(begun + 3000);
    memory.close();
    expect(budget.figures).toEqual({ limit: 8 * MIB, used: 0, waiting: 0 });
  });

  it('has room for the largest value before it is read', async () => {
    const budget = new MemoryBudget(8 * MIB);
    const { memory } = memoryOf(budget);
    await memory.begin(SIZE, never);
    const before = budget.figures.used;
    let during = 0;
    await memory.during(
      async () => {
        during = budget.figures.used - before;
      },
      () => 200,
      never,
    );
    expect(during).toBeGreaterThanOrEqual(3 * 25 * 1024);
    expect(budget.figures.used - before).toBe(600);
  });

  it('counts as discarded when a value is read, when the values are files, and at the end', async () => {
    let reports = 0;
    const budget = new MemoryBudget(8 * MIB, { onDiscarded: () => reports++ });
    const { memory } = memoryOf(budget);
    await memory.begin(SIZE, never);
    await memory.during(...value(MIB));
    expect(reports).toBe(1);
    memory.converted(MIB);
    expect(reports).toBe(1);
    memory.converted(MIB);
    expect(reports).toBe(2);
    memory.close();
    expect(reports).toBe(3);
  });

  it('says what it needs, how long it waited, and what helps', async () => {
    const budget = new MemoryBudget(MIB);
    await memoryOf(budget).memory.begin(SIZE, never);
    budget.charge(MIB);
    const { memory, clock } = memoryOf(budget);
    const abort = new AbortController();
    expect(memory.refusal()).toBeUndefined();
    const begun = memory.begin(SIZE, abort.signal).catch(() => {});
    clock.time += 115_000;
    const refusal = memory.refusal();
    expect(refusal?.code).toBe('ERR_NO_MEMORY');
    expect(refusal?.message).toBe(
      'failed to mount objects, error: the provider has no memory for this volume: it needs 212992 bytes more, and its ' +
        'time ended after it had waited 115 s for its turn; raise its --memory-budget and memory limit (memoryBudget, ' +
        'linux.resources in its chart), or look for a vault that answers slowly',
    );
    abort.abort(new Error('over'));
    await begun;
    expect(memory.refusal()).toBeUndefined();
  });

  it('is refused at once where the requests that wait fill half of the budget', async () => {
    const budget = new MemoryBudget(MIB);
    await memoryOf(budget).memory.begin(SIZE, never);
    budget.charge(MIB);
    const abort = new AbortController();
    const large = { ...SIZE, requestBytes: 200_000 };
    const first = memoryOf(budget)
      .memory.begin(large, abort.signal)
      .catch(() => {});
    const error = await failureOf(memoryOf(budget).memory.begin(large, never));
    expect(error.code).toBe('ERR_NO_MEMORY');
    expect(error.message).toContain('the requests that wait fill half of the memory budget');
    abort.abort(new Error('over'));
    await first;
  });
});
