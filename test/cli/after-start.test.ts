import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { afterStart } from '../../src/cli/after-start.ts';
import { ended, MOUNT, VERSION } from './calls.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Returns what happens, in order. */
function started() {
  const events: string[] = [];
  const given = { callStarted: () => void events.push('started'), callEnded: () => void events.push('ended') };
  const { meter, cancel } = afterStart(given, async () => void events.push('work'));
  return { events, meter, cancel };
}

it('starts the work with the first Mount, once', () => {
  const { events, meter } = started();
  meter.callStarted(MOUNT);
  expect(events).toEqual(['started', 'work']);
  meter.callStarted(MOUNT);
  meter.callEnded(ended(MOUNT));
  vi.runAllTimers();
  expect(events).toEqual(['started', 'work', 'started', 'ended']);
});

it('starts the work 200 ms after the first answer to another call, once', () => {
  const { events, meter } = started();
  meter.callStarted(VERSION);
  meter.callEnded(ended(VERSION));
  vi.advanceTimersByTime(150);
  meter.callEnded(ended(VERSION));
  vi.advanceTimersByTime(49);
  expect(events).toEqual(['started', 'ended', 'ended']);
  vi.advanceTimersByTime(1);
  meter.callStarted(MOUNT);
  vi.runAllTimers();
  expect(events).toEqual(['started', 'ended', 'ended', 'work', 'started']);
});

it('does not wait for the delay when a Mount comes in it', () => {
  const { events, meter } = started();
  meter.callEnded(ended(VERSION));
  meter.callStarted(MOUNT);
  vi.runAllTimers();
  expect(events).toEqual(['ended', 'started', 'work']);
});

it('never starts the work after the end', () => {
  const { events, meter, cancel } = started();
  meter.callEnded(ended(VERSION));
  cancel();
  meter.callStarted(MOUNT);
  meter.callEnded(ended(MOUNT));
  vi.runAllTimers();
  expect(events).toEqual(['ended', 'started', 'ended']);
});
