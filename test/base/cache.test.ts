import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Cache, type CacheLimits } from '../../src/base/cache.ts';
import { Sweeper } from '../../src/base/sweeper.ts';
import { manualClock } from '../support/clocks.ts';

function timedCache(limits: CacheLimits<number> = {}) {
  const clock = manualClock();
  const sweeper = new Sweeper(clock);
  return { clock, sweeper, cache: new Cache<number>({ ...limits, sweeper }) };
}

const keysOf = (cache: Cache<unknown>) => [...cache].map(([key]) => key);

describe('the bounds of a cache', () => {
  it('let the least recently used entry go when there are too many', () => {
    const cache = new Cache<number>({ entries: 2 });
    cache.set('a', 1);
    cache.set('b', 2);
    expect(cache.get('a')).toBe(1);
    cache.set('c', 3);
    expect([...cache]).toEqual([
      ['a', 1],
      ['c', 3],
    ]);
  });

  it('do not take a peek for a use', () => {
    const cache = new Cache<number>({ entries: 2 });
    cache.set('a', 1);
    cache.set('b', 2);
    expect(cache.peek('a')).toBe(1);
    cache.set('c', 3);
    expect(cache.peek('a')).toBeUndefined();
  });

  it('count an entry as several where it says so', () => {
    const cache = new Cache<number>({ entries: 4 });
    cache.set('a', 1, { count: 2 });
    cache.set('b', 2, { count: 2 });
    cache.set('c', 3);
    expect(keysOf(cache)).toEqual(['b', 'c']);
    cache.set('b', 2);
    cache.set('d', 4, { count: 2 });
    expect(keysOf(cache)).toEqual(['c', 'b', 'd']);
  });

  it.each([{ bytes: 10 }, { bytes: 100, entryBytes: 10 }])('keep no entry that is too large: %o', (limits) => {
    const cache = new Cache<number>(limits);
    cache.set('a', 1, { bytes: 4 });
    cache.set('b', 2, { bytes: 2 });
    cache.set('b', 3, { bytes: 11 });
    expect([...cache]).toEqual([['a', 1]]);
    cache.set('c', 3, { bytes: 6 });
    expect(keysOf(cache)).toEqual(['a', 'c']);
  });

  it('let entries be deleted during an iteration', () => {
    const cache = new Cache<number>({});
    for (const key of ['a', 'b', 'c']) cache.set(key, 1);
    for (const [key] of cache) if (key !== 'b') cache.delete(key);
    expect([...cache]).toEqual([['b', 1]]);
  });

  it('are never exceeded, and all that fits is kept', () => {
    const step = fc.record({
      key: fc.constantFrom('a', 'b', 'c', 'd'),
      bytes: fc.nat(24),
      does: fc.constantFrom('set', 'get', 'delete'),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const cache = new Cache<number>({ bytes: 20, entries: 3 });
        let model: { key: string; bytes: number }[] = [];
        for (const { key, bytes, does } of steps) {
          const before = model.find((one) => one.key === key);
          model = model.filter((one) => one.key !== key);
          if (does === 'get') {
            expect(cache.get(key)).toBe(before?.bytes);
            if (before !== undefined) model.push(before);
          } else if (does === 'delete') cache.delete(key);
          else {
            cache.set(key, bytes, { bytes });
            if (bytes <= 20) model.push({ key, bytes });
            while (model.reduce((sum, one) => sum + one.bytes, 0) > 20 || model.length > 3) model.shift();
          }
          expect([...cache]).toEqual(model.map((one) => [one.key, one.bytes]));
          expect(cache.size).toBe(model.length);
        }
      }),
    );
  });
});

describe('a cache whose values say when they are over', () => {
  it('returns none that is, and drops it when it is swept', () => {
    let now = 0;
    const { cache, sweeper } = timedCache({ isOver: (until) => now >= until });
    cache.set('a', 1);
    cache.set('b', 2);
    now = 1;
    expect([cache.get('a'), cache.peek('b'), cache.size]).toEqual([undefined, 2, 1]);
    now = 2;
    expect([sweeper.size, sweeper.sweep(), sweeper.size]).toEqual([1, 1, 0]);
  });
});

describe('the owners of a cache', () => {
  const kept = (cache: Cache<number>, owner: string) => keysOf(cache).filter((key) => key.startsWith(owner)).length;

  it('lose entries only where they hold most, however much another one adds', () => {
    const cache = new Cache<number>({ bytes: 1000 });
    for (let i = 0; i < 10; i++) cache.set(`small ${i}`, i, { owner: 'small', bytes: 10 });
    for (let i = 0; i < 10; i++) cache.set(`middle ${i}`, i, { owner: 'middle', bytes: 30 });
    for (let i = 0; i < 100; i++) cache.set(`large ${i}`, i, { owner: 'large', bytes: 30 });
    expect([kept(cache, 'small'), kept(cache, 'middle'), kept(cache, 'large')]).toEqual([10, 10, 20]);
    expect([cache.get('large 79'), cache.get('large 80')]).toEqual([undefined, 80]);
  });

  it('that hold equally much lose by their last use', () => {
    const cache = new Cache<number>({ entries: 3 });
    for (const owner of ['a', 'b', 'c']) cache.set(owner, 1, { owner });
    cache.get('a');
    cache.set('d', 1, { owner: 'd' });
    expect(keysOf(cache).toSorted()).toEqual(['a', 'c', 'd']);
  });

  it('lose by what they hold and by their last use, in any order of uses', () => {
    const step = fc.record({
      key: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'),
      owner: fc.constantFrom('w', 'x', 'y', 'z'),
      does: fc.constantFrom('set', 'set', 'get', 'delete'),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const cache = new Cache<string>({ entries: 3 });
        // Both in the order of use.
        let model: { key: string; owner: string }[] = [];
        let owners: string[] = [];
        for (const { key, owner, does } of steps) {
          const before = model.find((one) => one.key === key);
          model = model.filter((one) => one.key !== key);
          if (does === 'get') expect(cache.get(key)).toBe(before?.owner);
          else if (does === 'set') cache.set(key, owner, { owner });
          else cache.delete(key);
          const used = does === 'set' ? { key, owner } : does === 'get' ? before : undefined;
          if (used !== undefined) {
            model.push(used);
            owners = [...owners.filter((one) => one !== used.owner), used.owner];
          }
          const held = (one: string) => model.filter(({ owner }) => owner === one).length;
          const loser = owners.find((one) => held(one) === Math.max(...owners.map(held)));
          const lost = model.length > 3 ? model.find((one) => one.owner === loser) : undefined;
          model = model.filter((one) => one !== lost);
          expect(new Map(cache)).toEqual(new Map(model.map((one) => [one.key, one.owner])));
        }
      }),
    );
  });

  it('get equal shares of bytes and of entries where each wants all', () => {
    for (const limits of [{ bytes: 900 }, { entries: 90 }]) {
      const cache = new Cache<number>(limits);
      for (const owner of ['a', 'b', 'c']) {
        for (let i = 0; i < 200; i++) cache.set(`${owner} ${i}`, i, { owner, bytes: 10 });
      }
      for (const owner of ['a', 'b', 'c']) expect(Math.abs(kept(cache, owner) - 30)).toBeLessThan(2);
    }
  });

  it('change nothing about bounds and times: only what was last set is returned, and only in its time', () => {
    const step = fc.record({
      key: fc.nat(20).map(String),
      bytes: fc.nat(20),
      ttlMs: fc.nat(50),
      passes: fc.nat(10),
      does: fc.constantFrom('set', 'set', 'get', 'sweep'),
      owner: fc.constantFrom('a', 'b', 'c'),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const clock = manualClock();
        const cache = new Cache<{ bytes: number; until: number }>({ bytes: 30, sweeper: new Sweeper(clock) });
        const last = new Map<string, object>();
        for (const { key, bytes, ttlMs, passes, does, owner } of steps) {
          clock.time += passes;
          if (does === 'sweep') cache.sweep();
          else if (does === 'get') {
            const found = cache.get(key);
            if (found === undefined) continue;
            expect(found).toBe(last.get(key));
            expect(found.until).toBeGreaterThan(clock.time);
          } else {
            const value = { bytes, until: clock.time + ttlMs };
            last.set(key, value);
            cache.set(key, value, { owner, ttlMs, bytes });
          }
        }
        expect([...cache].reduce((sum, [, { bytes }]) => sum + bytes, 0)).toBeLessThanOrEqual(30);
      }),
    );
  });

  it('are charged no more for an entry that another owner took over', () => {
    const cache = new Cache<number>({ bytes: 100 });
    cache.set('x', 1, { owner: 'a', bytes: 60 });
    cache.set('x', 2, { owner: 'b', bytes: 60 });
    cache.set('y', 3, { owner: 'a', bytes: 50 });
    expect(keysOf(cache)).toEqual(['y']);
  });
});

describe('the time of an entry', () => {
  it('is its time to live, which use does not prolong', () => {
    const { clock, cache } = timedCache();
    cache.set('a', 1, { ttlMs: 100 });
    clock.time += 99;
    expect([cache.get('a'), cache.leftMs('a')]).toEqual([1, 1]);
    clock.time += 1;
    expect([cache.leftMs('a'), cache.peek('a'), cache.get('a'), [...cache]]).toEqual([0, undefined, undefined, []]);
  });

  it('is its idle time, which use prolongs and a peek does not', () => {
    const { clock, cache } = timedCache({ idleMs: 100 });
    for (const key of ['used', 'seen']) cache.set(key, 1);
    clock.time += 60;
    expect([cache.get('used'), cache.peek('seen')]).toEqual([1, 1]);
    clock.time += 60;
    expect([cache.peek('used'), cache.peek('seen')]).toEqual([1, undefined]);
  });

  it('ends with whichever of both is over first', () => {
    const { clock, cache } = timedCache({ idleMs: 100 });
    cache.set('a', 1, { ttlMs: 50 });
    cache.set('b', 1, { ttlMs: 500 });
    expect([cache.leftMs('a'), cache.leftMs('b')]).toEqual([50, 100]);
    clock.time += 60;
    expect(keysOf(cache)).toEqual(['b']);
  });

  it.each([-3_600_000, 3_600_000])('is over in time where the wall clock is set by %s ms', (byMs) => {
    const { clock, cache } = timedCache({ idleMs: 100 });
    cache.set('a', 1);
    clock.offBy = byMs;
    clock.time += 100;
    expect(cache.get('a')).toBeUndefined();
  });

  it.each([0, -1])('of %s ms keeps nothing, and forgets the earlier value', (ttlMs) => {
    const { cache } = timedCache();
    cache.set('a', 1);
    cache.set('a', 2, { ttlMs });
    expect(cache.size).toBe(0);
  });

  it('needs a sweeper, without which the entry would stay in memory', () => {
    expect(() => new Cache<number>({}).set('a', 1, { ttlMs: 1 })).toThrow('without sweeper');
    expect(() => new Cache<number>({ idleMs: 1 }).set('a', 1)).toThrow('without sweeper');
  });
});

describe('the sweeper', () => {
  it('drops from all caches what has expired, and nothing else', () => {
    const clock = manualClock();
    const sweeper = new Sweeper(clock);
    const values = new Cache<number>({ sweeper });
    const files = new Cache<number>({ sweeper, idleMs: 100 });
    values.set('short', 1, { ttlMs: 50 });
    values.set('long', 1, { ttlMs: 500 });
    values.set('endless', 1);
    files.set('idle', 1);
    clock.time += 90;
    files.set('fresh', 1);
    clock.time += 20;
    expect([values.size, files.size, sweeper.size]).toEqual([3, 2, 5]);
    sweeper.sweep();
    expect([keysOf(values), keysOf(files)]).toEqual([['long', 'endless'], ['fresh']]);
    expect([values.size, files.size, sweeper.size]).toEqual([2, 1, 3]);
  });
});
