import { setMaxListeners } from 'node:events';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BudgetFull, type Lease, MemoryBudget } from '../../src/base/memory-budget.ts';
import { rounds } from '../support/rounds.ts';

const never = new AbortController().signal;
setMaxListeners(0, never);
const turns = async (count = 10) => {
  for (let i = 0; i < count; i++) await Promise.resolve();
};

/** Opens a lease and records in `order` when it begins. */
function opening(budget: MemoryBudget, name: string, order: string[], { owner = 'a', held = 0, bytes = 100 } = {}) {
  const abort = new AbortController();
  const opened = budget.open({ owner, held, bytes }, abort.signal).then((lease) => {
    order.push(name);
    return lease;
  });
  opened.catch(() => {});
  return { opened, abort };
}

describe('the memory budget', () => {
  it('lets leases of one owner begin in the order of their calls, as far as half of the rest reaches', async () => {
    const budget = new MemoryBudget(1000);
    const order: string[] = [];
    const all = ['1', '2', '3', '4', '5'].map((name) => opening(budget, name, order));
    await turns();
    // 100, 200 and 300 bytes are at most half of what was free: 1000, 900, 800.
    expect(order).toEqual(['1', '2', '3']);
    expect(budget.figures).toEqual({ limit: 1000, used: 300, waiting: 2 });
    (await all[0]?.opened)?.close();
    await turns();
    expect(order).toEqual(['1', '2', '3', '4']);
  });

  it('leaves room for another owner, however many leases of the first wait', async () => {
    const budget = new MemoryBudget(1000);
    const order: string[] = [];
    for (let i = 0; i < 50; i++) opening(budget, `a${i}`, order);
    opening(budget, 'b', order, { owner: 'b' });
    await turns();
    expect(order).toContain('b');
  });

  it('lets a lease begin that is larger than the budget, once no other has begun', async () => {
    const budget = new MemoryBudget(1000);
    const order: string[] = [];
    const first = opening(budget, 'first', order);
    opening(budget, 'large', order, { bytes: 5000 });
    opening(budget, 'last', order);
    await turns();
    expect(order).toEqual(['first']);
    (await first.opened).close();
    await turns();
    expect(order).toEqual(['first', 'large']);
  });

  it('gives to leases that have begun before it lets others begin', async () => {
    const budget = new MemoryBudget(1000);
    const order: string[] = [];
    const [one, two] = [await opening(budget, 'one', order).opened, await opening(budget, 'two', order).opened];
    await one.reserve(700, never);
    await one.reserve(700, never);
    void two.reserve(600, never)?.then(() => order.push('more'));
    opening(budget, 'new', order, { bytes: 1 });
    await turns();
    expect(order).toEqual(['one', 'two']);
    one.close();
    await turns();
    expect(order).toEqual(['one', 'two', 'more']);
    two.close();
    await turns();
    expect(order).toEqual(['one', 'two', 'more', 'new']);
  });

  it('lets the oldest that waits go beyond it, and the next one when that has ended', async () => {
    const budget = new MemoryBudget(1000);
    const order: string[] = [];
    const leases = [];
    for (const name of ['1', '2', '3']) leases.push(await opening(budget, name, order).opened);
    const [first, second, third] = leases as [Lease, Lease, Lease];
    const got: string[] = [];
    void third.reserve(900, never)?.then(() => got.push('third'));
    await turns();
    // Nobody had the right to go beyond the budget, and nobody older waited.
    expect(got).toEqual(['third']);
    void second.reserve(900, never)?.then(() => got.push('second'));
    void first.reserve(900, never)?.then(() => got.push('first'));
    await turns();
    expect(got).toEqual(['third']);
    third.close();
    await turns();
    expect(got).toEqual(['third', 'first']);
    first.close();
    await turns();
    expect(got).toEqual(['third', 'first', 'second']);
  });

  it('forgets a lease that is given up, whether it has begun or not', async () => {
    const budget = new MemoryBudget(300);
    const order: string[] = [];
    const first = await opening(budget, 'first', order).opened;
    const waiting = opening(budget, 'waiting', order);
    const later = opening(budget, 'later', order);
    waiting.abort.abort(new Error('gone'));
    await expect(waiting.opened).rejects.toThrow('gone');
    first.close();
    (await later.opened).close();
    expect(budget.figures).toEqual({ limit: 300, used: 0, waiting: 0 });
  });

  it('refuses a lease if those that wait hold half of it', async () => {
    const budget = new MemoryBudget(1000);
    const order: string[] = [];
    opening(budget, 'begun', order, { bytes: 900 });
    const first = opening(budget, 'waits', order, { held: 400 });
    const second = opening(budget, 'refused', order, { held: 200 });
    await expect(second.opened).rejects.toBeInstanceOf(BudgetFull);
    expect(budget.figures.used).toBe(1300);
    first.abort.abort(new Error('gone'));
    await turns();
    expect(budget.figures.used).toBe(900);
  });

  it('reports when a quarter of it was discarded', async () => {
    let reports = 0;
    const budget = new MemoryBudget(1000, { onDiscarded: () => reports++ });
    const once = async () => (await budget.open({ owner: 'a', held: 0, bytes: 100 }, never)).close();
    await once();
    await once();
    expect(reports).toBe(0);
    await once();
    expect(reports).toBe(1);
  });

  it('counts what belongs to no lease, and makes leases wait for it', async () => {
    const budget = new MemoryBudget(1000);
    const order: string[] = [];
    await opening(budget, 'first', order).opened;
    budget.charge(800);
    opening(budget, 'second', order);
    await turns();
    expect(order).toEqual(['first']);
    budget.charge(-800);
    await turns();
    expect(order).toEqual(['first', 'second']);
  });
});

/** A Mount in the model: the owner, what it needs to begin, and then one after another. */
const mounts = fc.array(
  fc.record({
    owner: fc.constantFrom('a', 'b', 'c'),
    bytes: fc.integer({ min: 0, max: 400 }),
    reads: fc.array(fc.integer({ min: 1, max: 300 }), { maxLength: 6 }),
    /** Gives up while it waits for the nth read. */
    givesUpAt: fc.option(fc.nat(5), { freq: 3 }),
  }),
  { minLength: 1, maxLength: 30 },
);

describe('whatever Mounts there are', () => {
  it('all of them end, and the budget is exceeded by one of them at most', async () => {
    await fc.assert(
      fc.asyncProperty(mounts, fc.infiniteStream(fc.nat()), async (all, choices) => {
        const limit = 1000;
        const budget = new MemoryBudget(limit);
        const largest = Math.max(...all.map(({ bytes, reads }) => bytes + reads.reduce((sum, one) => sum + one, 0)));
        const steps: (() => void)[] = [];
        const step = () => new Promise<void>((resolve) => steps.push(resolve));
        let ended = 0;
        const run = async ({ owner, bytes, reads, givesUpAt }: (typeof all)[number]) => {
          const lease = await budget.open({ owner, held: 0, bytes }, never);
          for (const [index, read] of reads.entries()) {
            const signal = givesUpAt === index ? AbortSignal.abort(new Error('gone')) : never;
            await step();
            try {
              await lease.reserve(read, signal);
            } catch {
              // This Mount gives up.
            }
            expect(budget.figures.used).toBeLessThanOrEqual(limit + largest);
          }
          await step();
          lease.close();
          ended++;
        };
        const running = all.map(run);
        // Vaults answer in any order. If no answer is left and a Mount waits, it waits for ever.
        for (let quiet = 0; quiet < 3; ) {
          await turns(20);
          const next = steps.splice((choices.next().value ?? 0) % Math.max(1, steps.length), 1)[0];
          next?.();
          quiet = next === undefined ? quiet + 1 : 0;
        }
        expect(ended).toBe(all.length);
        await Promise.all(running);
        expect(budget.figures).toEqual({ limit, used: 0, waiting: 0 });
      }),
      { numRuns: rounds(150, 3000), seed: 20261129 },
    );
  });
});
