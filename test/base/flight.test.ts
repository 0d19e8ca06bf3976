import { describe, expect, it } from 'vitest';
import { abortable, delay } from '../../src/base/abort.ts';
import { SingleFlight } from '../../src/base/single-flight.ts';

const never = new AbortController().signal;
const gone = AbortSignal.abort(new Error('gone'));

/** Returns work that ends when the test says so. */
function work() {
  const started: AbortSignal[] = [];
  let settle: { resolve: (value: string) => void; reject: (error: Error) => void } | undefined;
  const start = (signal: AbortSignal) => {
    started.push(signal);
    return new Promise<string>((resolve, reject) => {
      settle = { resolve, reject };
    });
  };
  return {
    start,
    started,
    resolve: (value: string) => settle?.resolve(value),
    reject: (error: Error) => settle?.reject(error),
  };
}

describe('the same work at the same time', () => {
  it('is done once for all who ask', async () => {
    const flights = new SingleFlight<string>();
    const { start, started, resolve } = work();
    const all = [1, 2, 3].map(() => flights.run('a', never, start));
    expect(flights.has('a')).toBe(true);
    resolve('done');
    expect(await Promise.all(all)).toEqual(['done', 'done', 'done']);
    expect(started).toHaveLength(1);
    expect(flights.has('a')).toBe(false);
  });

  it('is told apart by its key, and done anew afterwards', async () => {
    const flights = new SingleFlight<string>();
    let count = 0;
    const start = () => Promise.resolve(`${++count}`);
    expect(await Promise.all([flights.run('a', never, start), flights.run('b', never, start)])).toEqual(['1', '2']);
    expect(await flights.run('a', never, start)).toBe('3');
  });

  it('fails for all who ask, and is tried again afterwards', async () => {
    const flights = new SingleFlight<string>();
    const { start, reject } = work();
    const all = [1, 2].map(() => flights.run('a', never, start));
    reject(new Error('no'));
    expect(await Promise.allSettled(all)).toMatchObject([{ reason: { message: 'no' } }, { reason: { message: 'no' } }]);
    expect(await flights.run('a', never, () => Promise.resolve('yes'))).toBe('yes');
  });

  it('goes on while one still waits', async () => {
    const flights = new SingleFlight<string>();
    const { start, started, resolve } = work();
    const leaver = new AbortController();
    const left = flights.run('a', leaver.signal, start);
    const stayed = flights.run('a', never, start);
    leaver.abort(new Error('gone'));
    await expect(left).rejects.toThrow('gone');
    expect(started[0]?.aborted).toBe(false);
    resolve('done');
    expect(await stayed).toBe('done');
  });

  it('is given up when nobody waits, and started anew for who comes then', async () => {
    const flights = new SingleFlight<string>();
    const first = work();
    const leaver = new AbortController();
    const left = flights.run('a', leaver.signal, first.start);
    leaver.abort(new Error('gone'));
    await expect(left).rejects.toThrow('gone');
    expect(first.started[0]?.aborted).toBe(true);
    const second = work();
    const run = flights.run('a', never, second.start);
    first.reject(new Error('late'));
    await Promise.resolve();
    expect(flights.has('a')).toBe(true);
    second.resolve('done');
    expect(await run).toBe('done');
  });

  it('does not begin for who is gone', async () => {
    const flights = new SingleFlight<string>();
    const { start, started } = work();
    await expect(flights.run('a', gone, start)).rejects.toThrow('gone');
    expect(started).toEqual([]);
  });
});

describe('waiting ends with the signal', () => {
  it('of work', async () => {
    const { start } = work();
    const controller = new AbortController();
    const waiting = abortable(start(never), controller.signal);
    controller.abort(new Error('gone'));
    await expect(waiting).rejects.toThrow('gone');
    await expect(abortable(Promise.reject(new Error('late')), gone)).rejects.toThrow('gone');
  });

  it('of work that ends first', async () => {
    expect(await abortable(Promise.resolve(1), never)).toBe(1);
    await expect(abortable(Promise.reject(new Error('no')), never)).rejects.toThrow('no');
  });

  it('of time', async () => {
    await delay(1, never);
    const controller = new AbortController();
    const waiting = delay(60_000, controller.signal);
    controller.abort(new Error('gone'));
    await expect(waiting).rejects.toThrow('gone');
    await expect(delay(60_000, gone)).rejects.toThrow('gone');
  });
});
