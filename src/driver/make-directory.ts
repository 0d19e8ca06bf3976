/**
 * Makes a directory and those above it. Called by the atomic writer and by commands that write to a directory. Node's own
 * recursive `mkdir` never ends where an existing directory takes no entries, such as /proc.
 */

import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Makes a directory, with those above it, unless it is there. Throws: the error of the system, such as ENOENT. */
export async function makeDirectory(path: string, mode = 0o777): Promise<void> {
  const failed = await tryToMake(path, mode);
  if (failed === undefined) return;
  if (failed.code !== 'ENOENT' || dirname(path) === path) throw failed;
  await makeDirectory(dirname(path), mode);
  const again = await tryToMake(path, mode);
  if (again !== undefined) throw again;
}

/** Returns the reason if there is no directory afterwards. */
async function tryToMake(path: string, mode: number): Promise<NodeJS.ErrnoException | undefined> {
  try {
    await mkdir(path, { mode });
    return undefined;
  } catch (error) {
    const failed = error as NodeJS.ErrnoException;
    const isThere = failed.code === 'EEXIST' && (await stat(path).catch(() => undefined))?.isDirectory() === true;
    return isThere ? undefined : failed;
  }
}
