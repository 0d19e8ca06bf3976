/**
 * The directory of the sealed store: lists, reads, writes and removes its files. Only the store calls it. Refuses a
 * directory that others may write to or that holds too much, and never opens what is not a regular file of its own.
 *
 * A file is written under another name, flushed, and renamed, so that its name always holds a whole content.
 */

import { constants } from 'node:fs';
import { type FileHandle, lstat, mkdir, open, opendir, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { ProviderError, systemCodeOf } from '../../base/errors.ts';
import { type FileStamp, readRegularBytes, realPathOf, stampOf, UnreadableFile } from '../../base/regular-file.ts';

/** The directory below the operator's, so that nobody else's permissions are changed. */
export const STORE_DIR = 'akv-csi-v1';
/** Names in the directory that are looked at; one with more is refused. */
export const MAX_NAMES = 10_000;
const TEMPORARY = 'new.tmp';
const OWN_NAME = /^[0-9a-f]{64}\.(entry|index)$/;
const FLAG = '--offline-cache-dir';

/** A regular file of the store. */
export interface StoredFile {
  readonly name: string;
  readonly bytes: number;
  /** Milliseconds since 1970. It is not authenticated. */
  readonly modifiedAt: number;
}

/** What stands in the directory. */
export interface Listing {
  readonly files: readonly StoredFile[];
  /** Names that are not the store's, or that are no regular files. */
  readonly foreign: readonly string[];
}

/** Files of the store. */
export class StoreFiles {
  /** Its real path. */
  readonly directory: string;

  private constructor(directory: string) {
    this.directory = directory;
  }

  /** Opens, or makes, the store's directory below that of the operator. Throws: ERR_SETUP; errors of the file system. */
  static async open(parent: string): Promise<StoreFiles> {
    const root = await realPathOf(parent).catch((error: unknown) => {
      if (!(error instanceof UnreadableFile)) throw error;
      throw setup(parent, `${error.message}; mount a directory there, or correct the flag`);
    });
    const files = new StoreFiles(join(root, STORE_DIR));
    await files.make();
    return files;
  }

  /** Makes the directory if it is gone. Throws: ERR_SETUP where it is not fit for a store; errors of the file system. */
  async make(): Promise<void> {
    const { directory } = this;
    await mkdir(directory, { mode: 0o700 }).catch((error: unknown) => {
      if (systemCodeOf(error) !== 'EEXIST') throw error;
    });
    const status = await lstat(directory);
    if (!status.isDirectory()) throw setup(directory, 'it is not a directory; delete it');
    const own = process.geteuid?.();
    if (own !== undefined && status.uid !== own) {
      const remedy = `the provider runs as user ${own}: chown it, or delete it`;
      throw setup(directory, `it belongs to user ${status.uid}; ${remedy}`);
    }
    if ((status.mode & 0o077) !== 0) {
      const shown = (status.mode & 0o7777).toString(8).padStart(4, '0');
      throw setup(directory, `its mode is ${shown}, so that others may read or change it; chmod 0700 it, or delete it`);
    }
  }

  /** Looks at the directory, and opens nothing. Throws: ERR_SETUP where it holds too much. */
  async list(): Promise<Listing> {
    const names: string[] = [];
    for await (const { name } of await opendir(this.directory)) {
      if (names.push(name) > MAX_NAMES) {
        throw setup(
          this.directory,
          `it holds more than ${MAX_NAMES} files, which the provider does not write; empty it`,
        );
      }
    }
    const files: StoredFile[] = [];
    const foreign: string[] = [];
    for (const name of names) {
      if (name === TEMPORARY) continue;
      const status = OWN_NAME.test(name) ? await lstat(this.#path(name)).catch(() => undefined) : undefined;
      if (status?.isFile() !== true) foreign.push(name);
      else files.push({ name, bytes: status.size, modifiedAt: status.mtimeMs });
    }
    return { files, foreign };
  }

  /** Throws: `UnreadableFile`. */
  async read(name: string, maxBytes: number): Promise<Buffer> {
    return (await readRegularBytes(this.#path(name), maxBytes)).bytes;
  }

  /** The stamp of a file; undefined where it is not there. */
  async stamp(name: string): Promise<FileStamp | undefined> {
    return stampOf(this.#path(name)).catch(() => undefined);
  }

  /** Gives a file this content, whole or not at all. It lasts once {@link flush} is done. */
  async write(name: string, content: Buffer): Promise<void> {
    const temporary = this.#path(TEMPORARY);
    await this.remove(TEMPORARY);
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    const file = await open(temporary, flags, 0o600);
    await closing(file, async () => {
      await file.writeFile(content);
      await file.datasync();
    });
    await rename(temporary, this.#path(name));
  }

  async remove(name: string): Promise<void> {
    await unlink(this.#path(name)).catch((error: unknown) => {
      if (systemCodeOf(error) !== 'ENOENT') throw error;
    });
  }

  /** Makes names that were written and removed last. */
  async flush(): Promise<void> {
    const directory = await open(this.directory, constants.O_RDONLY | constants.O_DIRECTORY);
    await closing(directory, () => directory.sync());
  }

  #path(name: string): string {
    return join(this.directory, name);
  }
}

async function closing(file: FileHandle, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } finally {
    await file.close();
  }
}

function setup(path: string, reason: string): ProviderError {
  return new ProviderError('ERR_SETUP', `${FLAG} ${path}: ${reason}`);
}
