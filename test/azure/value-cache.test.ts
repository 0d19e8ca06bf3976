import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { ValueCache } from '../../src/azure/vault/value-cache.ts';
import { clockOf } from '../support/clocks.ts';

const MiB = 1024 * 1024;
let now = 0;
const clock = clockOf(() => now);
beforeEach(() => {
  now = 0;
});

describe('the value cache', () => {
  it.each([0, 0.5, 0.999])('answers for its time, less a part by chance (%s), never longer', (chance) => {
    const cache = new ValueCache<string>(clock, () => chance);
    cache.set('key', 'value', { owner: 'o', ttlMs: 1000, bytes: 10 });
    now = 799;
    expect(cache.get('key')).toBe('value');
    now = 1000;
    expect(cache.get('key')).toBeUndefined();
  });

  it('keeps nothing with a time of 0, and forgets what was there before', () => {
    const cache = new ValueCache<string>(clock);
    cache.set('key', 'old', { owner: 'o', ttlMs: 1000, bytes: 10 });
    cache.set('key', 'new', { owner: 'o', ttlMs: 0, bytes: 10 });
    expect(cache.get('key')).toBeUndefined();
  });

  it('lets go of what is past its time when it is swept', () => {
    const cache = new ValueCache<string>(clock, () => 0);
    cache.set('short', 'a', { owner: 'o', ttlMs: 1000, bytes: 10 });
    cache.set('long', 'b', { owner: 'o', ttlMs: 5000, bytes: 10 });
    now = 2000;
    cache.sweep();
    now = 0;
    expect([cache.get('short'), cache.get('long')]).toEqual([undefined, 'b']);
  });

  it('drops what is unused for longest when it is full', () => {
    const cache = new ValueCache<string>(clock);
    const bytes = (3 * MiB) / 8;
    for (let i = 0; i < 8; i++) cache.set(`${i}`, 'v', { owner: 'o', ttlMs: 1000, bytes });
    cache.get('0');
    cache.set('8', 'v', { owner: 'o', ttlMs: 1000, bytes });
    expect(cache.get('0')).toBe('v');
    expect(cache.get('1')).toBeUndefined();
    expect(cache.get('8')).toBe('v');
  });

  it('takes the room from whom holds most, however much somebody reads', () => {
    const cache = new ValueCache<string>(clock);
    const keep = (owner: string, key: string, bytes: number) => cache.set(key, 'v', { owner, ttlMs: 1000, bytes });
    for (let i = 0; i < 50; i++) keep('small', `small ${i}`, 1000);
    for (let i = 0; i < 20; i++) keep('middle', `middle ${i}`, 9000);
    for (let i = 0; i < 1000; i++) keep('large', `large ${i}`, 9000);
    const kept = (owner: string, of: number) =>
      Array.from({ length: of }, (_, i) => cache.get(`${owner} ${i}`)).filter((value) => value !== undefined).length;
    expect([kept('small', 50), kept('middle', 20)]).toEqual([50, 20]);
    expect(kept('large', 1000) * 9000).toBeGreaterThan(2.5 * MiB);
    expect(cache.get('large 999')).toBe('v');
    expect(cache.get('large 0')).toBeUndefined();
  });

  it('shares its room evenly between those who would take all of it', () => {
    const cache = new ValueCache<string>(clock);
    const owners = ['a', 'b', 'c', 'd'];
    for (const owner of owners) {
      for (let i = 0; i < 400; i++) cache.set(`${owner} ${i}`, 'v', { owner, ttlMs: 1000, bytes: 9000 });
    }
    for (const owner of owners) {
      const kept = Array.from({ length: 400 }, (_, i) => cache.get(`${owner} ${i}`)).filter((v) => v !== undefined);
      expect(Math.abs(kept.length * 9000 - (3 * MiB) / 4)).toBeLessThan(2 * 9000);
    }
  });

  it('shows no value when it is printed', () => {
    const cache = new ValueCache<string>(clock);
    cache.set('key', 'a secret', { owner: 'o', ttlMs: 1000, bytes: 10 });
    expect(JSON.stringify([...Object.values(cache)])).not.toContain('a secret');
  });

  it('is bounded by bytes and tells of a key only what was last set', () => {
    const step = fc.record({
      key: fc.nat(20),
      bytes: fc.nat(2 * MiB),
      ttlMs: fc.nat(50),
      passes: fc.nat(10),
      read: fc.boolean(),
      owner: fc.constantFrom('a', 'b', 'c'),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        now = 0;
        const cache = new ValueCache<{ bytes: number; until: number }>(clock);
        const last = new Map<string, object>();
        for (const { key, bytes, ttlMs, passes, read, owner } of steps) {
          now += passes;
          if (read) {
            const found = cache.get(`${key}`);
            if (found !== undefined) {
              expect(found).toBe(last.get(`${key}`));
              expect(found.until).toBeGreaterThan(now);
            }
          } else {
            const value = { bytes, until: now + ttlMs };
            last.set(`${key}`, value);
            cache.set(`${key}`, value, { owner, ttlMs, bytes });
          }
        }
        const kept = Array.from({ length: 21 }, (_, key) => cache.get(`${key}`)?.bytes ?? 0);
        expect(kept.reduce((sum, bytes) => sum + bytes, 0)).toBeLessThanOrEqual(3 * MiB);
      }),
    );
  });
});
