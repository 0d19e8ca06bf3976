import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { lstat, mkdir, readdir, readFile, readlink, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { writeVolume } from '../../src/driver/atomic-writer.ts';
import type { MountedFile } from '../../src/wire/contract.ts';

let root: string;
let volume: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'akv-writer-'));
  volume = join(root, 'volume');
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function file(path: string, contents: string, mode = 0o644): MountedFile {
  return { path, mode, contents: Buffer.from(contents) };
}

async function versionDirs(): Promise<string[]> {
  return (await readdir(volume)).filter((name) => /^\.\.\d/.test(name));
}

async function modeOf(path: string): Promise<number> {
  return (await stat(join(volume, path))).mode & 0o777;
}

describe('atomic writer', () => {
  it('writes files behind ..data and links the top-level names', async () => {
    expect(await writeVolume(volume, [file('tls.crt', 'one'), file('d/e/a', 'two')])).toBe(true);
    const [version] = await versionDirs();
    expect((await readdir(volume)).sort()).toEqual([version, '..data', 'd', 'tls.crt'].sort());
    expect(await readlink(join(volume, '..data'))).toBe(version);
    expect(await readlink(join(volume, 'tls.crt'))).toBe('..data/tls.crt');
    expect(await readlink(join(volume, 'd'))).toBe('..data/d');
    expect(await readFile(join(volume, 'tls.crt'), 'utf8')).toBe('one');
    expect(await readFile(join(volume, 'd/e/a'), 'utf8')).toBe('two');
  });

  it('sets modes exactly for any umask, and 0755 on directories', async () => {
    const umask = process.umask(0o077);
    try {
      await writeVolume(volume, [file('open', 'x', 0o666), file('closed', 'x', 0), file('d/e/owner', 'x', 0o400)]);
    } finally {
      process.umask(umask);
    }
    expect(await modeOf('open')).toBe(0o666);
    expect(await modeOf('closed')).toBe(0);
    expect(await modeOf('d/e/owner')).toBe(0o400);
    expect(await modeOf('d')).toBe(0o755);
    expect(await modeOf('d/e')).toBe(0o755);
    expect(await modeOf('..data/')).toBe(0o755);
  });

  it('does not write when the contents are equal', async () => {
    const files = [file('a', 'x'), file('d/b', 'y')];
    await writeVolume(volume, files);
    const before = await readlink(join(volume, '..data'));
    const { mtimeNs } = await stat(volume, { bigint: true });
    expect(await writeVolume(volume, files)).toBe(false);
    expect(await readlink(join(volume, '..data'))).toBe(before);
    expect((await stat(volume, { bigint: true })).mtimeNs).toBe(mtimeNs);
  });

  it('does not apply a changed mode alone', async () => {
    await writeVolume(volume, [file('a', 'x', 0o644)]);
    expect(await writeVolume(volume, [file('a', 'x', 0o600)])).toBe(false);
    expect(await modeOf('a')).toBe(0o644);
  });

  it('replaces all files at once and removes the older version', async () => {
    await writeVolume(volume, [file('a', 'old'), file('b', 'same')]);
    const before = await readlink(join(volume, '..data'));
    expect(await writeVolume(volume, [file('a', 'new'), file('b', 'same')])).toBe(true);
    expect(await readlink(join(volume, '..data'))).not.toBe(before);
    expect(await versionDirs()).toEqual([await readlink(join(volume, '..data'))]);
    expect(await readFile(join(volume, 'a'), 'utf8')).toBe('new');
  });

  it('removes names that no longer exist and keeps directories that are still needed', async () => {
    await writeVolume(volume, [file('a', '1'), file('gone', '2'), file('d/a', '3'), file('d/gone', '4')]);
    await writeVolume(volume, [file('a', '1'), file('d/a', '3')]);
    expect((await readdir(volume)).filter((name) => !name.startsWith('..')).sort()).toEqual(['a', 'd']);
    expect(await readdir(join(volume, 'd'))).toEqual(['a']);
  });

  it('a file may become a directory and back', async () => {
    await writeVolume(volume, [file('a', '1')]);
    await writeVolume(volume, [file('a/b', '2')]);
    expect(await readFile(join(volume, 'a/b'), 'utf8')).toBe('2');
    await writeVolume(volume, [file('a', '3')]);
    expect(await readFile(join(volume, 'a'), 'utf8')).toBe('3');
  });

  it('removes files that a crash left behind', async () => {
    await writeVolume(volume, [file('a', '1')]);
    await mkdir(join(volume, '..2020_01_01_00_00_00.abc123'));
    await symlink('..2020_01_01_00_00_00.abc123', join(volume, '..data_tmp'));
    expect(await writeVolume(volume, [file('a', '1')])).toBe(false);
    expect((await readdir(volume)).sort()).toEqual([await readlink(join(volume, '..data')), '..data', 'a'].sort());
  });

  it('restores a link that was removed', async () => {
    await writeVolume(volume, [file('a', '1')]);
    rmSync(join(volume, 'a'));
    await writeVolume(volume, [file('a', '1')]);
    expect(await readFile(join(volume, 'a'), 'utf8')).toBe('1');
  });

  it('replaces a plain file of the same name and keeps other files', async () => {
    await mkdir(volume);
    await writeFile(join(volume, 'a'), 'legacy');
    await writeFile(join(volume, 'other'), 'mine');
    await writeVolume(volume, [file('a', 'new')]);
    expect((await lstat(join(volume, 'a'))).isSymbolicLink()).toBe(true);
    expect(await readFile(join(volume, 'other'), 'utf8')).toBe('mine');
  });

  it('refuses to remove a directory that has a name the volume needs', async () => {
    await mkdir(join(volume, 'a'), { recursive: true });
    await writeFile(join(volume, 'a', 'mine'), 'keep');
    await expect(writeVolume(volume, [file('a', 'x')])).rejects.toThrow(
      /a is a directory, but the volume needs this name/,
    );
    expect(await readFile(join(volume, 'a', 'mine'), 'utf8')).toBe('keep');
    expect(await versionDirs()).toEqual([]);
  });
});

describe('atomic writer, hostile targets', () => {
  let outside: string;

  beforeEach(async () => {
    outside = join(root, 'outside');
    await mkdir(outside);
    await mkdir(volume);
    await writeFile(join(outside, 'a'), 'precious');
  });

  it('replaces a ..data that points out of the volume', async () => {
    await symlink(outside, join(volume, '..data'));
    await writeVolume(volume, [file('a', 'precious')]);
    expect(await readdir(outside)).toEqual(['a']);
    expect(await readlink(join(volume, '..data'))).toMatch(/^\.\.\d{4}_/);
  });

  it('replaces a version directory that is a link out of the volume', async () => {
    await symlink(outside, join(volume, '..2020_01_01_00_00_00.abc'));
    await symlink('..2020_01_01_00_00_00.abc', join(volume, '..data'));
    await writeVolume(volume, [file('a', 'new')]);
    expect(await readFile(join(outside, 'a'), 'utf8')).toBe('precious');
    expect(await versionDirs()).toHaveLength(1);
  });

  it('replaces a name that points out of the volume', async () => {
    await symlink(join(outside, 'a'), join(volume, 'a'));
    await writeVolume(volume, [file('a', 'new')]);
    expect(await readFile(join(outside, 'a'), 'utf8')).toBe('precious');
    expect(await readFile(join(volume, 'a'), 'utf8')).toBe('new');
  });

  it('does not take a link inside the current version for a file with equal contents', async () => {
    await writeVolume(volume, [file('a', 'precious')]);
    const inside = join(volume, await readlink(join(volume, '..data')), 'a');
    rmSync(inside);
    await symlink(join(outside, 'a'), inside);
    expect(await writeVolume(volume, [file('a', 'precious')])).toBe(true);
    expect((await lstat(join(volume, await readlink(join(volume, '..data')), 'a'))).isFile()).toBe(true);
  });

  it.each(['../outside/a', '/etc/hosts', '..data', 'a/../../outside/a'])('refuses the path %s', async (path) => {
    await expect(writeVolume(volume, [file(path, 'x')])).rejects.toThrow(/invalid path/);
    expect(await readdir(volume)).toEqual([]);
    expect(existsSync(join(outside, 'a'))).toBe(true);
  });
});
