import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { msUntil, systemClock } from '../../src/base/clock.ts';
import { type Budget, startBudget } from '../../src/mount/deadline.ts';
import { Progress } from '../../src/mount/pending-waits.ts';
import { failureOf } from '../support/mount.ts';

const clock = systemClock;

beforeEach(() => void vi.useFakeTimers({ now: 1_000_000 }));
afterEach(() => void vi.useRealTimers());

/** Returns a budget for a caller with a timeout of `givenMs`. */
function budgetOf(givenMs: number, progress = new Progress(clock)): Budget & { readonly caller: AbortController } {
  const caller = new AbortController();
  const call = { timeoutMs: givenMs, signal: caller.signal };
  return { ...startBudget(call, { clock, progress }), caller };
}

describe('the time of a Mount', () => {
  it.each([
    ['a tenth less than the caller gives', 20_000, 18_000],
    ['at most five seconds less', 120_000, 115_000],
    ['at least 100 ms less', 500, 400],
    ['nothing where less than 100 ms are left', 60, 0],
    ['nothing where the deadline has passed', -5_000, 0],
    ['12 s where the caller sets no deadline', Number.POSITIVE_INFINITY, 12_000],
    ['much where the caller gives much', 40 * 24 * 3_600_000, 40 * 24 * 3_600_000 - 5_000],
  ])('is %s', (_, givenMs, expectedMs) => {
    const { deadlineAt, dispose } = budgetOf(givenMs);
    expect(msUntil(clock, deadlineAt)).toBe(expectedMs);
    dispose();
  });

  it('ends at the bound, not before', () => {
    const { signal } = budgetOf(20_000);
    vi.advanceTimersByTime(17_999);
    expect(signal.aborted).toBe(false);
    vi.advanceTimersByTime(1);
    expect(signal.reason).toMatchObject({ code: 'ERR_TIMEOUT' });
  });

  it('does not end at once where it is longer than a timer can be', () => {
    const { signal, dispose } = budgetOf(40 * 24 * 3_600_000);
    vi.advanceTimersByTime(1000);
    expect(signal.aborted).toBe(false);
    dispose();
  });

  it('ends when the caller goes away', () => {
    const { signal, caller } = budgetOf(20_000);
    caller.abort();
    expect(signal.reason).toMatchObject({ code: 'ERR_CANCELLED' });
  });

  it('is over before it begins where the caller is gone already', () => {
    const call = { timeoutMs: 20_000, signal: AbortSignal.abort() };
    const { signal } = startBudget(call, { clock, progress: new Progress(clock) });
    expect(signal.reason).toMatchObject({ code: 'ERR_CANCELLED' });
  });

  it('stands still after the answer', () => {
    const { signal, dispose, caller } = budgetOf(20_000);
    dispose();
    vi.advanceTimersByTime(60_000);
    caller.abort();
    expect(signal.aborted).toBe(false);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('the message at the bound', () => {
  const never = new Promise<never>(() => {});
  /** Returns the error of a budget of ten seconds that has waited for hosts for some seconds. */
  async function timeout(
    waits: readonly (readonly ['entra' | 'imds' | 'nmi' | 'token-proxy' | 'vault', string, number])[],
    givenMs = 10_000,
  ) {
    const progress = new Progress(clock);
    const { signal } = budgetOf(givenMs, progress);
    let now = 0;
    for (const [phase, host, sinceMs] of waits) {
      vi.advanceTimersByTime(sinceMs - now);
      now = sinceMs;
      void progress.during({ phase, host }, never);
    }
    vi.advanceTimersByTime(100_000);
    return failureOf(() => signal.throwIfAborted());
  }

  it('names phase and host of what is waited for, and what to check', async () => {
    const { message, details } = await timeout([['vault', 'kv.vault.azure.net', 2000]]);
    expect(message).toBe(
      "failed to mount objects, error: context deadline exceeded: timed out (the caller's deadline), " +
        'waiting for the vault at kv.vault.azure.net; ' +
        'check the route from the node to the vault: DNS, firewall, private endpoint, proxy',
    );
    expect(details).toEqual({ phase: 'vault', host: 'kv.vault.azure.net' });
  });

  it('is the same whatever the deadline was, and how long each wait took', async () => {
    const waits = (at: readonly number[]) =>
      (
        [
          ['vault', 'kv'],
          ['entra', 'login'],
        ] as const
      ).map(([phase, host], index) => [phase, host, at[index] ?? 0] as const);
    const { message } = await timeout(waits([1000, 2000]));
    expect((await timeout(waits([10, 2500]), 9_973)).message).toBe(message);
    expect((await timeout(waits([300, 400]), 89_997)).message).toBe(message);
  });

  it('names several, and a host once; the details are those of the longest wait', async () => {
    const { message, details } = await timeout([
      ['vault', 'kv', 1000],
      ['vault', 'kv', 2000],
      ['entra', 'login', 3000],
    ]);
    expect(message).toContain('waiting for Entra ID at login and the vault at kv; ');
    expect(details.phase).toBe('vault');
  });

  it.each([
    ['imds', /the managed identity endpoint IMDS; .*169\.254\.169\.254/],
    ['nmi', /pod identity's NMI at IMDS; .*NMI runs/],
    ['entra', /Entra ID at IMDS; .*Entra ID/],
    ['token-proxy', /the cluster's token proxy at IMDS; .*API server of the cluster/],
  ] as const)('has a next step for %s', async (phase, words) => {
    expect((await timeout([[phase, 'IMDS', 100]])).message).toMatch(words);
  });

  it('says so where the caller set no deadline', async () => {
    const { message } = await timeout([], Number.POSITIVE_INFINITY);
    expect(message).toContain('timed out (its own limit of 12 s, since the caller set no deadline)');
  });

  it('adds what is known of the wait', async () => {
    const progress = new Progress(clock);
    const { signal } = budgetOf(10_000, progress);
    void progress.during({ phase: 'vault', host: 'kv', state: () => 'the vault answered 429' }, never);
    vi.advanceTimersByTime(10_000);
    expect(signal.reason.message).toContain('the vault at kv (the vault answered 429)');
  });

  it('says nothing of what is over', async () => {
    const progress = new Progress(clock);
    const { signal } = budgetOf(10_000, progress);
    await progress.during({ phase: 'entra', host: 'login' }, Promise.resolve());
    await progress.during({ phase: 'entra', host: 'login' }, Promise.reject(new Error('x'))).catch(() => {});
    vi.advanceTimersByTime(10_000);
    expect(signal.reason.message).not.toContain('login');
  });
});
