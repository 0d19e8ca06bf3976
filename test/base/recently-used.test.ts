import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RecentlyUsed } from '../../src/base/recently-used.ts';

describe('a map of what was used lately', () => {
  it('lets go what is unused for longest when there are too many', () => {
    const map = new RecentlyUsed<number>({ entries: 2 });
    map.set('a', 1);
    map.set('b', 2);
    expect(map.get('a')).toBe(1);
    map.set('c', 3);
    expect([...map]).toEqual([
      ['a', 1],
      ['c', 3],
    ]);
  });

  it('does not take a peek for a use', () => {
    const map = new RecentlyUsed<number>({ entries: 2 });
    map.set('a', 1);
    map.set('b', 2);
    expect(map.peek('a')).toBe(1);
    map.set('c', 3);
    expect(map.peek('a')).toBeUndefined();
  });

  it('keeps nothing that is larger than everything may be', () => {
    const map = new RecentlyUsed<number>({ bytes: 10 });
    map.set('a', 1, 4);
    map.set('b', 2, 11);
    expect([...map]).toEqual([]);
  });

  it('can lose entries while it is walked through', () => {
    const map = new RecentlyUsed<number>({});
    for (const key of ['a', 'b', 'c']) map.set(key, 1);
    for (const [key] of map) if (key !== 'b') map.delete(key);
    expect([...map]).toEqual([['b', 1]]);
  });

  it('never holds more bytes than it may, and all that fit', () => {
    const step = fc.record({ key: fc.constantFrom('a', 'b', 'c', 'd'), bytes: fc.nat(12), gone: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const map = new RecentlyUsed<number>({ bytes: 20 });
        let model: { key: string; bytes: number }[] = [];
        for (const { key, bytes, gone } of steps) {
          model = model.filter((one) => one.key !== key);
          if (gone) map.delete(key);
          else {
            map.set(key, bytes, bytes);
            model.push({ key, bytes });
            while (model.reduce((sum, one) => sum + one.bytes, 0) > 20) model.shift();
          }
          expect([...map]).toEqual(model.map((one) => [one.key, one.bytes]));
        }
      }),
    );
  });
});
