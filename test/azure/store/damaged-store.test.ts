/** Holds what a store says of files that it cannot trust, and of directories that are not fit for it; nothing ends it. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { MAX_NAMES, STORE_DIR } from '../../../src/azure/store/store-files.ts';
import { manualClock } from '../../support/clocks.ts';
import { filesOf, keyOf, LIMITS, newDirectory, newKey, openStore, put, reopened } from '../../support/store.ts';

const key = await newKey();

async function filled(entries: Readonly<Record<string, string>>): Promise<string> {
  const directory = newDirectory();
  const { store } = await openStore(directory, { keys: [key] });
  for (const [name, text] of Object.entries(entries)) put(store, name, text);
  await store.close();
  return directory;
}

/** The file of an entry: the one that is there with it and not without it. */
async function fileOf(directory: string, name: string): Promise<string> {
  const probe = newDirectory();
  const { store } = await openStore(probe, { keys: [key] });
  put(store, name, 'x');
  await store.close();
  const [file = ''] = filesOf(probe, 'entry');
  return file.replace(probe, directory);
}

const warnings = (lines: readonly string[]) => lines.filter((line) => line.startsWith('warn'));
const one = (reason: RegExp) => [expect.stringMatching(reason)];

describe('a damaged entry is refused, by name and with a remedy, and the others are served', () => {
  it.each<[string, (file: string, other: string) => void, RegExp]>([
    ['cut', (file) => truncateSync(file, 500), /changed, cut or renamed; delete it, and find out/],
    ['empty', (file) => truncateSync(file, 0), /0 bytes, too few: it was cut; delete it/],
    ['longer', (file) => writeFileSync(file, 'x', { flag: 'a' }), /changed, cut or renamed/],
    ['text', (file) => writeFileSync(file, 'hello '.repeat(100)), /does not begin as a sealed file does/],
    ['another entry', (file, other) => copyFileSync(other, file), /changed, cut or renamed/],
    ['huge', (file) => truncateSync(file, 2 ** 40), /too large or one too many; delete it/],
    [
      'of a later format',
      (file) => writeFileSync(file, readFileSync(file).fill(2, 7, 8)),
      /its format is version 2, and this provider reads 1; start the version/,
    ],
  ])('%s', async (_, damage, reason) => {
    const directory = await filled({ a: 'one', b: 'two' });
    const file = await fileOf(directory, 'a');
    damage(file, await fileOf(directory, 'b'));
    const { entries, lines, failures } = await reopened(directory, { keys: [key] });
    expect(entries).toEqual({ b: 'two' });
    expect(warnings(lines)).toEqual(one(reason));
    expect(lines[0]).toContain(`file=${file} `);
    expect(failures).toEqual(['read']);
    const { store } = await openStore(directory, { keys: [key] });
    put(store, 'a', 'again');
    await store.close();
    const healed = await reopened(directory, { keys: [key] });
    expect([healed.entries, healed.failures]).toEqual([{ a: 'again', b: 'two' }, []]);
  });

  it('swapped with another', async () => {
    const directory = await filled({ a: 'one', b: 'two', c: 'three' });
    const [a, b] = [await fileOf(directory, 'a'), await fileOf(directory, 'b')];
    renameSync(a, `${a}.x`);
    renameSync(b, a);
    renameSync(`${a}.x`, b);
    const { entries, failures } = await reopened(directory, { keys: [key] });
    expect([entries, failures]).toEqual([{ c: 'three' }, ['read', 'read']]);
  });

  it.each<[string, (file: string) => void]>([
    ['a pipe', (file) => void execFileSync('mkfifo', [file])],
    ['a symbolic link to a file', (file) => symlinkSync('/etc/passwd', file)],
    ['a symbolic link to the entry', (file) => symlinkSync(`${file}.x`, file)],
    ['a directory', (file) => mkdirSync(file)],
  ])('%s in its place', async (_, make) => {
    const directory = await filled({ a: 'one', b: 'two' });
    const file = await fileOf(directory, 'a');
    renameSync(file, `${file}.x`);
    make(file);
    rmSync(`${file}.x`);
    const { entries, lines } = await reopened(directory, { keys: [key] });
    expect(entries).toEqual({ b: 'two' });
    expect(warnings(lines)).toEqual(one(new RegExp(`own file=${file} files=1 detail=they are left alone`)));
  });
});

describe('an older copy of an entry', () => {
  it('that was put back is refused', async () => {
    const directory = await filled({ a: 'old', b: 'two' });
    const file = await fileOf(directory, 'a');
    const old = readFileSync(file);
    const { store } = await openStore(directory, { keys: [key] });
    put(store, 'a', 'new');
    await store.close();
    writeFileSync(file, old);
    const { entries, lines } = await reopened(directory, { keys: [key] });
    expect(entries).toEqual({ b: 'two' });
    expect(warnings(lines)).toEqual(one(/it is an older copy: the store has replaced or erased it since; delete it/));
  });

  it('that was erased is refused', async () => {
    const directory = await filled({ a: 'old', b: 'two' });
    const file = await fileOf(directory, 'a');
    const old = readFileSync(file);
    const { store } = await openStore(directory, { keys: [key] });
    store.erase(keyOf('a'));
    await store.close();
    writeFileSync(file, old);
    expect((await reopened(directory, { keys: [key] })).entries).toEqual({ b: 'two' });
  });

  it('comes back with the whole directory of that time only, and ends when it would have ended then', async () => {
    const clock = manualClock();
    const directory = await filled({ a: 'old' });
    const copy = newDirectory();
    cpSync(directory, copy, { recursive: true });
    chmodSync(join(copy, STORE_DIR), 0o700);
    const { store } = await openStore(directory, { keys: [key], clock });
    put(store, 'a', 'new');
    await store.close();
    clock.time += 1000;
    const again = await openStore(copy, { keys: [key], clock, maxStaleMs: 1001 });
    expect([again.entries, again.ages]).toEqual([{ a: 'old' }, { a: 1000 }]);
    clock.time += 2;
    again.store.sweep();
    await again.store.close();
    expect(filesOf(copy, 'entry')).toEqual([]);
  });

  it('is not served where the index is gone, cut or older', async () => {
    for (const damage of [rmSync, (file: string) => truncateSync(file, 200)]) {
      const directory = await filled({ a: 'one' });
      damage(filesOf(directory, 'index')[0] ?? '');
      const { entries, lines } = await reopened(directory, { keys: [key] });
      expect(entries).toEqual({});
      expect(warnings(lines).at(-1)).toMatch(/the index of the store is missing or was refused/);
      expect((await reopened(directory, { keys: [key] })).entries).toEqual({});
    }
  });
});

describe('a directory', () => {
  it('of another node is refused, entry by entry', async () => {
    const bytes = Buffer.from('0123456789abcdefghijklmnopqrstuv');
    const [here, there] = [await newKey('here', bytes), await newKey('there', bytes)];
    const directory = newDirectory();
    const { store } = await openStore(directory, { keys: [here] });
    put(store, 'a', 'one');
    await store.close();
    const { entries, lines } = await reopened(directory, { keys: [there] });
    expect(entries).toEqual({});
    expect(warnings(lines)[0]).toMatch(/it was sealed on another node than "there"; a directory is of use on the node/);
    expect((await reopened(directory, { keys: [here] })).entries).toEqual({ a: 'one' });
  });

  it('that several files of others are in is used, and they are left alone', async () => {
    const directory = await filled({ a: 'one' });
    for (let at = 0; at < 500; at++) writeFileSync(join(directory, STORE_DIR, `file-${at}`), 'x');
    const { entries, lines } = await reopened(directory, { keys: [key] });
    expect(entries).toEqual({ a: 'one' });
    expect(warnings(lines)).toEqual(one(/Files in the offline cache are not its own .* files=500/));
    expect(existsSync(join(directory, STORE_DIR, 'file-3'))).toBe(true);
  });

  it('with more names than are looked at is refused, and nothing is opened', async () => {
    const directory = await filled({ a: 'one' });
    const own = join(directory, STORE_DIR);
    for (let at = 0; at <= MAX_NAMES; at++) symlinkSync('nowhere', join(own, `f${at}`));
    await expect(openStore(directory, { keys: [key] })).rejects.toThrow(
      `--offline-cache-dir ${own}: it holds more than ${MAX_NAMES} files, which the provider does not write; empty it`,
    );
  });

  it('full of entries that are too many or too large gives the entries of the index', async () => {
    const directory = await filled({ z: 'one' });
    const own = join(directory, STORE_DIR);
    for (let at = 0; at < 300; at++)
      writeFileSync(join(own, `${String(at).padStart(64, '0')}.entry`), 'x'.repeat(9000));
    const { entries, failures, lines } = await reopened(directory, { keys: [key], limits: LIMITS });
    expect(entries).toEqual({ z: 'one' });
    expect(failures).toHaveLength(300);
    expect(lines.length).toBeLessThan(20);
  });

  it.each<[string, (own: string) => void, RegExp]>([
    [
      'others may read',
      (own) => chmodSync(own, 0o750),
      /its mode is 0750, so that others may read or change it; chmod 0700/,
    ],
    [
      'is a file',
      (own) => {
        rmSync(own, { recursive: true });
        writeFileSync(own, '');
      },
      /it is not a directory; delete it/,
    ],
    [
      'is a link',
      (own) => {
        renameSync(own, `${own}.x`);
        symlinkSync(`${own}.x`, own);
      },
      /it is not a directory; delete it/,
    ],
    [
      'belongs to another user',
      (own) => chownSync(own, 12_345, 0),
      /it belongs to user 12345; the provider runs as user 0/,
    ],
  ])('that %s is refused', async (_, change, reason) => {
    const directory = await filled({ a: 'one' });
    if (process.geteuid?.() !== 0 && reason.source.includes('12345')) return;
    change(join(directory, STORE_DIR));
    await expect(openStore(directory, { keys: [key] })).rejects.toThrow(reason);
  });

  it('that is not there is refused', async () => {
    const gone = join(newDirectory(), 'gone');
    await expect(openStore(gone, { keys: [key] })).rejects.toThrow(
      `--offline-cache-dir ${gone}: no such file or directory; mount a directory there, or correct the flag`,
    );
  });

  it.each<[string, (own: string, files: readonly string[]) => void]>([
    [
      'emptied',
      (_, files) => {
        for (const file of files) rmSync(file);
      },
    ],
    ['removed', (own) => rmSync(own, { recursive: true })],
  ])('that is %s while the provider runs is filled anew', async (_, remove) => {
    const directory = await filled({ a: 'one', b: 'two' });
    const { store, lines } = await openStore(directory, { keys: [key] });
    await store.flush();
    remove(join(directory, STORE_DIR), [...filesOf(directory, 'entry'), ...filesOf(directory, 'index')]);
    put(store, 'b', 'changed');
    await store.flush();
    put(store, 'a', 'one');
    await store.close();
    expect(warnings(lines)).toEqual([]);
    const { entries, failures } = await reopened(directory, { keys: [key] });
    expect([entries, failures]).toEqual([{ a: 'one', b: 'changed' }, []]);
  });

  it('whose index cannot be written gets no entry, since that would not be served', async () => {
    const directory = await filled({ a: 'one' });
    const { store, lines } = await openStore(directory, { keys: [key] });
    await store.flush();
    const [index = ''] = filesOf(directory, 'index');
    rmSync(index);
    mkdirSync(index);
    put(store, 'b', 'two');
    await store.flush();
    expect(filesOf(directory, 'entry')).toEqual([await fileOf(directory, 'a')]);
    expect(warnings(lines)).toEqual(one(/Cannot write the offline cache/));
    await store.close();
  });

  it('of two providers belongs to the one that started last', async () => {
    const directory = await filled({ a: 'one' });
    const first = await openStore(directory, { keys: [key] });
    await first.store.flush();
    const second = await openStore(directory, { keys: [key] });
    put(second.store, 'b', 'two');
    await second.store.flush();
    put(first.store, 'a', 'of the first');
    put(first.store, 'c', 'of the first');
    await first.store.close();
    expect(warnings(first.lines)).toEqual(one(/Another provider writes the offline cache .*it writes no more/));
    await second.store.close();
    const { entries, failures } = await reopened(directory, { keys: [key] });
    expect([entries, failures]).toEqual([{ a: 'one', b: 'two' }, []]);
  });
});

describe('a disk that cannot be written', () => {
  it('costs one warning; what is in it is served, and it is written again when it can be', async () => {
    const directory = await filled({ a: 'one' });
    const clock = manualClock();
    const { store, lines, failures } = await openStore(directory, { keys: [key], clock });
    // A directory in the place of the temporary file: every write fails, for root too.
    const block = join(directory, STORE_DIR, 'new.tmp');
    mkdirSync(block);
    for (let round = 0; round < 5; round++) {
      put(store, 'b', `value ${round}`);
      store.sweep();
      await store.flush();
    }
    expect(warnings(lines)).toEqual(one(/Cannot write the offline cache directory=\S+ detail=Mounts go on; .*error=E/));
    expect(failures.length).toBeGreaterThanOrEqual(5);
    rmSync(block, { recursive: true });
    store.sweep();
    await store.flush();
    expect(lines.at(-1)).toMatch(/^info The offline cache is written again/);
    await store.close();
    expect((await reopened(directory, { keys: [key], clock })).entries).toEqual({ a: 'one', b: 'value 4' });
  });
});
