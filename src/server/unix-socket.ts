/**
 * The file of the listening socket: how it is taken at the start, taken again when it was lost, and removed at the end.
 *
 * A Unix socket is bound under a private name beside the public one and then moved there, so that whoever connects
 * finds either the predecessor or its successor, never nothing. Node unlinks the name it bound when a server closes,
 * whoever owns that name by then; the private one is gone by that time, and the public one we remove ourselves, while it
 * is still ours (same device and inode; our open socket keeps that inode from being given to another file).
 *
 * The directory is not created: in a cluster it is a volume of the host, and where that is missing a directory of our own
 * would hide the mistake from everybody but the driver, which would never see the socket.
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

/** `sun_path` of Linux holds 108 octets, the last of them NUL; libuv cuts what is longer without a word. */
const MAX_PATH_BYTES = 107;
const PRIVATE_SUFFIX_BYTES = 3;
const PRIVATE_SUFFIX_LENGTH = 1 + 2 * PRIVATE_SUFFIX_BYTES;
/** A private name this young may belong to a provider that is just starting. */
const ABANDONED_AFTER_MS = 10_000;

/** The socket file of a server that listens. */
export interface SocketFile {
  /** What stands at its path now. */
  look(): Promise<'ours' | 'other' | 'gone'>;
  /** The start went well: the predecessor's socket is not needed any more. */
  settle(): void;
  /** Removes the file if it is still ours; before {@link SocketFile.settle} the predecessor's stands there again. */
  remove(): void;
}

/** Listens at a path, in place of whoever did before. Throws: ERR_USAGE. */
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
  return socketFile({ path, ours, aside });
}

/** Listens at a path where nobody else does; undefined where someone does. Throws: ERR_USAGE. */
export async function takeFreeSocket(server: Server, path: string): Promise<SocketFile | undefined> {
  const left = identity(path);
  if (left !== undefined) {
    requireReplaceable(path);
    if (!(await refusesConnections(path))) return undefined;
  }
  const { privatePath, ours } = await bindPrivately(server, path);
  if (left !== undefined && identity(path) === left) unlinkQuietly(path);
  try {
    // Unlike a rename, it replaces nobody who came meanwhile.
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

/** What `connect` says of a path where nobody listens; the last two are those of a symbolic link that leads nowhere. */
const NOBODY: ReadonlySet<string | undefined> = new Set(['ECONNREFUSED', 'ENOENT', 'ELOOP']);

/** Whether nobody listens at a path where there is a file. */
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
  /** Where the predecessor's socket is kept. */
  readonly aside: string | undefined;
}

function socketFile({ path, ours, aside: kept }: Taken): SocketFile {
  let aside = kept;
  const settle = () => {
    unlinkQuietly(aside);
    aside = undefined;
  };
  return {
    async look() {
      try {
        return identityOf(await lstat(path)) === ours ? 'ours' : 'other';
      } catch (error) {
        // Where it cannot be told, nobody has been seen to take it.
        return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'gone' : 'ours';
      }
    },
    settle,
    remove() {
      if (ours === undefined || identity(path) !== ours) settle();
      else if (aside === undefined) unlinkQuietly(path);
      else renameQuietly(aside, path);
    },
  };
}

/** A second name for the socket of the predecessor, if there is one and we may give it one. */
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
 * The umask belongs to the whole process, but `listen` binds a pipe before it returns, so nothing else of ours runs under
 * this one. The file thus never has more rights than 0600, not even for a moment.
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

/** A socket is replaced, and so is an empty file, such as a volume mount leaves; anything else is not ours to remove. */
function requireReplaceable(path: string): void {
  const found = stat(path);
  if (found === undefined || found.isSocket() || (found.isFile() && found.size === 0)) return;
  throw new ProviderError(
    'ERR_USAGE',
    `Cannot listen on ${path}: there is something else than a socket; remove it or choose another --endpoint`,
  );
}

/** Removes private names that a provider killed between bind and rename left, if nobody listens on them. */
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
    // There is nothing else to be put there.
  }
}

function unlinkQuietly(path: string | undefined): void {
  if (path === undefined) return;
  try {
    unlinkSync(path);
  } catch {
    // Gone already, or the directory is: both are what was wanted.
  }
}
