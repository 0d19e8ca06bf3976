import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SharedReads } from '../../src/azure/vault/shared-reads.ts';
import { Sweeper } from '../../src/base/sweeper.ts';
import { manualClock } from '../support/clocks.ts';

const MEBIBYTE = 1024 * 1024;

/** Returns a cache of reads of numbers, each of which is its own size in bytes, and the keys that were read. */
function readsOf({ chance = 0, maxBytes }: { chance?: number; maxBytes?: number } = {}) {
  const clock = manualClock();
  const sweeper = new Sweeper(clock);
  const reads = new SharedReads<number>(sweeper, (bytes) => bytes, { random: () => chance, maxBytes });
  const keep = (key: string, { owner = 'o', ttlMs = 1000, bytes = 10 } = {}) =>
    reads.keep(key, bytes, { owner, ttlMs });
  const kept = (owner: string, of: number) =>
    Array.from({ length: of }, (_, i) => reads.find(`${owner} ${i}`)).filter((value) => value !== undefined).length;
  return { clock, sweeper, reads, keep, kept };
}

describe('a value that was read', () => {
  it.each([0, 0.5, 0.999])('answers for its time, less a part by chance (%s), never longer', (chance) => {
    const { clock, reads, keep } = readsOf({ chance });
    keep('key');
    clock.time += 899;
    expect(reads.find('key')).toBe(10);
    clock.time += 101;
    expect(reads.find('key')).toBeUndefined();
  });

  it('expires early by chance, so that values read together are not read again together', () => {
    const { clock, reads, keep } = readsOf({ chance: 0.999 });
    keep('key');
    clock.time += 901;
    expect(reads.find('key')).toBeUndefined();
  });

  it('is not kept with a time of 0, and takes the place of an earlier one all the same', () => {
    const { reads, keep } = readsOf();
    keep('key');
    keep('key', { ttlMs: 0 });
    expect(reads.find('key')).toBeUndefined();
  });

  it('leaves memory when it has expired and is swept', () => {
    const { clock, sweeper, keep } = readsOf();
    keep('short');
    keep('long', { ttlMs: 5000 });
    clock.time += 2000;
    expect(sweeper.size).toBe(2);
    sweeper.sweep();
    expect(sweeper.size).toBe(1);
  });

  it('is not kept where it takes more than an eighth of all', () => {
    const { reads, keep } = readsOf();
    keep('large', { bytes: (3 * MEBIBYTE) / 8 });
    keep('too large', { bytes: (3 * MEBIBYTE) / 8 + 1 });
    expect([reads.find('large') === undefined, reads.find('too large') === undefined]).toEqual([false, true]);
  });
});

describe('values that do not fit together', () => {
  it('go by their last use', () => {
    const { reads, keep } = readsOf();
    const bytes = (3 * MEBIBYTE) / 8;
    for (let i = 0; i < 8; i++) keep(`${i}`, { bytes });
    reads.find('0');
    keep('8', { bytes });
    expect(['0', '1', '8'].map((key) => reads.find(key) !== undefined)).toEqual([true, false, true]);
  });

  it('are fewer in a smaller cache', () => {
    const { reads, keep } = readsOf({ maxBytes: MEBIBYTE });
    for (const key of ['0', '1', '2']) for (let i = 0; i < 4; i++) keep(`${key} ${i}`, { bytes: MEBIBYTE / 8 });
    expect(reads.find('0 3')).toBeUndefined();
    expect(reads.find('1 0')).toBe(MEBIBYTE / 8);
    keep('large', { bytes: MEBIBYTE / 8 + 1 });
    expect(reads.find('large')).toBeUndefined();
  });

  it('go where the owner holds most, however much one owner reads', () => {
    const { reads, keep, kept } = readsOf();
    for (let i = 0; i < 50; i++) keep(`small ${i}`, { owner: 'small', bytes: 1000 });
    for (let i = 0; i < 20; i++) keep(`middle ${i}`, { owner: 'middle', bytes: 9000 });
    for (let i = 0; i < 1000; i++) keep(`large ${i}`, { owner: 'large', bytes: 9000 });
    expect([kept('small', 50), kept('middle', 20)]).toEqual([50, 20]);
    expect(kept('large', 1000) * 9000).toBeGreaterThan(2.5 * MEBIBYTE);
    expect(reads.find('large 999')).toBe(9000);
    expect(reads.find('large 0')).toBeUndefined();
  });

  it('go from an owner that holds more than its part, never from one that holds less', () => {
    const wishes = fc.array(
      fc.record({ owner: fc.nat(3), key: fc.nat(300), bytes: fc.integer({ min: 1, max: 300_000 }) }),
    );
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 700_000 }), wishes, (own, others) => {
        const { keep, reads } = readsOf();
        // With four other owners, an even share is a fifth of all.
        const part = Math.min(own, (3 * MEBIBYTE) / 5 - 1);
        const keys = [0, 1].map((i) => `own ${i}`);
        for (const key of keys) keep(key, { owner: 'own', bytes: Math.floor(part / 2) });
        for (const { owner, key, bytes } of others) keep(`${owner} ${key}`, { owner: `${owner}`, bytes });
        for (const key of keys) expect(reads.find(key)).toBeDefined();
      }),
    );
  });

  it('are kept in equal shares where each owner would take all', () => {
    const { keep, kept } = readsOf();
    const owners = ['a', 'b', 'c', 'd'];
    for (const owner of owners) for (let i = 0; i < 400; i++) keep(`${owner} ${i}`, { owner, bytes: 9000 });
    for (const owner of owners) {
      expect(Math.abs(kept(owner, 400) * 9000 - (3 * MEBIBYTE) / 4)).toBeLessThan(2 * 9000);
    }
  });
});
