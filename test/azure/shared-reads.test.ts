import { describe, expect, it } from 'vitest';
import { SharedReads } from '../../src/azure/vault/shared-reads.ts';
import { Sweeper } from '../../src/base/sweeper.ts';
import { handClock } from '../support/clocks.ts';

const MEBIBYTE = 1024 * 1024;

/** Reads of values whose size is told by their number, with the keys of those that were read. */
function readsOf({ chance = 0 } = {}) {
  const clock = handClock();
  const sweeper = new Sweeper(clock);
  const reads = new SharedReads<number>(
    sweeper,
    (bytes) => bytes,
    () => chance,
  );
  const read = (key: string, { owner = 'o', ttlMs = 1000, bytes = 10 } = {}) =>
    reads.join(key, { owner, ttlMs }, async () => bytes).outcome;
  const kept = (owner: string, of: number) =>
    Array.from({ length: of }, (_, i) => reads.kept(`${owner} ${i}`)).filter((value) => value !== undefined).length;
  return { clock, sweeper, reads, read, kept };
}

describe('a value that was read', () => {
  it.each([0, 0.5, 0.999])('answers for its time, less a part by chance (%s), never longer', async (chance) => {
    const { clock, reads, read } = readsOf({ chance });
    await read('key');
    clock.time += 899;
    expect(reads.kept('key')).toBe(10);
    clock.time += 101;
    expect(reads.kept('key')).toBeUndefined();
  });

  it('expires early by chance, so that values read together are not read again together', async () => {
    const { clock, reads, read } = readsOf({ chance: 0.999 });
    await read('key');
    clock.time += 901;
    expect(reads.kept('key')).toBeUndefined();
  });

  it('is not kept with a time of 0, and takes the place of an earlier one all the same', async () => {
    const { reads, read } = readsOf();
    await read('key');
    await read('key', { ttlMs: 0 });
    expect(reads.kept('key')).toBeUndefined();
  });

  it('leaves memory when it has expired and is swept', async () => {
    const { clock, sweeper, read } = readsOf();
    await read('short');
    await read('long', { ttlMs: 5000 });
    clock.time += 2000;
    expect(sweeper.size).toBe(2);
    sweeper.sweep();
    expect(sweeper.size).toBe(1);
  });

  it('is not kept where it takes more than an eighth of all', async () => {
    const { reads, read } = readsOf();
    await read('large', { bytes: (3 * MEBIBYTE) / 8 });
    await read('too large', { bytes: (3 * MEBIBYTE) / 8 + 1 });
    expect([reads.kept('large') === undefined, reads.kept('too large') === undefined]).toEqual([false, true]);
  });
});

describe('values that do not fit together', () => {
  it('go by their last use', async () => {
    const { reads, read } = readsOf();
    const bytes = (3 * MEBIBYTE) / 8;
    for (let i = 0; i < 8; i++) await read(`${i}`, { bytes });
    reads.kept('0');
    await read('8', { bytes });
    expect(['0', '1', '8'].map((key) => reads.kept(key) !== undefined)).toEqual([true, false, true]);
  });

  it('go where the owner holds most, however much one owner reads', async () => {
    const { reads, read, kept } = readsOf();
    for (let i = 0; i < 50; i++) await read(`small ${i}`, { owner: 'small', bytes: 1000 });
    for (let i = 0; i < 20; i++) await read(`middle ${i}`, { owner: 'middle', bytes: 9000 });
    for (let i = 0; i < 1000; i++) await read(`large ${i}`, { owner: 'large', bytes: 9000 });
    expect([kept('small', 50), kept('middle', 20)]).toEqual([50, 20]);
    expect(kept('large', 1000) * 9000).toBeGreaterThan(2.5 * MEBIBYTE);
    expect(reads.kept('large 999')).toBe(9000);
    expect(reads.kept('large 0')).toBeUndefined();
  });

  it('are kept in equal shares where each owner would take all', async () => {
    const { read, kept } = readsOf();
    const owners = ['a', 'b', 'c', 'd'];
    for (const owner of owners) for (let i = 0; i < 400; i++) await read(`${owner} ${i}`, { owner, bytes: 9000 });
    for (const owner of owners) {
      expect(Math.abs(kept(owner, 400) * 9000 - (3 * MEBIBYTE) / 4)).toBeLessThan(2 * 9000);
    }
  });
});
