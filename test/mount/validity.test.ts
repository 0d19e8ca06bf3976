import { describe, expect, it } from 'vitest';
import { silentTelemetry } from '../../src/base/telemetry.ts';
import { fetchObjects } from '../../src/mount/fetch.ts';
import { LogOnce } from '../../src/mount/log-once.ts';
import type { ObjectRef } from '../../src/mount/ports.ts';
import type { ObjectSpec, Validity } from '../../src/spc/model.ts';
import {
  failureOf,
  fetchContext,
  fetchedSecret,
  keptLog,
  LISTS_NOTHING,
  manualClock,
  objectSpec,
} from '../support/mount.ts';

const NOW = Date.UTC(2026, 5, 1);
const DAY = 86_400_000;

/** Versions of one object, the newest first. Times are days from now. */
type Dates = Readonly<Record<string, { readonly from?: number; readonly to?: number; readonly enabled?: boolean }>>;
const at = (days: number | undefined) => (days === undefined ? undefined : NOW + days * DAY);

/** Reads one object of a vault with these versions, and returns what was asked, and what was said. */
function vaultOf(versions: Dates) {
  const asked: string[] = [];
  const counted: string[] = [];
  const { log, lines } = keptLog();
  const clock = manualClock(NOW);
  const telemetry = { ...silentTelemetry, objectNotValid: (action: string) => counted.push(action) };
  const dates = { clock, telemetry, log, noted: new LogOnce() };
  const names = Object.keys(versions);
  const reader = {
    ...LISTS_NOTHING,
    async get({ version }: ObjectRef) {
      asked.push(`read ${version}`);
      const which = version || (names[0] ?? '');
      const { from, to } = versions[which] ?? {};
      const notBefore = at(from);
      const facts = notBefore === undefined ? {} : { notBefore };
      return fetchedSecret(which, { version: which, expiresAt: at(to), facts });
    },
    async listVersions() {
      asked.push('list');
      return names.map((version, age) => {
        const { from, to, enabled = true } = versions[version] ?? {};
        return { version, enabled, createdAt: NOW - age * DAY, notBefore: at(from), expiresAt: at(to) };
      });
    },
  };
  const read = async (validity: Validity | undefined, more: Partial<ObjectSpec> = {}) => {
    const [one] = await fetchObjects([objectSpec('a', { ...more, validity })], () => reader, {
      ...fetchContext(),
      dates,
    });
    return one?.fetched.map(({ version }) => version);
  };
  return { read, asked, counted, lines, clock };
}

const EXPIRED = { now: { to: -1 }, before: { from: -5, to: 5 } };

describe('an object whose dates do not hold', () => {
  it.each<[string, Validity | undefined, Dates, readonly string[]]>([
    ['that has expired, without validity', undefined, EXPIRED, []],
    ['that has expired, with ignore', 'ignore', EXPIRED, []],
    ['that has expired, with warn', 'warn', EXPIRED, ['a: version now expired at 2026-05-31T00:00:00Z']],
    ['that expires at this moment', 'warn', { now: { to: 0 } }, ['a: version now expired at 2026-06-01T00:00:00Z']],
    [
      'that is not valid yet',
      'warn',
      { now: { from: 1 } },
      ['a: version now is not valid before 2026-06-02T00:00:00Z'],
    ],
    ['that is valid from this moment on', 'warn', { now: { from: 0, to: 1 } }, []],
    ['that has no dates', 'enforce', { now: {} }, []],
  ])('is given out: one %s', async (_, validity, versions, details) => {
    const { read, asked, lines, counted } = vaultOf(versions);
    for (let i = 0; i < 2; i++) expect(await read(validity)).toEqual(['now']);
    expect(asked).toEqual(['read ', 'read ']);
    expect(lines.map(({ message, fields }) => [message, fields])).toEqual(
      details.map((detail) => ['Object is not valid', { object: 'a', detail }]),
    );
    expect(counted).toEqual(details.flatMap(() => ['warned', 'warned']));
  });

  it.each<[Dates, string]>([
    [{ now: { to: -1 }, before: {} }, 'it expired at 2026-05-31T00:00:00Z (validity: enforce); store a version'],
    [{ now: { from: 1 }, before: {} }, 'it is not valid before 2026-06-02T00:00:00Z (validity: enforce); store a'],
  ])('fails the Mount with enforce, also if it is optional: %j', async (versions, text) => {
    const { read, asked, counted } = vaultOf(versions);
    const failed = await failureOf(read('enforce', { ifMissing: { kind: 'skip' } }));
    expect([failed.code, asked, counted]).toEqual(['ERR_BAD_CONTENT', ['read '], ['refused']]);
    expect(failed.message).toContain(`failed to get object a: ${text}`);
  });

  it('fails the Mount once it expires, by the clock and not by the read', async () => {
    const { read, clock } = vaultOf({ now: { to: 1 } });
    expect(await read('enforce')).toEqual(['now']);
    clock.time += DAY;
    expect((await failureOf(read('enforce'))).code).toBe('ERR_BAD_CONTENT');
  });
});

describe('the previous version', () => {
  it('is not looked for while the current one is valid', async () => {
    const { read, asked, lines } = vaultOf({ now: { to: 1 }, before: {} });
    expect(await read('previous')).toEqual(['now']);
    expect([asked, lines]).toEqual([['read '], []]);
  });

  it('is the newest enabled one that is valid, and is said', async () => {
    const { read, asked, lines, counted } = vaultOf({
      now: { to: -1 },
      off: { enabled: false },
      later: { from: 1 },
      valid: { from: -9, to: 9 },
      older: {},
    });
    for (let i = 0; i < 2; i++) expect(await read('previous')).toEqual(['valid']);
    expect(asked).toEqual(['read ', 'list', 'read valid', 'read ', 'list', 'read valid']);
    expect(lines.map(({ message, fields }) => [message, fields.detail])).toEqual([
      [
        'Previous version mounted',
        'a: version now expired at 2026-05-31T00:00:00Z; version valid is mounted in its place',
      ],
    ]);
    expect(counted).toEqual(['previous', 'previous']);
  });

  it('must be there', async () => {
    const { read } = vaultOf({ now: { to: -1 }, before: { to: -2 }, off: { enabled: false } });
    const failed = await failureOf(read('previous'));
    expect(failed.code).toBe('ERR_BAD_CONTENT');
    expect(failed.message).toContain('no enabled version of it is valid now (validity: previous)');
  });

  it('of a named version does not exist', async () => {
    const { read, asked } = vaultOf(EXPIRED);
    expect((await failureOf(read('previous', { version: 'now' }))).code).toBe('ERR_BAD_CONTENT');
    expect(asked).toEqual(['read now']);
  });

  it('takes the place of an invalid one in a history', async () => {
    const { read } = vaultOf({ one: {}, two: { to: -1 }, three: { to: 3 }, four: {} });
    expect(await read('previous', { history: 2 })).toEqual(['one', 'three']);
    expect(await read('previous', { history: 3, version: 'two' })).toEqual(['three', 'four']);
    const failed = await failureOf(read('enforce', { history: 2 }));
    expect(failed.message).toContain('object a (version two of its history): it expired');
  });
});
