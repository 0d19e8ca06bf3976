import { execFileSync } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { keepHeapSmall, v8Engine } from '../../src/cli/heap.ts';
import { ended, MOUNT, VERSION } from './calls.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function keeper(steps = 1) {
  const flags: string[] = [];
  const told: string[] = [];
  const meter = { callStarted: (method: string) => told.push(`+${method}`), callEnded: () => told.push('-') };
  const collect = vi.fn();
  const erase = vi.fn();
  const trim = vi.fn();
  const mayGrow = vi.fn(() => false);
  const erasure = Array.from({ length: steps }, () => erase);
  const kept = keepHeapSmall(meter, { setFlag: (flag) => void flags.push(flag), mayGrow, collect, erasure });
  const heap = { ...kept, begin: () => kept.begin(trim) };
  /** Flags set since the last look. */
  const news = () => flags.splice(0);
  return { heap, told, news, mayGrow, collect, erase, trim };
}

describe('the heap', () => {
  it('is collected once for all Mounts that end in one turn, also while others run', () => {
    const { heap, collect } = keeper();
    heap.discarded();
    vi.runAllTimers();
    expect(collect).not.toHaveBeenCalled();
    heap.begin();
    heap.meter.callStarted(MOUNT);
    heap.discarded();
    heap.discarded();
    vi.runAllTimers();
    expect(collect).toHaveBeenCalledTimes(1);
    heap.discarded();
    heap.close();
    vi.runAllTimers();
    expect(collect).toHaveBeenCalledTimes(1);
  });

  it('is followed by the heap of the C library, after each collection', () => {
    const { heap, collect, erase, trim } = keeper();
    heap.begin();
    heap.meter.callStarted(MOUNT);
    heap.discarded();
    vi.runAllTimers();
    heap.meter.callEnded(ended(MOUNT));
    vi.advanceTimersByTime(2_000);
    heap.dropped();
    const order = (mock: typeof trim) => mock.mock.invocationCallOrder;
    const [first = 0, second = 0, third = 0] = [...order(collect), ...order(erase)];
    expect(order(trim)).toEqual([first + 1, second + 1, third + 1]);
  });

  it('grows by small steps when it is large, to the next rest', () => {
    const { heap, news } = keeper();
    heap.begin();
    vi.advanceTimersByTime(2_000);
    heap.meter.callStarted(MOUNT);
    expect(news().slice(-1)).toEqual(['--no-optimize-for-size']);
    heap.large();
    expect(news()).toEqual(['--optimize-for-size']);
    heap.meter.callEnded(ended(MOUNT));
    heap.meter.callStarted(MOUNT);
    expect(news()).toEqual([]);
    heap.meter.callEnded(ended(MOUNT));
    vi.advanceTimersByTime(2_000);
    news();
    heap.meter.callStarted(MOUNT);
    expect(news()).toEqual(['--no-optimize-for-size']);
  });

  it('has flags that the V8 of this Node knows, of which some optimise late', () => {
    const { heap, news } = keeper();
    heap.begin();
    const flags = [...news(), '--optimize-for-size', '--semi-space-growth-factor=2'];
    expect(flags.filter((flag) => /invocation-count|interrupt-budget/.test(flag))).toHaveLength(1);
    expect(execFileSync(process.execPath, [...flags, '--print', '"known"'], { encoding: 'utf8' })).toBe('known\n');
  });

  it('is small at rest and free to breathe while Mounts come', () => {
    const { heap, told, news } = keeper();
    heap.begin();
    expect(news()).toContain('--heap-growing-percent=20');
    vi.advanceTimersByTime(2_000);
    expect(news()).toEqual(['--optimize-for-size']);
    heap.meter.callStarted(MOUNT);
    expect(news()).toEqual(['--no-optimize-for-size']);
    heap.meter.callStarted(MOUNT);
    heap.meter.callEnded(ended(MOUNT));
    vi.advanceTimersByTime(60_000);
    heap.meter.callEnded(ended(MOUNT));
    vi.advanceTimersByTime(1_999);
    expect(news()).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(news()).toEqual(['--optimize-for-size']);
    expect(told).toEqual([`+${MOUNT}`, `+${MOUNT}`, '-', '-']);
  });

  it('gets more space for new objects while Mounts come, up to a bound and to the next rest', () => {
    const { heap, news, mayGrow } = keeper();
    mayGrow.mockReturnValue(true);
    heap.begin();
    vi.advanceTimersByTime(2_000);
    news();
    heap.meter.callStarted(MOUNT);
    expect(news()).toEqual(['--no-optimize-for-size', '--semi-space-growth-factor=2']);
    vi.advanceTimersByTime(60_000);
    expect(news()).toEqual([]);
    mayGrow.mockReturnValue(false);
    vi.advanceTimersByTime(10);
    expect(news()).toEqual(['--semi-space-growth-factor=1']);
    heap.meter.callEnded(ended(MOUNT));
    mayGrow.mockReturnValue(true);
    heap.meter.callStarted(MOUNT);
    heap.meter.callEnded(ended(MOUNT));
    expect(news()).toEqual(['--semi-space-growth-factor=2']);
    vi.advanceTimersByTime(2_000);
    expect(news()).toEqual(['--semi-space-growth-factor=1', '--optimize-for-size']);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('gets it also for Mounts that began before all was loaded, and not after the end', () => {
    const { heap, news, mayGrow } = keeper();
    mayGrow.mockReturnValue(true);
    heap.meter.callStarted(MOUNT);
    expect(news()).toEqual([]);
    heap.begin();
    expect(news().slice(-1)).toEqual(['--semi-space-growth-factor=2']);
    heap.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('goes on breathing where the next Mount comes soon', () => {
    const { heap, news } = keeper();
    heap.begin();
    vi.advanceTimersByTime(2_000);
    for (let i = 0; i < 5; i++) {
      heap.meter.callStarted(MOUNT);
      heap.meter.callEnded(ended(MOUNT));
      vi.advanceTimersByTime(1_500);
    }
    expect(news().slice(-1)).toEqual(['--no-optimize-for-size']);
    vi.advanceTimersByTime(500);
    expect(news()).toEqual(['--optimize-for-size']);
  });

  it('stays as it is before all is loaded, and for calls that are no Mount', () => {
    const { heap, news } = keeper();
    heap.meter.callStarted(VERSION);
    heap.meter.callEnded(ended(VERSION));
    heap.meter.callStarted(MOUNT);
    vi.advanceTimersByTime(10_000);
    expect(news()).toEqual([]);
    heap.begin();
    expect(news()).not.toContain('--optimize-for-size');
    heap.meter.callEnded(ended(MOUNT));
    vi.advanceTimersByTime(10_000);
    expect(news()).toEqual(['--optimize-for-size']);
    heap.meter.callStarted(VERSION);
    expect(news()).toEqual([]);
  });

  it('is left alone after the end', () => {
    const { heap, news } = keeper();
    heap.begin();
    heap.meter.callStarted(MOUNT);
    heap.meter.callEnded(ended(MOUNT));
    heap.close();
    news();
    vi.advanceTimersByTime(10_000);
    expect(news()).toEqual([]);
  });

  it('is erased after the last Mount, and when caches have dropped something at rest', () => {
    const { heap, erase } = keeper();
    const erased = () => {
      const { length } = erase.mock.calls;
      erase.mockClear();
      return length;
    };
    heap.dropped();
    expect(erased(), 'before all is loaded').toBe(0);
    heap.begin();
    vi.advanceTimersByTime(2_000);
    expect(erased(), 'after all is loaded').toBe(1);
    heap.dropped();
    expect(erased(), 'at rest').toBe(1);
    heap.meter.callStarted(MOUNT);
    heap.dropped();
    heap.meter.callEnded(ended(MOUNT));
    heap.dropped();
    expect(erased(), 'during a Mount and just after it').toBe(0);
    vi.advanceTimersByTime(2_000);
    expect(erased(), 'at the beginning of the rest').toBe(1);
  });

  it('is erased in steps that are apart, which a Mount ends, and which begin again when caches have dropped something', () => {
    const { heap, erase, trim } = keeper(3);
    const steps = () => erase.mock.calls.length;
    heap.begin();
    vi.advanceTimersByTime(2_000);
    expect([steps(), trim.mock.calls.length]).toEqual([1, 1]);
    vi.advanceTimersByTime(99);
    expect(steps()).toBe(1);
    vi.advanceTimersByTime(1);
    expect([steps(), trim.mock.calls.length]).toEqual([2, 2]);
    heap.meter.callStarted(MOUNT);
    vi.advanceTimersByTime(60_000);
    expect(steps(), 'during a Mount').toBe(2);
    heap.meter.callEnded(ended(MOUNT));
    vi.advanceTimersByTime(2_100);
    expect(steps()).toBe(4);
    heap.dropped();
    vi.advanceTimersByTime(60_000);
    expect(steps()).toBe(7);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is erased after Mounts that ended before all was loaded', () => {
    const { heap, erase } = keeper();
    heap.meter.callStarted(MOUNT);
    heap.meter.callEnded(ended(MOUNT));
    heap.begin();
    expect(erase).not.toHaveBeenCalled();
    vi.advanceTimersByTime(2_000);
    expect(erase).toHaveBeenCalledTimes(1);
  });

  it('loses what nothing refers to', async () => {
    const heap = keepHeapSmall({ callStarted() {}, callEnded() {} }, v8Engine(0));
    heap.begin(() => {});
    vi.advanceTimersByTime(2_000);
    vi.useRealTimers();
    const made = () => new WeakRef({ value: 'hunter2' });
    const reference = made();
    await new Promise<void>((resolve) => setImmediate(resolve));
    heap.dropped();
    expect(reference.deref()).toBeUndefined();
  });
});
