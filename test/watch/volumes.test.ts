import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LogFields, Logger } from '../../src/base/log.ts';
import { silentLogger } from '../../src/base/log.ts';
import { writeVolume } from '../../src/driver/atomic-writer.ts';
import { type Change, type WatchOptions, watchVolumes } from '../../src/watch/volumes.ts';
import { eventually } from '../support/process.ts';
import { rounds } from '../support/rounds.ts';

type Files = Readonly<Record<string, string>>;

let directory: string;
let end: AbortController;
let watching: Promise<void> | undefined;
let changes: Change[][];
let lines: { message: string; fields: LogFields }[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'akv-watch-'));
  end = new AbortController();
  changes = [];
  lines = [];
});
afterEach(async () => {
  end.abort();
  await watching;
  watching = undefined;
  rmSync(directory, { recursive: true, force: true });
});

function recordingLogger(base: LogFields = {}): Logger {
  const note = (message: string, fields: LogFields = {}) =>
    void lines.push({ message, fields: { ...base, ...fields } });
  return {
    ...silentLogger,
    info: note,
    warn: note,
    error: note,
    with: (fields) => recordingLogger({ ...base, ...fields }),
  };
}

const at = (name: string) => join(directory, name);
const write = (name: string, files: Files) =>
  writeVolume(
    at(name),
    Object.entries(files).map(([path, text]) => ({ path, mode: 0o644, contents: Buffer.from(text) })),
  );
const said = (message: string) => lines.filter((line) => line.message === message);

/** Begins to watch. Events of the kernel alone wake it, unless `pollMs` is given. */
async function begin(names: readonly string[], options: Partial<WatchOptions> = {}): Promise<void> {
  const settings = { log: recordingLogger(), settleMs: 0, pollMs: 3_600_000, signal: end.signal, ...options };
  const follow = await watchVolumes(names.map(at), (found) => void changes.push([...found]), settings);
  watching = follow();
}
const reported = (count: number) => eventually(() => changes.length >= count);

describe('a volume that the atomic writer writes', () => {
  it('is reported once for each change, with the names of the files that differ', async () => {
    await write('tls', { 'tls.crt': '1', 'tls.key': '1', 'ca.crt': '1', 'deep/er/file': '1' });
    await begin(['tls']);
    await write('tls', { 'tls.crt': '2', 'tls.key': '2', 'ca.crt': '1', 'deep/er/file': '1' });
    await reported(1);
    await write('tls', { 'tls.crt': '2', 'ca.crt': '1', 'deep/er/file': '2', new: '1' });
    await reported(2);
    expect(changes).toEqual([
      [{ directory: at('tls'), added: [], changed: ['tls.crt', 'tls.key'], removed: [] }],
      [{ directory: at('tls'), added: ['new'], changed: ['deep/er/file'], removed: ['tls.key'] }],
    ]);
    expect(said('Files changed')[0]?.fields).toEqual({
      directory: at('tls'),
      changed: 'tls.crt tls.key',
      added: '',
      removed: '',
    });
    expect(JSON.stringify(lines)).not.toMatch(/[A-Za-z0-9+/]{40}/);
  });

  it('is not reported if it is written again with the same files', async () => {
    await write('tls', { 'tls.crt': '1' });
    await begin(['tls']);
    rmSync(at('tls/..data'));
    await write('tls', { 'tls.crt': '1' });
    await eventually(() => said('The volume was written again, with the same files').length === 1);
    expect(changes).toEqual([]);
  });

  it('is reported together with others, once they have settled', async () => {
    await write('tls', { 'tls.crt': '1' });
    await write('users', { passwords: '1' });
    const during = [() => write('tls', { 'tls.crt': '3' }), () => write('users', { passwords: '2' })];
    const wait = async () => void (await during.shift()?.());
    await begin(['tls', 'users'], { wait });
    await write('tls', { 'tls.crt': '2' });
    await reported(1);
    expect(changes).toEqual([
      [
        { directory: at('tls'), added: [], changed: ['tls.crt'], removed: [] },
        { directory: at('users'), added: [], changed: ['passwords'], removed: [] },
      ],
    ]);
    expect(during).toEqual([]);
  });

  it('is reported although it never settles', async () => {
    await write('tls', { 'tls.crt': '0' });
    let writes = 0;
    await begin(['tls'], {
      wait: async () => void (writes < 40 && (await write('tls', { 'tls.crt': `${++writes}` }))),
    });
    await write('tls', { 'tls.crt': 'first' });
    await reported(1);
    expect(writes).toBeGreaterThanOrEqual(20);
  });

  it('is reported when the links of new files are there, which the writer makes last', async () => {
    await write('v', { a: '1' });
    let linked = false;
    const waits: number[] = [];
    await begin(['v'], {
      wait: async (ms) => {
        if (waits.push(ms) < 4) return;
        symlinkSync('..data/b', at('v/b'));
        linked = true;
      },
    });
    mkdirSync(at('v/..next'));
    writeFileSync(at('v/..next/b'), '1');
    symlinkSync('..next', at('v/..data_tmp'));
    renameSync(at('v/..data_tmp'), at('v/..data'));
    await reported(1);
    expect(linked).toBe(true);
    // One wait until nothing moves, and then one for each read without the link.
    expect(waits).toEqual([0, 100, 100, 100]);
  });

  it('is reported by what differs, whatever is written', async () => {
    const files = fc.dictionary(fc.constantFrom('a', 'b', 'c/d', 'c/e'), fc.constantFrom('1', '2'), { minKeys: 1 });
    await fc.assert(
      fc.asyncProperty(fc.array(files, { minLength: 2, maxLength: 5 }), async ([first = {}, ...later]) => {
        rmSync(at('v'), { recursive: true, force: true });
        changes = [];
        end = new AbortController();
        await write('v', first);
        await begin(['v']);
        let before = first;
        let expected = 0;
        for (const now of later) {
          if (await write('v', now)) await reported(++expected);
          const [change] = changes.at(-1) ?? [];
          if (change === undefined) continue;
          const rebuilt = new Set([...Object.keys(before), ...change.added]);
          for (const name of change.removed) rebuilt.delete(name);
          expect([...rebuilt].sort()).toEqual(Object.keys(now).sort());
          before = now;
        }
        expect(changes).toHaveLength(expected);
        end.abort();
        await watching;
      }),
      { numRuns: rounds(8, 100) },
    );
  });
});

describe('a directory that is no such volume', () => {
  it.each<[string, () => void, RegExp]>([
    ['is not there', () => {}, /no such directory yet/],
    [
      'is a file, as with subPath',
      () => writeFileSync(at('v'), ''),
      /it is a file; name the directory .*subPath never changes/,
    ],
    ['is empty', () => mkdirSync(at('v')), /holds no \.\.data: no volume is mounted there yet, or one with subPath/],
    [
      'has a broken link',
      () => {
        mkdirSync(at('v'));
        symlinkSync('..gone', at('v/..data'));
      },
      /holds no \.\.data/,
    ],
    ['has a directory of that name', () => mkdirSync(at('v/..data'), { recursive: true }), /holds no \.\.data/],
  ])('%s: it is said once, and a volume that comes is reported', async (_name, make, problem) => {
    make();
    await begin(['v'], { pollMs: 10 });
    expect(said('Waiting for the volume').map(({ fields }) => fields.detail)).toEqual([expect.stringMatching(problem)]);
    rmSync(at('v'), { recursive: true, force: true });
    await write('v', { a: '1' });
    await reported(1);
    expect(changes).toEqual([[{ directory: at('v'), added: ['a'], changed: [], removed: [] }]]);
  });

  it.each(['v/sub', 'v/..data', 'v/..data/sub'])('%s is inside a volume, which is named', async (name) => {
    await write('v', { 'sub/a': '1' });
    await begin([name]);
    expect(said('Waiting for the volume')[0]?.fields.detail).toBe(`it is inside a volume; name the volume: ${at('v')}`);
  });

  it('is watched by the kernel again after it was replaced', async () => {
    await write('v', { a: '1' });
    await begin(['v'], { pollMs: 10 });
    rmSync(at('v'), { recursive: true });
    await eventually(() => said('Waiting for the volume').length === 1);
    await write('v', { a: '1' });
    await eventually(() => said('The volume was written again, with the same files').length === 1);
    await write('v', { a: '2' });
    await reported(1);
    expect(changes).toEqual([[{ directory: at('v'), added: [], changed: ['a'], removed: [] }]]);
  });
});

it('reads nothing but files: no pipe, no link, and no directory below a limit', async () => {
  await write('v', { a: '1' });
  await begin(['v']);
  const version = at('v/..next');
  mkdirSync(join(version, ...Array.from({ length: 20 }, () => 'd')), { recursive: true });
  execFileSync('mkfifo', [join(version, 'pipe')]);
  symlinkSync('/dev/zero', join(version, 'link'));
  writeFileSync(join(version, 'a'), '2');
  symlinkSync('..next', at('v/..data_tmp'));
  renameSync(at('v/..data_tmp'), at('v/..data'));
  await reported(1);
  expect(changes[0]?.[0]?.added).toEqual([]);
  expect(said('Files changed')[0]?.fields.detail).toContain('too large');
});

it('a volume over the limits is reported without a comparison of all files', async () => {
  await write('v', { a: 'x'.repeat(33 * 1024 * 1024) });
  await begin(['v']);
  await write('v', { a: 'y'.repeat(33 * 1024 * 1024) });
  await reported(1);
  expect(said('Files changed')[0]?.fields.detail).toContain('too large');
});
