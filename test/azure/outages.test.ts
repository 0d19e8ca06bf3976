import { describe, expect, it } from 'vitest';
import { Outages } from '../../src/azure/http/outages.ts';
import { ProviderError } from '../../src/base/errors.ts';
import { Sweeper } from '../../src/base/sweeper.ts';
import { manualClock } from '../support/clocks.ts';

const cause = new ProviderError('ERR_UNREACHABLE', 'away');

function hostOf() {
  const clock = manualClock();
  const outages = new Outages(new Sweeper(clock));
  const isAway = (request: string) => outages.causeOf('h', request) === cause;
  const isDue = (request: string) => outages.isDue('h', request);
  const fail = (request: string) => outages.begin('h', request).failed(cause);
  return { clock, outages, isAway, isDue, fail };
}

describe('a host that is away', () => {
  it('is so for all of its requests, and for no other host', () => {
    const { outages, isAway, fail } = hostOf();
    fail('a');
    expect([isAway('a'), isAway('b'), outages.causeOf('other', 'a')]).toEqual([true, true, undefined]);
  });

  it('is tried by one at a time, after pauses that grow to a minute', () => {
    const { clock, isDue, fail } = hostOf();
    fail('a');
    const due: number[] = [];
    for (let second = 1; second <= 300; second++) {
      clock.time += 1000;
      if (!isDue('a')) continue;
      due.push(second);
      expect([isDue('a'), isDue('b')]).toEqual([false, false]);
      fail('a');
    }
    expect(due).toEqual([5, 15, 35, 75, 135, 195, 255]);
  });

  it('has one failure where the requests of a wave fail together', () => {
    const { clock, isDue, fail } = hostOf();
    for (let i = 0; i < 100; i++) fail(`${i}`);
    clock.time += 4_999;
    expect(isDue('0')).toBe(false);
    clock.time += 1;
    expect(isDue('0')).toBe(true);
  });

  it('is back for all of its requests when it answers one', () => {
    const { outages, isAway, fail } = hostOf();
    fail('a');
    fail('b');
    outages.begin('h', 'c').answered();
    expect([isAway('a'), isAway('b'), isAway('c')]).toEqual([false, false, false]);
  });

  it('is forgotten when nobody has tried it for a minute after its pause', () => {
    const { clock, isAway, fail } = hostOf();
    fail('a');
    clock.time += 64_999;
    expect(isAway('a')).toBe(true);
    clock.time += 1;
    expect(isAway('a')).toBe(false);
  });
});

describe('a host that answers some requests', () => {
  it('is away for the one that it does not answer, and for no other', () => {
    const { outages, isAway, isDue, clock, fail } = hostOf();
    const silent = outages.begin('h', 'a');
    outages.begin('h', 'b').answered();
    silent.failed(cause);
    expect([isAway('a'), isAway('b')]).toEqual([true, false]);
    outages.begin('h', 'b').answered();
    expect(isAway('a')).toBe(true);
    clock.time += 5_000;
    expect([isDue('b'), isDue('a'), isDue('a')]).toEqual([false, true, false]);
    outages.begin('h', 'a').answered();
    expect(isAway('a')).toBe(false);
    fail('b');
    expect(isAway('a')).toBe(true);
  });
});
