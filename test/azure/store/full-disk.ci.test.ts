/** Holds how a store behaves on a disk that is full, and on one that is read-only: real file systems, which need root. */
import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { manualClock } from '../../support/clocks.ts';
import { filesOf, keyOf, newDirectory, newKey, openStore, put, reopened } from '../../support/store.ts';

const LIMITS = { entries: 100, bytes: 1024 * 1024, entryBytes: 64 * 1024 };
const key = await newKey();
let usable = true;

/** A small file system in memory, unmounted after the test. */
function tmpfs(size: string): string {
  const directory = newDirectory();
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', directory], { stdio: 'pipe' });
  onTestFinished(() => void execFileSync('umount', ['-l', directory]));
  return directory;
}

beforeAll(() => {
  try {
    // In a mount namespace of its own, so that nothing is left behind.
    execFileSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'], { stdio: 'pipe' });
  } catch (error) {
    if (process.env.REQUIRE_TOOLS === '1') throw error;
    process.stderr.write(`file systems cannot be mounted here: their checks are skipped\n`);
    usable = false;
  }
});

test('a full disk costs one warning and the newest values, and nothing that is on it', async ({ skip }) => {
  if (!usable) return skip();
  const directory = tmpfs('128k');
  const { store, lines, failures, counts } = await openStore(directory, { keys: [key], limits: LIMITS });
  put(store, 'a', 'one');
  await store.flush();
  for (let count = 0; count < 10; count++) {
    put(store, `big-${count}`, String(count).repeat(30_000));
    store.sweep();
    await store.flush();
  }
  const said = lines.filter((line) => line.startsWith('warn'));
  expect(said).toEqual([expect.stringMatching(/Cannot write the offline cache .*ENOSPC/)]);
  expect(failures.length).toBeGreaterThan(1);
  expect(counts.at(-1)).toBeGreaterThanOrEqual(2);
  // Room again: everything that waited is written.
  for (let count = 0; count < 10; count++) if (count !== 1) store.erase(keyOf(`big-${count}`));
  store.sweep();
  await store.flush();
  expect(lines.at(-1)).toMatch(/^info The offline cache is written again/);
  await store.close();
  const again = await reopened(directory, { keys: [key], limits: LIMITS });
  expect(Object.keys(again.entries).toSorted()).toEqual(['a', 'big-1']);
  expect(again.failures).toEqual([]);
});

test('a full disk at the start leaves what is on it', async ({ skip }) => {
  if (!usable) return skip();
  const directory = tmpfs('128k');
  const { store } = await openStore(directory, { keys: [key], limits: LIMITS });
  put(store, 'a', 'one');
  await store.close();
  const filler = join(directory, 'filler');
  try {
    writeFileSync(filler, Buffer.alloc(200_000));
  } catch {
    // It is full now.
  }
  const full = await reopened(directory, { keys: [key], limits: LIMITS });
  expect([full.entries, full.failures]).toEqual([{ a: 'one' }, expect.arrayContaining(['write'])]);
  rmSync(filler);
  expect((await reopened(directory, { keys: [key], limits: LIMITS })).entries).toEqual({ a: 'one' });
});

test('a value is erased from a full disk', async ({ skip }) => {
  if (!usable) return skip();
  const directory = tmpfs('128k');
  const { store } = await openStore(directory, { keys: [key], limits: LIMITS });
  put(store, 'a', 'one');
  await store.flush();
  expect(() => writeFileSync(join(directory, 'filler'), Buffer.alloc(200_000))).toThrow('ENOSPC');
  put(store, 'b', 'two'.repeat(5000));
  await store.flush();
  expect(filesOf(directory, 'entry')).toHaveLength(1);
  store.erase(keyOf('a'));
  store.sweep();
  await store.flush();
  expect(filesOf(directory, 'entry')).toHaveLength(0);
  await store.close();
});

test('a read-only disk serves what is on it, and says once that it cannot be written', async ({ skip }) => {
  if (!usable) return skip();
  const directory = tmpfs('1m');
  const clock = manualClock();
  const { store } = await openStore(directory, { keys: [key], clock, limits: LIMITS });
  put(store, 'a', 'one');
  await store.close();
  execFileSync('mount', ['-o', 'remount,ro', directory]);
  const readOnly = await openStore(directory, { keys: [key], clock, limits: LIMITS });
  expect(readOnly.entries).toEqual({ a: 'one' });
  put(readOnly.store, 'a', 'two');
  readOnly.store.sweep();
  await readOnly.store.close();
  expect(readOnly.lines.filter((line) => line.startsWith('warn'))).toEqual([expect.stringMatching(/EROFS/)]);
  expect(filesOf(directory, 'entry')).toHaveLength(1);
});
