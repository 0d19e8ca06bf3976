/**
 * Writes the files of a volume as the Kubernetes atomic writer does. `publish.ts` calls it. Refuses paths outside the volume.
 */

import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { systemClock } from '../base/clock.ts';
import { ProviderError } from '../base/errors.ts';
import type { MountedFile } from '../wire/contract.ts';
import { makeDirectory } from './make-directory.ts';
import { pathProblem } from './rules.ts';

const DATA = '..data';
const DATA_NEW = '..data_tmp';
const VERSION_DIR = /^\.\.\d{4}(_\d\d){5}\.[A-Za-z0-9]+$/;

/**
 * Replaces the content of `targetDir` with `files`, as the driver does with the Kubernetes atomic writer. The files are
 * written to a new directory (`..<time>.<random>`). The link `..data` points to that directory and is replaced by a
 * rename. Every top-level name is a symbolic link through `..data`. Readers see the old set or the new set, never a
 * mixture.
 *
 * Returns true if anything was written. Equal contents leave the volume untouched, even if a mode differs. Files that a
 * crash left behind are removed. Only names inside `targetDir` are changed: links found there are replaced, not
 * followed.
 * Differs: a directory that has a name that the volume needs is an error; the driver removes it, because it alone
 * writes to its tmpfs.
 * Throws: ERR_BAD_CONTENT for a path outside the volume and for such a directory.
 */
export async function writeVolume(targetDir: string, files: readonly MountedFile[]): Promise<boolean> {
  for (const { path } of files) {
    const problem = pathProblem(path);
    if (problem !== undefined) throw new ProviderError('ERR_BAD_CONTENT', `invalid path: ${problem}: ${path}`);
  }
  const names = new Set(files.map(({ path }) => topLevel(path)));
  await makeDirectory(targetDir, 0o755);
  await refuseDirectories(targetDir, names);

  const current = await currentVersion(targetDir);
  const stale = current === undefined || !(await holdsExactly(join(targetDir, current), files));
  const live = stale ? await writeVersion(targetDir, files) : current;
  await linkNames(targetDir, names);
  await removeOthers(targetDir, live, names);
  return stale;
}

/**
 * Returns the name of the directory that `..data` points to. Returns undefined if `..data` is not a link to a directory
 * of this writer.
 */
async function currentVersion(targetDir: string): Promise<string | undefined> {
  const name = await linkTarget(join(targetDir, DATA));
  if (name === undefined || !VERSION_DIR.test(name)) return undefined;
  return (await kindAt(join(targetDir, name))) === 'directory' ? name : undefined;
}

async function holdsExactly(versionDir: string, files: readonly MountedFile[]): Promise<boolean> {
  const entries = await readdir(versionDir, { withFileTypes: true, recursive: true });
  const present = entries.filter((entry) => !entry.isDirectory());
  if (present.length !== files.length) return false;
  for (const { path, contents } of files) {
    if (!(await isPlainFile(versionDir, path))) return false;
    const old = await readFile(join(versionDir, path)).catch(() => undefined);
    if (old === undefined || !old.equals(contents)) return false;
  }
  return true;
}

/** Returns true if the path consists of directories and then a file, without links. */
async function isPlainFile(root: string, path: string): Promise<boolean> {
  const elements = path.split('/');
  for (let depth = 1; depth <= elements.length; depth++) {
    const expected = depth === elements.length ? 'file' : 'directory';
    if ((await kindAt(join(root, ...elements.slice(0, depth)))) !== expected) return false;
  }
  return true;
}

async function writeVersion(targetDir: string, files: readonly MountedFile[]): Promise<string> {
  const versionDir = await mkdtemp(join(targetDir, `..${timestamp(new Date(systemClock.wall()))}.`));
  await chmod(versionDir, 0o755);
  for (const { path, mode, contents } of files) {
    const file = join(versionDir, path);
    await makeDirectories(versionDir, path);
    await writeFile(file, contents, { flag: 'wx', mode: 0o600 });
    // `chmod` sets the bits that the umask of this process removes.
    await chmod(file, mode & 0o777);
  }
  const name = versionDir.slice(dirname(versionDir).length + 1);
  const linkNew = join(targetDir, DATA_NEW);
  await rm(linkNew, { recursive: true, force: true });
  await symlink(name, linkNew);
  if ((await kindAt(join(targetDir, DATA))) === 'directory') await rm(join(targetDir, DATA), { recursive: true });
  await rename(linkNew, join(targetDir, DATA));
  return name;
}

async function makeDirectories(root: string, path: string): Promise<void> {
  const parents = path.split('/').slice(0, -1);
  for (let depth = 1; depth <= parents.length; depth++) {
    const directory = join(root, ...parents.slice(0, depth));
    if ((await kindAt(directory)) !== undefined) continue;
    await mkdir(directory);
    await chmod(directory, 0o755);
  }
}

async function linkNames(targetDir: string, names: ReadonlySet<string>): Promise<void> {
  for (const name of names) {
    const link = join(targetDir, name);
    if ((await linkTarget(link)) === `${DATA}/${name}`) continue;
    await rm(link, { force: true });
    await symlink(`${DATA}/${name}`, link);
  }
}

/** Removes the links to files that no longer exist, older versions, and what a crash left behind. */
async function removeOthers(targetDir: string, live: string, names: ReadonlySet<string>): Promise<void> {
  for (const name of await readdir(targetDir)) {
    const path = join(targetDir, name);
    const leftover = name === DATA_NEW || (VERSION_DIR.test(name) && name !== live);
    const gone = !names.has(name) && (await linkTarget(path)) === `${DATA}/${name}`;
    if (leftover || gone) await rm(path, { recursive: true, force: true });
  }
}

async function refuseDirectories(targetDir: string, names: ReadonlySet<string>): Promise<void> {
  for (const name of names) {
    if ((await kindAt(join(targetDir, name))) === 'directory') {
      throw new ProviderError(
        'ERR_BAD_CONTENT',
        `${join(targetDir, name)} is a directory, but the volume needs this name for a link; choose an empty target`,
      );
    }
  }
}

async function kindAt(path: string): Promise<'file' | 'directory' | 'other' | undefined> {
  const stats = await lstat(path).catch(() => undefined);
  if (stats === undefined) return undefined;
  if (stats.isDirectory()) return 'directory';
  return stats.isFile() ? 'file' : 'other';
}

async function linkTarget(path: string): Promise<string | undefined> {
  return readlink(path).catch(() => undefined);
}

function topLevel(path: string): string {
  return path.split('/', 1)[0] ?? path;
}

function timestamp(date: Date): string {
  return date.toISOString().slice(0, 19).replace(/[-T:]/g, '_');
}
