import { describe, expect, it } from 'vitest';
import { Outages } from '../../src/azure/http/outages.ts';
import { ProviderError } from '../../src/base/errors.ts';
import { Sweeper } from '../../src/base/sweeper.ts';
import { manualClock } from '../support/clocks.ts';
import { keptLog } from '../support/mount.ts';

const cause = new ProviderError('ERR_UNREACHABLE', 'away', { details: { host: 'h' } });

function hostOf() {
  const clock = manualClock();
  const { log, lines } = keptLog();
  const outages = new Outages(new Sweeper(clock), log);
  const isAway = (request: string) => outages.causeOf('h', request) === cause;
  const isDue = (request: string) => outages.isDue('h', request);
  const fail = (request: string) => outages.begin({ host: 'h', request }).failed(cause, 'p');
  return { clock, outages, lines, isAway, isDue, fail };
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
    outages.begin({ host: 'h', request: 'c' }).answered();
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
    const silent = outages.begin({ host: 'h', request: 'a' });
    outages.begin({ host: 'h', request: 'b' }).answered();
    silent.failed(cause, 'p');
    expect([isAway('a'), isAway('b')]).toEqual([true, false]);
    outages.begin({ host: 'h', request: 'b' }).answered();
    expect(isAway('a')).toBe(true);
    clock.time += 5_000;
    expect([isDue('b'), isDue('a'), isDue('a')]).toEqual([false, true, false]);
    outages.begin({ host: 'h', request: 'a' }).answered();
    expect(isAway('a')).toBe(false);
    fail('b');
    expect(isAway('a')).toBe(true);
  });
});

describe('the end of an outage', () => {
  it('is one line, with its length and the Mounts that got last known values, however rarely the host was tried', () => {
    const { clock, outages, lines, fail } = hostOf();
    fail('a');
    outages.served(cause);
    clock.time += 600_000;
    fail('b');
    outages.served(cause);
    clock.time += 5_000;
    expect(lines).toEqual([]);
    const answers = [1, 2].map(() => outages.begin({ host: 'h', request: 'a' }));
    for (const trial of answers) trial.answered();
    expect(lines).toEqual([
      { level: 'info', message: 'A host answers again', fields: { host: 'h', awaySeconds: 605, lastKnownMounts: 2 } },
    ]);
  });

  it('is told of a host that was away, not of one that leaves some requests without an answer', () => {
    const { outages, lines } = hostOf();
    const silent = outages.begin({ host: 'h', request: 'a' });
    outages.begin({ host: 'h', request: 'b' }).answered();
    silent.failed(cause, 'p');
    outages.served(cause);
    outages.begin({ host: 'h', request: 'b' }).answered();
    expect(lines).toEqual([]);
  });
});

describe('a principal that names many hosts and requests', () => {
  it('forgets its own, and none of another principal', () => {
    const { outages, lines } = hostOf();
    const of = (host: string, request: string, owner: string) => outages.begin({ host, request, owner });
    of('h', 'a', 'p').failed(cause, 'p');
    outages.served(cause);
    for (let i = 0; i < 2000; i++) of(`host-${i}`, 'a', 'thief').failed(cause, 'thief');
    // Failures of one host's requests, which the host itself does not cover.
    of('mine', 'b', 'p');
    const silent = of('mine', 'a', 'p');
    of('mine', 'b', 'p').answered();
    silent.failed(cause, 'p');
    for (let i = 0; i < 2000; i++) {
      const other = of('mine', `${i}`, 'thief');
      of('mine', 'b', 'p').answered();
      other.failed(cause, 'thief');
    }
    expect([outages.causeOf('h', 'a'), outages.causeOf('mine', 'a')]).toEqual([cause, cause]);
    expect(outages.causeOf('host-0', 'a')).toBeUndefined();
    of('h', 'a', 'p').answered();
    expect(lines).toHaveLength(1);
  });

  it('that no identity has proven is remembered by its host alone', () => {
    const { outages } = hostOf();
    const silent = outages.begin({ host: 'h', request: 'a' });
    outages.begin({ host: 'h', request: 'b' }).answered();
    silent.failed(cause);
    expect(outages.causeOf('h', 'a')).toBeUndefined();
  });
});
