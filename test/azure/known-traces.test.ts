import { describe, expect, it } from 'vitest';
import type { KnownRequest } from '../../src/azure/vault/known-request.ts';
import { manualClock } from '../support/clocks.ts';
import { HOUR, memoryOf, REQUEST } from '../support/known.ts';
import { fetchedSecret } from '../support/mount.ts';

const NONE = 'this node has no last known value of it for this identity';

function memory(maxStaleMs = HOUR, maxBytes = 64 * 1024) {
  const { clock, sweeper, known } = memoryOf({ maxStaleMs, maxBytes }, manualClock(Date.parse('2026-11-29T10:21:59Z')));
  const keep = (more: Partial<KnownRequest<'read'>> = {}, text = 'x') =>
    known.keep({ ...REQUEST, ...more }, fetchedSecret(text));
  const whyNot = (more: Partial<KnownRequest> = {}, maxAgeMs = Number.POSITIVE_INFINITY) =>
    known.whyNot({ ...REQUEST, ...more }, maxAgeMs);
  return { clock, sweeper, known, keep, whyNot };
}

describe('a value that is not served', () => {
  it('is too old: its date is told, which outlives it, whatever the wall clock says since', () => {
    const { clock, sweeper, known, keep, whyNot } = memory();
    keep();
    for (const offBy of [0, -24 * HOUR, 24 * HOUR]) {
      clock.time += HOUR;
      clock.offBy = offBy;
      sweeper.sweep();
      expect(known.find(REQUEST)).toBeUndefined();
      expect(whyNot()).toBe(
        'the last known value was read at 2026-11-29T10:21Z, which is longer ago than --max-stale (1h) allows; ' +
          'a larger --max-stale covers longer outages',
      );
    }
  });

  it('is older than the volume allows', () => {
    const { clock, keep, whyNot } = memory();
    keep();
    clock.time += 90_000;
    expect(whyNot({}, 90_000)).toBe(
      'the last known value was read at 2026-11-29T10:21Z, which is longer ago than maxAge (1m30s) allows',
    );
  });

  it('came from an earlier process: its date is that of its reading', () => {
    const { clock, known, whyNot } = memory();
    known.load({ ...REQUEST, value: fetchedSecret('x'), ageMs: HOUR / 2, heldMs: HOUR / 2 });
    clock.time += HOUR / 2;
    expect(whyNot()).toContain('read at 2026-11-29T09:51Z');
  });

  it('is the latest of several versions, or an earlier one: each has the date of its own reading', () => {
    const { clock, keep, known, whyNot } = memory();
    for (const version of ['', '0123', '']) {
      keep({ version });
      clock.time += 60_000;
    }
    expect([whyNot({ version: '' }, 1), whyNot({ version: '0123' }, 1)]).toEqual([
      expect.stringContaining('read at 2026-11-29T10:23Z'),
      expect.stringContaining('read at 2026-11-29T10:22Z'),
    ]);
    known.erase({ ...REQUEST, version: '' });
    expect([whyNot({ version: '' }, 1), whyNot({ version: '0123' }, 1)]).toEqual([
      NONE,
      expect.stringContaining('read at 2026-11-29T10:22Z'),
    ]);
  });

  it.each<[string, string, string, string]>([
    ['the current one', '', '0123', 'the current version'],
    ['a named one', '0123', '', 'version 0123'],
    ['a named one', '0123', '4567', 'version 0123'],
  ])('is of another version request: %s', (_, kept, asked, which) => {
    const { keep, whyNot } = memory();
    keep({ version: kept });
    expect(whyNot({ version: asked })).toBe(
      `the last known value of it is for a request of ${which}, and is served for that one only`,
    );
  });

  it('was displaced, or is too large', () => {
    const { keep, known, whyNot } = memory();
    keep({}, 'x'.repeat(60_000));
    expect(known.find(REQUEST)).toBeUndefined();
    expect(whyNot()).toContain('no longer kept');
  });

  it('was refused by the vault, or belongs to another principal, vault or object: nothing is told of it', () => {
    const { known, keep, whyNot } = memory();
    keep();
    const others: Partial<KnownRequest>[] = [
      { principal: 'q' },
      { vaultUrl: 'https://w' },
      { name: 'b' },
      { type: 'key' },
    ];
    expect(others.map((other) => whyNot(other))).toEqual(others.map(() => NONE));
    known.erase(REQUEST);
    expect([whyNot(), whyNot({ version: '1' })]).toEqual([NONE, NONE]);
  });

  it('is not explained where last known values are off', () => {
    expect(memory(0).whyNot()).toBeUndefined();
  });

  it('is remembered, however many values another principal reads', () => {
    const { keep, whyNot } = memory();
    keep();
    for (let i = 0; i < 3000; i++) keep({ principal: 'thief', name: `n${i}` });
    expect(whyNot()).not.toBe(NONE);
    expect(whyNot({ principal: 'thief', name: 'n0' })).toBe(NONE);
  });
});
