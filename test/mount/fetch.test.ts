import { describe, expect, it } from 'vitest';
import { later } from '../../src/base/clock.ts';
import { fetchObjects } from '../../src/mount/fetch.ts';
import type { FetchContext, FetchedObject, ListedVersion, ObjectRef, VaultReader } from '../../src/mount/ports.ts';
import type { ObjectSpec } from '../../src/spc/model.ts';
import {
  error,
  failureOf,
  fetchContext,
  fetchedSecret,
  LISTS_NOTHING,
  objectSpec,
  outputsContent,
  valueContent,
} from '../support/mount.ts';

/** Returns a vault that gives these results and records its reads. */
function vaultOf(
  get: (ref: ObjectRef) => Promise<FetchedObject> | FetchedObject,
  versions: readonly ListedVersion[] = [],
  { vaultUrl }: Pick<VaultReader, 'vaultUrl'> = LISTS_NOTHING,
): VaultReader & { readonly asked: string[] } {
  const asked: string[] = [];
  return {
    ...LISTS_NOTHING,
    vaultUrl,
    asked,
    async get(ref) {
      asked.push(`${ref.type}/${ref.name}/${ref.version}`);
      return get(ref);
    },
    async listVersions({ type, name }) {
      asked.push(`${type}/${name}/versions`);
      return versions;
    },
  };
}
const echo = ({ name, version }: ObjectRef) => fetchedSecret(name, { version: version || 'current' });

describe('reading more than the driver accepts', () => {
  /** Returns a vault that reads one value after another, each of 25,000 characters. */
  function slowVault() {
    let reads = 0;
    let last: Promise<unknown> = Promise.resolve();
    const vault = {
      ...LISTS_NOTHING,
      async get(_ref: ObjectRef, { signal }: FetchContext) {
        const turn = last;
        const work = (async () => {
          await turn;
          signal.throwIfAborted();
          reads++;
          return fetchedSecret('x'.repeat(25_000));
        })();
        last = work.catch(() => {});
        return work;
      },
    };
    return { vault, reads: () => reads };
  }
  const objects = (count: number, more: Partial<ObjectSpec> = {}) =>
    Array.from({ length: count }, (_, i) => objectSpec(`s${i}`, more));
  const encoded = (encoding: 'base64' | 'hex') => ({ content: valueContent('a', { encoding }) });

  it('stops when the values have more than 4 MiB', async () => {
    const { vault, reads } = slowVault();
    const failed = await failureOf(fetchObjects(objects(500), () => vault, fetchContext()));
    expect(failed.code).toBe('ERR_TOO_LARGE');
    expect(failed.message).toContain('more than 4194304 bytes');
    // 168 values have more than 4 MiB; one more may have begun.
    expect(reads()).toBeGreaterThanOrEqual(168);
    expect(reads()).toBeLessThanOrEqual(169);
  });

  it.each([
    ['values', 167, {}],
    ['values in base64', 223, encoded('base64')],
    ['values in hex', 335, encoded('hex')],
    ['values that become certificates', 335, { content: outputsContent([{ output: 'certificate', path: 'a' }]) }],
  ])('reads %s whose files may fit', async (_what, count, more) => {
    const { vault, reads } = slowVault();
    await fetchObjects(objects(count, more), () => vault, fetchContext());
    expect(reads()).toBe(count);
  });
});

describe('reading the objects of a Mount', () => {
  it('answers in the order of the manifest, whatever comes first', async () => {
    const release: (() => void)[] = [];
    const vault = vaultOf((ref) => new Promise((resolve) => release.push(() => resolve(echo(ref)))));
    const work = fetchObjects([objectSpec('a'), objectSpec('b'), objectSpec('c')], () => vault, fetchContext());
    expect(release).toHaveLength(3);
    for (const one of release.reverse()) one();
    expect((await work).map(({ object }) => object.name)).toEqual(['a', 'b', 'c']);
  });

  it('tells names and versions apart, whatever is in them', async () => {
    const vault = vaultOf(echo);
    await fetchObjects(
      [objectSpec('a/b', { version: 'c' }), objectSpec('a', { version: 'b/c' })],
      () => vault,
      fetchContext(),
    );
    expect(vault.asked).toHaveLength(2);
  });

  it('asks once for what is asked for twice', async () => {
    const vault = vaultOf(echo);
    const [one, other] = await fetchObjects(
      [objectSpec('a'), objectSpec('a', { label: 'again' })],
      () => vault,
      fetchContext(),
    );
    expect(vault.asked).toEqual(['secret/a/']);
    expect(other?.fetched[0]).toBe(one?.fetched[0]);
  });

  it('asks for types, names and versions apart', async () => {
    const vault = vaultOf(echo);
    const objects = [
      objectSpec('a'),
      objectSpec('a', { type: 'key' }),
      objectSpec('a', { version: 'v' }),
      objectSpec('b'),
    ];
    await fetchObjects(objects, () => vault, fetchContext());
    expect(vault.asked).toEqual(['secret/a/', 'key/a/', 'secret/a/v', 'secret/b/']);
  });

  it('reads the versions of a history by their ids', async () => {
    const vault = vaultOf(
      echo,
      [1, 2, 3].map((createdAt) => ({ version: `v${createdAt}`, createdAt, enabled: true })),
    );
    const [read] = await fetchObjects([objectSpec('a', { history: 2 })], () => vault, fetchContext());
    expect(vault.asked).toEqual(['secret/a/versions', 'secret/a/v3', 'secret/a/v2']);
    expect(read?.fetched.map(({ version }) => version)).toEqual(['v3', 'v2']);
  });

  it('names every object that failed, and waits for all of them', async () => {
    const vault = vaultOf(({ name }) => {
      throw error(name === 'b' ? 'ERR_NOT_FOUND' : 'ERR_FORBIDDEN', `no ${name}`);
    });
    const failed = await failureOf(fetchObjects([objectSpec('a'), objectSpec('b')], () => vault, fetchContext()));
    expect(failed.message).toContain('failed to get object a: no a');
    expect(failed.message).toContain('failed to get object b: no b');
    expect(vault.asked).toHaveLength(2);
  });

  it('refuses last known values from before another object changed, with the reason why they are such', async () => {
    const context = fetchContext();
    const time = (minutesAgo: number) => later(context.deadlineAt, -60_000 - minutesAgo * 60_000);
    const away = error('ERR_UNREACHABLE', 'the vault is away');
    const vaultAt = (vaultUrl: string, isKnown: (name: string) => boolean) =>
      vaultOf(
        ({ type, name, version }) => {
          const known = isKnown(name);
          const [since, readAt] = known ? [time(60), time(10)] : [time(0), time(0)];
          const times = { since, readAt, ttlMs: 30_000, keepMs: 3_600_000 };
          context.snapshot.add({ ref: { type, name, version, vaultUrl }, ...times, cause: known ? away : undefined });
          return echo({ type, name, version });
        },
        [],
        { vaultUrl },
      );
    const own = vaultAt('https://own', (name) => name !== 'cert');
    const other = vaultAt('https://other', () => false);
    const vault = { name: 'other', tenantId: '', fallbackVaults: [] };
    const objects = [
      objectSpec('cert'),
      objectSpec('key'),
      objectSpec('pinned', { version: 'v' }),
      objectSpec('key', { vault, label: 'key elsewhere' }),
    ];
    const failed = await failureOf(fetchObjects(objects, (object) => (object.vault ? other : own), context));
    expect(failed).toMatchObject({ code: 'ERR_UNREACHABLE', failed: ['object key'] });
    expect(failed.message).toMatch(/1 of 4 objects: failed to get object key: the vault is away; its last known value/);
  });

  it('keeps the text of a defect out of the answer', async () => {
    const vault = vaultOf(() => {
      throw new TypeError('choked on hunter2');
    });
    const failed = await failureOf(fetchObjects([objectSpec('a')], () => vault, fetchContext()));
    expect(failed.code).toBe('ERR_INTERNAL');
    expect(failed.message).not.toContain('hunter2');
  });
});
