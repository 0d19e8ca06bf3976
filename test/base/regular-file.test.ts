import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { readMountedFile, tryAgain, UnreadableFile } from '../../src/base/regular-file.ts';

const MAX_BYTES = 10;

describe('a file of a volume', () => {
  it('is read through the links that the kubelet makes, and after it changed them', async () => {
    const volume = await mkdtemp(join(tmpdir(), 'akv-volume-'));
    const write = (name: string, text: string) => {
      mkdirSync(join(volume, name));
      writeFileSync(join(volume, name, 'token'), text);
      symlinkSync(name, join(volume, '..data_tmp'));
      renameSync(join(volume, '..data_tmp'), join(volume, '..data'));
    };
    write('..first', 'first');
    symlinkSync('..data/token', join(volume, 'token'));
    expect(await readMountedFile(join(volume, 'token'), MAX_BYTES)).toBe('first');
    write('..second', 'second');
    expect(await readMountedFile(join(volume, 'token'), MAX_BYTES)).toBe('second');
    write('..third', 'a longer one');
    await expect(readMountedFile(join(volume, 'token'), MAX_BYTES)).rejects.toThrow('it is larger than 10 bytes');
  });

  const gone = new UnreadableFile('no such file or directory');

  it('is tried once more if it cannot be read', async () => {
    const read = vi.fn().mockRejectedValueOnce(gone).mockResolvedValue('text');
    expect(await tryAgain(read)).toBe('text');
    expect(read).toHaveBeenCalledTimes(2);
  });

  it.each([
    ['twice at most', gone, 2],
    ['once if the program is at fault', new TypeError('a defect'), 1],
  ])('is tried %s', async (_, error, times) => {
    const read = vi.fn().mockRejectedValue(error);
    await expect(tryAgain(read)).rejects.toBe(error);
    expect(read).toHaveBeenCalledTimes(times);
  });
});
