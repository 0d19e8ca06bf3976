/**
 * Binds the file of the listening socket at the start, binds it again after a loss, and removes it at the end. The
 * listener and the watch of the socket call it. It refuses to replace anything but a socket or an empty file.
 *
 * A Unix socket is bound under a private name beside the public one and then renamed, so that a client always finds the
 * predecessor or its successor. Node unlinks the name that it bound when a server closes, even if another process owns
 * that name by then. The private name no longer exists at that time. This file removes the public name, if it is still
 * ours (same device and inode; the open socket keeps the inode from being reused).
 *
 * The socket of a predecessor that still runs keeps a second, private name. It gets the public name back at our end:
 * without that, no process would be reached until the predecessor has noticed the end.
 *
 * The directory is not created: in a cluster it is a volume of the host. If that volume is missing, a new directory
 * would hide the mistake, and the driver would never see the socket.
 */

import { randomBytes } from 'node:crypto';
import { linkSync, lstatSync, readdirSync, renameSync, type Stats, unlinkSync } from 'node:fs';
import { lstat } from 'node:fs/promises';
import { connect, type Server } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { systemClock } from '../base/clock.ts';
import { ProviderError } from '../base/errors.ts';
import { bind, cannotListen } from './bind.ts';
import type { Endpoint } from './endpoint.ts';

/** `sun_path` of Linux holds 108 octets, the last of them NUL; libuv truncates a longer path without an error. */
const MAX_PATH_BYTES = 107;
const PRIVATE_SUFFIX_BYTES = 3;
const PRIVATE_SUFFIX_LENGTH = 1 + 2 * PRIVATE_SUFFIX_BYTES;
/** A younger private name may belong to a provider that is starting. */
const ABANDONED_AFTER_MS = 10_000;

/** The socket file of a server that listens. */
export interface SocketFile {
  /** The owner of the file at the path. */
  look(): Promise<'ours' | 'other' | 'gone'>;
  /** Removes the socket of the predecessor if it does not listen any more, also after it got it back. */
  checkPredecessor(): Promise<void>;
  /** Removes the file if it is still ours, or gives the predecessor its own back. */
  remove(): void;
}

/** Listens at a path and replaces a predecessor. Throws: ERR_USAGE. */
export async function takeSocket(server: Server, path: string): Promise<SocketFile> {
  requireRoom(path);
  requireReplaceable(path);
  await removeAbandoned(path);
  const { privatePath, ours } = await bindPrivately(server, path);
  const aside = keepAside(path);
  try {
    renameSync(privatePath, path);
  } catch (error) {
    server.close();
    unlinkQuietly(aside);
    throw cannotListen({ kind: 'unix', path }, error);
  }
  const file = socketFile({ path, ours, aside });
  await file.checkPredecessor();
  return file;
}

/** Listens at a path; returns undefined if another process listens there. Throws: ERR_USAGE. */
export async function takeFreeSocket(server: Server, path: string): Promise<SocketFile | undefined> {
  const left = identity(path);
  if (left !== undefined) {
    requireReplaceable(path);
    if (!(await refusesConnections(path))) return undefined;
  }
  const { privatePath, ours } = await bindPrivately(server, path);
  if (left !== undefined && identity(path) === left) unlinkQuietly(path);
  try {
    // Unlike a rename, a link does not replace a socket that was made meanwhile.
    linkSync(privatePath, path);
    return socketFile({ path, ours, aside: undefined });
  } catch (error) {
    server.close();
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return undefined;
    throw cannotListen({ kind: 'unix', path }, error);
  } finally {
    unlinkQuietly(privatePath);
  }
}

/** The errors of `connect` for a path where no process listens; the last two are those of a dangling symbolic link. */
const NOBODY: ReadonlySet<string | undefined> = new Set(['ECONNREFUSED', 'ENOENT', 'ELOOP']);

/** True if no process listens at the path. */
export function refusesConnections(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(false);
    });
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(NOBODY.has(error.code)));
  });
}

interface Taken {
  readonly path: string;
  readonly ours: string | undefined;
  /** The second name of the predecessor's socket. */
  readonly aside: string | undefined;
}

function socketFile({ path, ours, aside: kept }: Taken): SocketFile {
  let aside = kept;
  let givenBack: string | undefined;
  const forget = () => {
    unlinkQuietly(aside);
    aside = undefined;
  };
  const giveBack = (name: string) => {
    givenBack = identity(name);
    renameQuietly(name, path);
    aside = undefined;
  };
  return {
    async look() {
      try {
        return identityOf(await lstat(path)) === ours ? 'ours' : 'other';
      } catch (error) {
        // If the owner cannot be read, the file counts as not taken.
        return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'gone' : 'ours';
      }
    },
    async checkPredecessor() {
      if (aside !== undefined && (await refusesConnections(aside))) forget();
      if (givenBack !== undefined && (await refusesConnections(path)) && identity(path) === givenBack)
        unlinkQuietly(path);
    },
    remove() {
      if (ours === undefined || identity(path) !== ours) forget();
      else if (aside === undefined) unlinkQuietly(path);
      else giveBack(aside);
    },
  };
}

/** Makes a second name for the socket of the predecessor, if there is one and the file system allows it. */
function keepAside(path: string): string | undefined {
  if (stat(path)?.isSocket() !== true) return undefined;
  const aside = privateName(path);
  try {
    linkSync(path, aside);
    return aside;
  } catch {
    return undefined;
  }
}

function privateName(path: string): string {
  return `${path}.${randomBytes(PRIVATE_SUFFIX_BYTES).toString('hex')}`;
}

function requireRoom(path: string): void {
  const longest = MAX_PATH_BYTES - PRIVATE_SUFFIX_LENGTH;
  const length = Buffer.byteLength(path);
  if (length <= longest) return;
  throw new ProviderError(
    'ERR_USAGE',
    `Cannot listen on ${path}: the path has ${length} bytes and may have ${longest}; choose a shorter --endpoint`,
  );
}

/**
 * Binds under a private name. The umask belongs to the whole process, but `listen` binds a pipe before it returns, so
 * no other code runs under this umask. The file thus never has more permissions than 0600.
 */
async function bindPrivately(server: Server, path: string) {
  const privatePath = privateName(path);
  const endpoint: Endpoint = { kind: 'unix', path };
  const before = process.umask(0o177);
  let bound: Promise<void>;
  try {
    bound = bind(server, { path: privatePath }, (error) => cannotListen(endpoint, error));
  } finally {
    process.umask(before);
  }
  await bound;
  return { privatePath, ours: identity(privatePath) };
}

/** A socket is replaced, and so is an empty file, which a volume mount may leave; anything else is refused. */
function requireReplaceable(path: string): void {
  const found = stat(path);
  if (found === undefined || found.isSocket() || (found.isFile() && found.size === 0)) return;
  throw new ProviderError(
    'ERR_USAGE',
    `Cannot listen on ${path}: the file there is not a socket; remove it or choose another --endpoint`,
  );
}

/** Removes private names of providers that were killed between bind and rename, if no process listens on them. */
async function removeAbandoned(path: string): Promise<void> {
  const prefix = `${basename(path)}.`;
  for (const name of list(dirname(path))) {
    if (!name.startsWith(prefix) || !/^[0-9a-f]{6}$/.test(name.slice(prefix.length))) continue;
    const candidate = join(dirname(path), name);
    const found = stat(candidate);
    if (found === undefined || !found.isSocket() || systemClock.wall() - found.mtimeMs < ABANDONED_AFTER_MS) continue;
    if (await refusesConnections(candidate)) unlinkQuietly(candidate);
  }
}

function list(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function stat(path: string): Stats | undefined {
  try {
    return lstatSync(path);
  } catch {
    return undefined;
  }
}

function identity(path: string): string | undefined {
  const found = stat(path);
  return found && identityOf(found);
}

function identityOf({ dev, ino }: Stats): string {
  return `${dev}:${ino}`;
}

function renameQuietly(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch {
    // There is no predecessor to restore.
  }
}

function unlinkQuietly(path: string | undefined): void {
  if (path === undefined) return;
  try {
    unlinkSync(path);
  } catch {
    // The file or its directory is already removed.
  }
}
