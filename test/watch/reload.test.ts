import { expect, it } from 'vitest';
import { silentLogger } from '../../src/base/log.ts';
import { Reloader, type ReloaderOptions } from '../../src/watch/reload.ts';
import type { Change } from '../../src/watch/volumes.ts';

const changeOf = (...changed: readonly string[]): Change => ({ directory: '/v', added: [], changed, removed: [] });
const FOREVER = Number.POSITIVE_INFINITY;

/** Steps that fail as often as the numbers say, and the calls and pauses that there were. */
function world(failures: Record<string, number>, options: Partial<ReloaderOptions> = {}) {
  const calls: string[] = [];
  const pauses: number[] = [];
  const errors: string[] = [];
  const steps = Object.keys(failures).map((name) => ({
    name,
    async perform(changes: readonly Change[]) {
      calls.push(`${name}(${changes.map(({ changed }) => changed.join('+')).join()})`);
      const left = failures[name] ?? 0;
      failures[name] = left - 1;
      if (left > 0) throw new Error(`${name} failed`);
    },
  }));
  const log = {
    ...silentLogger,
    error: (message: string, { error }: Record<string, unknown> = {}) => void errors.push(`${message}: ${error}`),
  };
  const wait = async (ms: number, signal: AbortSignal) => {
    pauses.push(ms);
    signal.throwIfAborted();
  };
  const signal = new AbortController().signal;
  return { calls, pauses, errors, reloader: new Reloader(steps, { log, retries: FOREVER, signal, wait, ...options }) };
}

it('performs the steps in order, once for each change', async () => {
  const { reloader, calls } = world({ run: 0, signal: 0, url: 0 });
  expect(await reloader.perform([changeOf('a')])).toBe(true);
  expect(await reloader.perform([changeOf('b')])).toBe(true);
  expect(calls).toEqual(['run(a)', 'signal(a)', 'url(a)', 'run(b)', 'signal(b)', 'url(b)']);
});

it('repeats the step that fails, with longer pauses, and performs the others once', async () => {
  const { reloader, calls, pauses } = world({ run: 0, signal: 8, url: 0 });
  expect(await reloader.perform([changeOf('a')])).toBe(true);
  expect(calls).toEqual(['run(a)', ...Array.from({ length: 9 }, () => 'signal(a)'), 'url(a)']);
  expect(pauses).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
});

it.each([0, 2])('gives up after %i repetitions, until the next change', async (retries) => {
  const { reloader, calls, errors } = world({ run: retries + 1, url: 0 }, { retries });
  expect(await reloader.perform([changeOf('a')])).toBe(false);
  expect(calls).toEqual(Array.from({ length: retries + 1 }, () => 'run(a)'));
  expect(errors.at(-1)).toBe('Reload given up until the next change: run failed');
  expect(await reloader.perform([changeOf('b')])).toBe(true);
  expect(calls.slice(retries + 1)).toEqual(['run(b)', 'url(b)']);
});

it('begins again with the first step if the files change during a pause, for all changes since the last success', async () => {
  let second: Promise<boolean> | undefined;
  const { reloader, calls, pauses } = world(
    { run: 0, url: 3 },
    {
      wait: async (_ms, signal) => {
        second ??= reloader.perform([changeOf('b')]);
        signal.throwIfAborted();
      },
    },
  );
  expect(await reloader.perform([changeOf('a')])).toBe(true);
  expect(await second).toBe(true);
  expect(calls).toEqual(['run(a)', 'url(a)', 'run(a+b)', 'url(a+b)', 'url(a+b)', 'url(a+b)']);
  expect(pauses).toEqual([]);
});

it('begins again after a step during which the files changed, and lets that step end', async () => {
  const { reloader, calls } = world({ run: 0, url: 0 });
  const first = reloader.perform([changeOf('a')]);
  const second = reloader.perform([changeOf('b')]);
  expect(await Promise.all([first, second])).toEqual([true, true]);
  expect(calls).toEqual(['run(a)', 'run(a+b)', 'url(a+b)']);
});

it('stops with the signal, also during a pause', async () => {
  const end = new AbortController();
  const wait = async (_ms: number, signal: AbortSignal) => {
    end.abort();
    signal.throwIfAborted();
  };
  const { reloader, calls } = world({ run: 5 }, { signal: end.signal, wait });
  expect(await reloader.perform([changeOf('a')])).toBe(false);
  expect(calls).toEqual(['run(a)']);
});
