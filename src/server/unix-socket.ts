/**
 * The life of the listening socket.
 *
 * A Unix socket is bound under a private name beside the public one and then renamed over it, so that whoever connects
 * finds either the predecessor or its successor, never nothing. Node unlinks the name it bound when a server closes,
 * whoever owns that name by then; the private one is gone by that time, and the public one we remove ourselves, while it
 * is still ours (same device and inode; our open socket keeps that inode from being given to another file).
 *
 * The directory is not created: in a cluster it is a volume of the host, and where that is missing a directory of our own
 * would hide the mistake from everybody but the driver, which would never see the socket.
 */
import { randomBytes } from 'node:crypto';
import { lstatSync, readdirSync, renameSync, type Stats, unlinkSync } from 'node:fs';
import { connect, type Server } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { systemClock } from '../base/clock.ts';
import { ProviderError } from '../base/errors.ts';
import { type Bound, bind, cannotListen } from './bind.ts';
import type { Endpoint } from './endpoint.ts';

/** `sun_path` of Linux holds 108 octets, the last of them NUL; libuv cuts what is longer without a word. */
const MAX_PATH_BYTES = 107;
const PRIVATE_SUFFIX_BYTES = 3;
const PRIVATE_SUFFIX_LENGTH = 1 + 2 * PRIVATE_SUFFIX_BYTES;
/** A private name this young may belong to a provider that is just starting. */
const ABANDONED_AFTER_MS = 10_000;

/** Opens a Unix socket. Raises `ERR_USAGE`. */
export async function bindUnix(server: Server, path: string): Promise<Bound> {
  const endpoint: Endpoint = { kind: 'unix', path };
  const longest = MAX_PATH_BYTES - PRIVATE_SUFFIX_LENGTH;
  const length = Buffer.byteLength(path);
  if (length > longest) {
    throw new ProviderError(
      'ERR_USAGE',
      `Cannot listen on ${path}: the path has ${length} bytes and may have ${longest}; choose a shorter --endpoint`,
    );
  }
  refuseForeignFile(path);
  await removeAbandoned(path);
  const privatePath = `${path}.${randomBytes(PRIVATE_SUFFIX_BYTES).toString('hex')}`;
  await bindPrivately(server, privatePath, endpoint);
  const ours = identity(privatePath);
  try {
    renameSync(privatePath, path);
  } catch (error) {
    server.close();
    throw cannotListen(endpoint, error);
  }
  return {
    endpoint,
    remove() {
      if (ours !== undefined && identity(path) === ours) unlinkQuietly(path);
    },
  };
}

/**
 * The umask belongs to the whole process, but `listen` binds a pipe before it returns, so nothing else of ours runs under
 * this one. The file thus never has more rights than 0600, not even for a moment.
 */
async function bindPrivately(server: Server, path: string, endpoint: Endpoint): Promise<void> {
  const before = process.umask(0o177);
  let bound: Promise<void>;
  try {
    bound = bind(server, { path }, endpoint);
  } finally {
    process.umask(before);
  }
  await bound;
}

/** A socket is replaced, and so is an empty file, such as a volume mount leaves; anything else is not ours to remove. */
function refuseForeignFile(path: string): void {
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

function refusesConnections(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(false);
    });
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'));
  });
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
  return found && `${found.dev}:${found.ino}`;
}

function unlinkQuietly(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // Gone already, or the directory is: both are what was wanted.
  }
}
