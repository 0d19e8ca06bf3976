/**
 * Reads the volume of a directory: whether it is there, which version of its files is live, and a digest of each file.
 * `volumes.ts` calls it. It refuses nothing: a directory that cannot be read has a state that says so.
 */

import { createHash } from 'node:crypto';
import { createReadStream, type Dirent } from 'node:fs';
import { lstat, opendir, readlink, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, systemCodeOf } from '../base/errors.ts';

/** The link to the live version of the files, which the atomic writer replaces. */
export const LIVE_LINK = '..data';
/** Limits of what is compared. The driver takes 4 MiB a volume; other volumes may be larger. */
const MAX_FILES = 2_000;
const MAX_BYTES = 32 * 1024 * 1024;
const MAX_DEPTH = 16;

/** The state of a directory. `problem` says what is wrong and what to do; `version` names the live version of the files. */
export type DirectoryState =
  | { readonly version: string; readonly problem?: undefined }
  | { readonly version?: undefined; readonly problem: string };

/** The files of one version of a volume. */
export interface Contents {
  readonly version: string;
  /** SHA-256 by path. They stay in memory, and only to tell which files changed. */
  readonly digests: ReadonlyMap<string, string>;
  /** False if the volume is over a limit: some files have no digest then. */
  readonly whole: boolean;
}

/** Returns the state of a directory. It reads no file. */
export async function stateOf(directory: string): Promise<DirectoryState> {
  try {
    if (!(await stat(directory)).isDirectory()) {
      return {
        problem:
          'it is a file; name the directory where the volume is mounted (a file mounted by subPath never changes)',
      };
    }
    const { dev, ino } = await stat(join(directory, LIVE_LINK));
    return { version: `${await readlink(join(directory, LIVE_LINK))} ${dev}:${ino}` };
  } catch (error) {
    return { problem: await problemOf(directory, error) };
  }
}

async function problemOf(directory: string, error: unknown): Promise<string> {
  const code = systemCodeOf(error);
  if (code === 'EACCES') return `user ${process.getuid?.()} may not read it`;
  if (code !== 'ENOENT' && code !== 'EINVAL') return messageOf(error);
  const real = await realpath(directory).catch(() => undefined);
  if (real === undefined) return 'there is no such directory yet';
  const volume = /^(.*?)\/\.\.\d{4}_[^/]*/.exec(real)?.[1];
  if (volume !== undefined) return `it is inside a volume; name the volume: ${volume}`;
  return `it holds no ${LIVE_LINK}: no volume is mounted there yet, or one with subPath, which never changes (mount the whole volume)`;
}

/**
 * Reads the live version of the files. Returns undefined if there is none, or if it was replaced while it was read.
 * Throws: the error of the system for a file that cannot be read.
 */
export async function contentsOf(directory: string): Promise<Contents | undefined> {
  const { version } = await stateOf(directory);
  if (version === undefined) return undefined;
  const digests = new Map<string, string>();
  const left = { files: MAX_FILES, bytes: MAX_BYTES };
  try {
    const root = join(directory, await readlink(join(directory, LIVE_LINK)));
    const whole = await addDigests({ root, digests, left });
    return (await stateOf(directory)).version === version ? { version, digests, whole } : undefined;
  } catch (error) {
    // The writer removes the old version as soon as there is a new one.
    if ((await stateOf(directory)).version !== version) return undefined;
    throw error;
  }
}

interface Walk {
  readonly root: string;
  readonly digests: Map<string, string>;
  readonly left: { files: number; bytes: number };
}

/** Adds the digests of the files below the directory `path` of the root. Returns false when a limit is reached. */
async function addDigests(walk: Walk, path = '', depth = 0): Promise<boolean> {
  if (depth > MAX_DEPTH) return false;
  for await (const entry of await opendir(join(walk.root, path))) {
    const name = path === '' ? entry.name : `${path}/${entry.name}`;
    if (!(await addEntry(walk, entry, { path: name, depth }))) return false;
  }
  return true;
}

async function addEntry(walk: Walk, entry: Dirent, { path, depth }: { path: string; depth: number }): Promise<boolean> {
  if (entry.isDirectory()) return addDigests(walk, path, depth + 1);
  // The writer makes nothing else than directories and files. A pipe would be read for ever.
  return !entry.isFile() || addDigest(walk, path);
}

async function addDigest({ root, digests, left }: Walk, path: string): Promise<boolean> {
  if (left.files-- === 0) return false;
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(join(root, path)) as AsyncIterable<Buffer>) {
    left.bytes -= chunk.length;
    if (left.bytes < 0) return false;
    hash.update(chunk);
  }
  digests.set(path, hash.digest('base64'));
  return true;
}

/** Returns true if each top-level name of the contents is there: the writer makes the links of new names last. */
export async function isComplete(directory: string, { digests }: Contents): Promise<boolean> {
  const names = new Set([...digests.keys()].map((path) => path.split('/', 1)[0] ?? path));
  for (const name of names) if ((await lstat(join(directory, name)).catch(() => undefined)) === undefined) return false;
  return true;
}
