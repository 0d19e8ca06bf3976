import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ListedVersion } from '../../src/mount/ports.ts';
import { chooseVersions } from '../../src/mount/versions.ts';
import { failureOf, objectSpec } from '../support/mount.ts';

const asked = (history: number, version = '') => objectSpec('s', { history, version });
const listed = (version: string, createdAt: number, enabled = true): ListedVersion => ({ version, createdAt, enabled });
const three = [listed('a', 1), listed('c', 3), listed('b', 2)];

const anyListing = fc.uniqueArray(
  fc.record({
    version: fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: 1, maxLength: 3 }),
    createdAt: fc.nat(5),
    enabled: fc.boolean(),
  }),
  { selector: ({ version }) => version, minLength: 1, maxLength: 12 },
);

describe('the versions of a history', () => {
  it.each([
    [2, ['c', 'b']],
    [3, ['c', 'b', 'a']],
    [9, ['c', 'b', 'a']],
  ])('%i are the newest ones', (history, expected) => {
    expect(chooseVersions(asked(history), three)).toEqual(expected);
  });

  it('begin with the one that is named', () => {
    expect(chooseVersions(asked(2, 'b'), three)).toEqual(['b', 'a']);
  });

  it('leave disabled ones out', () => {
    expect(chooseVersions(asked(2), [listed('c', 3, false), listed('b', 2), listed('a', 1)])).toEqual(['b', 'a']);
  });

  it('are the same whatever the order of the listing', () => {
    const shuffled = anyListing.chain((all) =>
      fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length })),
    );
    fc.assert(
      fc.property(shuffled, fc.integer({ min: 2, max: 5 }), ([all, other], history) => {
        const choose = (one: readonly ListedVersion[]) => {
          try {
            return chooseVersions(asked(history), one);
          } catch (error) {
            return String(error);
          }
        };
        expect(choose(other)).toEqual(choose(all));
      }),
    );
  });

  it('are enabled, no more than asked for, newest first, and none newer is left out', () => {
    fc.assert(
      fc.property(anyListing, fc.integer({ min: 2, max: 5 }), (all, history) => {
        fc.pre(all.some(({ enabled }) => enabled));
        const chosen = chooseVersions(asked(history), all).map((id) => all.find(({ version }) => version === id));
        const enabled = all.filter((one) => one.enabled);
        expect(chosen).toHaveLength(Math.min(history, enabled.length));
        const ages = chosen.map((one) => one?.createdAt ?? Number.NaN);
        expect(ages).toEqual([...ages].sort((a, b) => b - a));
        expect(chosen.every((one) => one?.enabled)).toBe(true);
        const oldest = ages.at(-1) ?? Number.NaN;
        expect(enabled.filter((one) => !chosen.includes(one)).every(({ createdAt }) => createdAt <= oldest)).toBe(true);
      }),
    );
  });

  it.each([
    [
      'an unknown version to begin with',
      asked(2, 'x'),
      three,
      'ERR_NOT_FOUND',
      'has no version x to begin the version history with; enabled are c, b, a',
    ],
    [
      'a disabled version to begin with',
      asked(2, 'c'),
      [listed('c', 3, false), listed('b', 2)],
      'ERR_DISABLED',
      'is disabled; enabled are b',
    ],
    [
      'an unknown version where nothing is enabled',
      asked(2, 'x'),
      [listed('a', 1, false)],
      'ERR_NOT_FOUND',
      'no version of it is enabled',
    ],
    ['nothing enabled', asked(2), [listed('a', 1, false)], 'ERR_DISABLED', 'has no enabled version'],
    ['nothing at all', asked(2), [], 'ERR_NOT_FOUND', 'has no version'],
    [
      'many to choose from',
      asked(2, 'x'),
      ['a', 'b', 'c', 'd', 'e'].map((id, i) => listed(id, i)),
      'ERR_NOT_FOUND',
      'enabled are e, d, c and 2 more',
    ],
  ])('%s is an error saying so', async (_, object, all, code, words) => {
    const error = await failureOf(() => chooseVersions(object, all));
    expect(error.code).toBe(code);
    expect(error.message).toContain(words);
  });
});
