/**
 * Reads small files whose names come from the operator, or from a caller within the operator's directory: cloud files,
 * keys, the cluster's CA, trusted authorities and the hosts file. Refuses a file that is not regular or is too large,
 * and never waits for a pipe or a device.
 */

import { constants } from 'node:fs';
import { type FileHandle, lstat, open, readlink, realpath } from 'node:fs/promises';
import { systemCodeOf } from './errors.ts';

/** The reason why a file cannot be read, in words that follow its name; it quotes nothing of its content. */
export class UnreadableFile extends Error {}

/** Names a content: another one has another stamp. */
export type FileStamp = string;

/** The content of a file. */
export interface ReadFile {
  readonly text: string;
  readonly stamp: FileStamp;
}

/** The content of a file as bytes, with its owner and its permissions. */
export interface ReadBytes {
  readonly bytes: Buffer;
  readonly stamp: FileStamp;
  /** Permission bits, such as `0o600`. */
  readonly mode: number;
  /** The user ID of its owner. */
  readonly owner: number;
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or directory',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  ELOOP: 'a symbolic link leads nowhere',
  ENOTDIR: 'not a directory',
  ENAMETOOLONG: 'the name is too long',
  ERR_INVALID_ARG_VALUE: 'the name holds a NUL character',
};

/**
 * Opens neither wait for a pipe or device, nor follow a link; {@link readRegularFile} finds links in the directories.
 */
const OPEN_FLAGS = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW | constants.O_NOCTTY;

/** Returns the path without symbolic links. Throws: {@link UnreadableFile}. */
export async function realPathOf(path: string): Promise<string> {
  return explained(realpath(path));
}

/**
 * Returns the stamp of a file by its real path. Throws: {@link UnreadableFile} if it is not there, or no regular file.
 */
export async function stampOf(realPath: string): Promise<FileStamp> {
  return stamp(await explained(lstat(realPath, { bigint: true })));
}

/**
 * Returns the text of a regular file of at most `maxBytes`, by its real path.
 * Throws: {@link UnreadableFile}, also where the file is no regular one, is larger, or grows while it is read.
 */
export async function readRegularFile(realPath: string, maxBytes: number): Promise<ReadFile> {
  const { bytes, stamp } = await readRegularBytes(realPath, maxBytes);
  return { text: bytes.toString('utf8'), stamp };
}

/** Returns the text of a file in a volume. Throws: as {@link readMountedBytes}. */
export async function readMountedFile(path: string, maxBytes: number): Promise<string> {
  return (await readMountedBytes(path, maxBytes)).bytes.toString('utf8');
}

/**
 * The volumes of Kubernetes change by a link to another directory: a file may be removed after it is found and before it
 * is opened.
 */
const TRIES = 2;

/**
 * Returns the bytes of a file by a path that may have links, such as those of a volume of Kubernetes.
 * Throws: as {@link readRegularFile}.
 */
export async function readMountedBytes(path: string, maxBytes: number): Promise<ReadBytes> {
  return tryAgain(async () => readRegularBytes(await realPathOf(path), maxBytes));
}

/** Does the work once more if a file cannot be read. Throws: {@link UnreadableFile} of the last try; other errors. */
export async function tryAgain<T>(work: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof UnreadableFile) || tries === TRIES) throw error;
    }
  }
}

/** Returns the bytes of a regular file. Throws: as {@link readRegularFile}. */
export async function readRegularBytes(realPath: string, maxBytes: number): Promise<ReadBytes> {
  await stampOf(realPath);
  const file = await explained(open(realPath, OPEN_FLAGS));
  try {
    if ((await pathOf(file, realPath)) !== realPath) throw new UnreadableFile('it was moved while it was opened');
    const status = await explained(file.stat({ bigint: true }));
    const found = stamp(status);
    if (status.size > maxBytes) throw new UnreadableFile(`it is larger than ${maxBytes} bytes`);
    const size = Number(status.size);
    const buffer = Buffer.alloc(size + 1);
    let length = 0;
    for (let read = -1; read !== 0 && length <= size; length += read) {
      read = (await explained(file.read(buffer, length, buffer.length - length))).bytesRead;
    }
    if (length > size) throw new UnreadableFile('it grows while it is read, or is no file on a disk');
    const [mode, owner] = [Number(status.mode) & 0o7777, Number(status.uid)];
    return { bytes: buffer.subarray(0, length), stamp: found, mode, owner };
  } finally {
    await file.close();
  }
}

/** Returns the path of an open file: a directory of its path may have become a link since `realpath` saw it. */
function pathOf({ fd }: FileHandle, otherwise: string): Promise<string> {
  // Only Linux tells it.
  return process.platform === 'linux' ? explained(readlink(`/proc/self/fd/${fd}`)) : Promise.resolve(otherwise);
}

interface Status {
  isFile(): boolean;
  isDirectory(): boolean;
  readonly dev: bigint;
  readonly ino: bigint;
  readonly size: bigint;
  readonly mode: bigint;
  readonly uid: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
}

function stamp(status: Status): FileStamp {
  if (status.isDirectory()) throw new UnreadableFile('it is a directory');
  if (!status.isFile()) throw new UnreadableFile('it is not a regular file');
  const { dev, ino, size, mtimeNs, ctimeNs } = status;
  return [dev, ino, size, mtimeNs, ctimeNs].join(' ');
}

/** Errors of the file system in plain words: their own quote paths, which need not be the one that was asked for. */
async function explained<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    const code = systemCodeOf(error) || 'it cannot be read';
    throw new UnreadableFile(REASONS[code] ?? code, { cause: error });
  }
}
