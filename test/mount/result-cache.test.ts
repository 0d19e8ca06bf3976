import { describe, expect, it } from 'vitest';
import { Sweeper } from '../../src/base/sweeper.ts';
import { ResultCache } from '../../src/mount/convert/result-cache.ts';
import { error, failureOf, manualClock } from '../support/mount.ts';

const MINUTE = 60_000;
const patient = () => new AbortController().signal;

/** Returns a cache of buffers and the keys for which buffers were made. */
function cacheOf(maxBytes = 80_000) {
  const clock = manualClock();
  const cache = new ResultCache<Buffer>(new Sweeper(clock), {
    maxBytes,
    idleMs: 10 * MINUTE,
    sizeOf: ({ length }) => length,
  });
  const made: string[] = [];
  const ask = (key: string, size = 1) =>
    cache.once(key, patient(), async () => {
      made.push(key);
      return Buffer.alloc(size);
    });
  return { cache, clock, made, ask };
}

describe('the same work', () => {
  it('is done once for all who ask at the same time, and for those who ask later', async () => {
    const { ask, made } = cacheOf();
    const results = await Promise.all(Array.from({ length: 5 }, () => ask('a')));
    results.push(await ask('a'));
    expect(new Set(results).size).toBe(1);
    expect(made).toEqual(['a']);
  });

  it('goes on for the others where one who asked goes away', async () => {
    const { cache } = cacheOf();
    const leaves = new AbortController();
    const begun: AbortSignal[] = [];
    let finish = () => {};
    const work = (signal: AbortSignal) => {
      begun.push(signal);
      return new Promise<Buffer>((resolve) => {
        finish = () => resolve(Buffer.from('x'));
      });
    };
    const first = cache.once('a', leaves.signal, work);
    const second = cache.once('a', patient(), work);
    leaves.abort(new Error('gone'));
    await expect(first).rejects.toThrow('gone');
    finish();
    expect((await second).toString()).toBe('x');
    expect(begun.map(({ aborted }) => aborted)).toHaveLength(1);
  });

  it('ends where all who asked go away, and begins anew for the next', async () => {
    const { cache, ask, made } = cacheOf();
    const leaves = new AbortController();
    const ended = new Promise<string>((resolve) => {
      cache
        .once('a', leaves.signal, (signal) => {
          return new Promise((_, reject) => {
            signal.addEventListener('abort', () => {
              resolve('ended');
              reject(error('ERR_BAD_CONTENT', 'what an interrupted reader may say'));
            });
          });
        })
        .catch(() => {});
    });
    leaves.abort();
    expect(await ended).toBe('ended');
    await ask('a');
    expect(made).toEqual(['a']);
  });

  it('is not begun for one who is gone already', async () => {
    const { cache, made, ask } = cacheOf();
    await ask('a');
    await expect(cache.once('a', AbortSignal.abort(new Error('gone')), () => ask('b'))).rejects.toThrow('gone');
    expect(made).toEqual(['a']);
  });
});

describe('what is kept', () => {
  it('is what was used last, as far as the bytes go', async () => {
    const { ask, made } = cacheOf();
    // The cache adds 512 bytes to the size of each entry.
    for (let i = 0; i < 8; i++) await ask(`${i}`, 9_000);
    await ask('0', 9_000);
    await ask('new', 9_000);
    made.length = 0;
    await ask('0', 9_000);
    expect(made).toEqual([]);
    await ask('1', 9_000);
    expect(made).toEqual(['1']);
  });

  it('are no more than two thousand results', async () => {
    const { ask, made } = cacheOf(100_000_000);
    for (let i = 0; i <= 2000; i++) await ask(`${i}`);
    made.length = 0;
    await ask('2000');
    await ask('1');
    await ask('0');
    expect(made).toEqual(['0']);
  });

  it('is nothing that takes more than an eighth of all', async () => {
    const { ask, made } = cacheOf();
    for (const key of ['small', 'large', 'small', 'large']) await ask(key, key === 'large' ? 10_000 : 1);
    expect(made).toEqual(['small', 'large', 'large']);
  });

  it('goes when nobody wanted it for its time, however often others are wanted', async () => {
    const { ask, made, clock } = cacheOf();
    await ask('idle');
    await ask('busy');
    clock.time += 6 * MINUTE;
    await ask('busy');
    clock.time += 5 * MINUTE;
    await ask('busy');
    await ask('idle');
    expect(made).toEqual(['idle', 'busy', 'idle']);
  });

  it.each([-60 * MINUTE, 24 * 60 * MINUTE])('goes in its time where the wall clock is set by %s ms', async (byMs) => {
    const { ask, made, clock } = cacheOf();
    await ask('a');
    clock.offBy = byMs;
    clock.time += 10 * MINUTE;
    await ask('a');
    expect(made).toEqual(['a', 'a']);
  });
});

describe('work that fails', () => {
  const failing = (code: Parameters<typeof error>[0]) => {
    const { cache, clock } = cacheOf();
    let tries = 0;
    const ask = () =>
      failureOf(
        cache.once('a', patient(), async () => {
          tries++;
          throw error(code, 'no');
        }),
      );
    return { ask, clock, tries: () => tries };
  };

  it('for its content is not tried again for a minute, which asking does not prolong', async () => {
    const { ask, clock, tries } = failing('ERR_BAD_CONTENT');
    expect((await ask()).message).toBe('no');
    clock.time += MINUTE - 1;
    expect((await ask()).message).toBe('no');
    expect(tries()).toBe(1);
    clock.time += 1;
    await ask();
    expect(tries()).toBe(2);
  });

  it('is tried again after a minute, though the wall clock was set back', async () => {
    const { ask, clock, tries } = failing('ERR_BAD_CONTENT');
    await ask();
    clock.offBy = -60 * MINUTE;
    clock.time += MINUTE;
    await ask();
    expect(tries()).toBe(2);
  });

  it('for anything else is tried each time', async () => {
    const { ask, tries } = failing('ERR_INTERNAL');
    await ask();
    await ask();
    expect(tries()).toBe(2);
  });
});
