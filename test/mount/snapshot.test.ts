import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { later } from '../../src/base/clock.ts';
import { ProviderError } from '../../src/base/errors.ts';
import type { ObjectType } from '../../src/base/objects.ts';
import { Snapshot } from '../../src/mount/snapshot.ts';
import { manualClock } from '../support/clocks.ts';

const cause = new ProviderError('ERR_UNREACHABLE', 'away');
const MINUTE = 60_000;
const vaultUrl = 'https://v';

interface Given {
  readonly name: string;
  readonly type?: ObjectType;
  readonly version?: string;
  /** Milliseconds ago. */
  readonly since: number;
  readonly readAt: number;
  readonly known?: boolean;
  readonly ttlMs?: number;
}

function snapshotOf(given: readonly Given[]): Snapshot {
  const clock = manualClock();
  const snapshot = new Snapshot(clock);
  for (const { name, type = 'secret', version = '', since, readAt, ttlMs = 30_000, known = false } of given) {
    snapshot.add({
      ref: { type, name, version, vaultUrl },
      since: later(clock.steady(), -since),
      readAt: later(clock.steady(), -readAt),
      ttlMs,
      keepMs: 3 * HOUR,
      cause: known ? cause : undefined,
    });
  }
  return snapshot;
}

const outdated = (...given: readonly Given[]) => snapshotOf(given).outdated.map(({ ref }) => ref.name);
const HOUR = 60 * MINUTE;

describe('the values of a Mount', () => {
  it('fit where none has changed since the last known ones were read', () => {
    const fresh = { name: 'cert', since: 2 * HOUR, readAt: 0 };
    const known = { name: 'key', since: 3 * HOUR, readAt: HOUR / 2, known: true };
    expect(outdated(fresh, known)).toEqual([]);
    expect(snapshotOf([fresh, known]).lastKnown).toEqual([
      { ref: { type: 'secret', name: 'key', version: '', vaultUrl }, ageMs: HOUR / 2, leftMs: (5 * HOUR) / 2, cause },
    ]);
  });

  it('do not fit where a certificate is new and its key is from before', () => {
    const cert: Given = { type: 'cert', name: 'tls-crt', since: 0, readAt: 0 };
    const key = { name: 'tls-key', since: 3 * HOUR, readAt: 5 * MINUTE, known: true };
    expect(outdated(cert, key)).toEqual(['tls-key']);
    expect(outdated(key, cert)).toEqual(['tls-key']);
  });

  it('do not fit where both are last known ones, and one had changed when the other was no longer read', () => {
    const cert = { name: 'cert', since: 10 * MINUTE, readAt: 10 * MINUTE, known: true };
    expect(outdated(cert, { name: 'key', since: HOUR, readAt: 20 * MINUTE, known: true })).toEqual(['key']);
    expect(outdated(cert, { name: 'key', since: 10 * MINUTE, readAt: 10 * MINUTE + 900, known: true })).toEqual([]);
  });

  it('fit whatever they are where their versions are named', () => {
    const fresh = { name: 'a', since: 0, readAt: 0 };
    const pinned = { name: 'b', version: 'v1', since: HOUR, readAt: HOUR, known: true };
    expect(outdated(fresh, pinned)).toEqual([]);
    expect(
      outdated({ ...pinned, since: 0, known: false }, { ...fresh, since: HOUR, readAt: HOUR, known: true }),
    ).toEqual([]);
  });

  it('fit where a Mount could have been given both, one of them from memory', () => {
    const memory = { name: 'a', since: HOUR, readAt: 10 * MINUTE, ttlMs: 5 * MINUTE, known: true };
    expect(outdated(memory, { name: 'b', since: 5 * MINUTE, readAt: 5 * MINUTE })).toEqual([]);
    expect(outdated(memory, { name: 'b', since: 4 * MINUTE, readAt: 4 * MINUTE })).toEqual(['a']);
    expect(outdated({ ...memory, ttlMs: 0 }, { name: 'b', since: 5 * MINUTE, readAt: 5 * MINUTE })).toEqual(['a']);
  });

  it('never mix what no Mount could have been given together', () => {
    const given = fc.record({ since: fc.nat(2 * HOUR), held: fc.nat(HOUR), ttlMs: fc.nat(HOUR), known: fc.boolean() });
    fc.assert(
      fc.property(fc.array(given, { maxLength: 6 }), (all) => {
        const values = all.map(({ since, held, ttlMs, known }, i) => {
          const readAt = known ? Math.max(0, since - held) : 0;
          return { name: `${i}`, since, readAt, ttlMs, known };
        });
        const newest = Math.min(...values.map(({ since }) => since));
        const fits = values.every(({ readAt, ttlMs, known }) => !known || readAt - ttlMs - newest <= 10_000);
        expect(outdated(...values).length === 0).toBe(fits);
      }),
    );
  });
});

it('without last known values there is nothing to tell or to refuse', () => {
  const snapshot = snapshotOf([{ name: 'a', since: 0, readAt: 0 }]);
  expect([snapshot.lastKnown, snapshot.outdated, snapshotOf([]).outdated]).toEqual([[], [], []]);
});
