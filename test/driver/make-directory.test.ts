import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { makeDirectory } from '../../src/driver/make-directory.ts';

const base = mkdtempSync(join(tmpdir(), 'akv-directory-'));
afterAll(() => rmSync(base, { recursive: true }));

describe('a directory', () => {
  it('is made with those above it, and may be there already', async () => {
    const path = join(base, 'a/b/c');
    await makeDirectory(path, 0o750);
    await makeDirectory(path);
    await makeDirectory(`${path}/`);
    expect(statSync(path).mode & 0o777).toBe(0o750);
  });

  it('can be made by several at a time', async () => {
    await Promise.all(Array.from({ length: 10 }, () => makeDirectory(join(base, 'x/y/z'))));
    expect(statSync(join(base, 'x/y/z')).isDirectory()).toBe(true);
  });

  it('is not made where a file is, or below one', async () => {
    writeFileSync(join(base, 'file'), '');
    await expect(makeDirectory(join(base, 'file'))).rejects.toMatchObject({ code: 'EEXIST' });
    await expect(makeDirectory(join(base, 'file/below'))).rejects.toMatchObject({ code: 'ENOTDIR' });
  });

  it.skipIf(process.platform !== 'linux')(
    'fails where the system takes no entries, and does not try for ever',
    async () => {
      await expect(makeDirectory('/proc/akv-csi/volume')).rejects.toMatchObject({ code: 'ENOENT' });
    },
  );
});
