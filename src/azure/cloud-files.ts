/**
 * Reads the files that describe custom clouds, for Mounts and for the commands that check or make them. The caller of a
 * Mount chooses the name: only regular files below the operator's directory are read, and an error reveals nothing
 * about files outside it.
 */

import { dirname, resolve } from 'node:path';
import { Cache } from '../base/cache.ts';
import {
  type FileStamp,
  readRegularFile,
  realPathOf,
  stampOf,
  tryAgain,
  UnreadableFile,
} from '../base/regular-file.ts';
import { clip, quote } from '../base/words.ts';
import type { CloudFile } from '../spc/cloud.ts';

/** Such a file has about two kilobytes. */
const MAX_BYTES = 64 * 1024;
/** Texts that are remembered. */
const KEPT = { entries: 32, bytes: 512 * 1024 };
const FLAG = '--cloud-file-dir';
const ELSEWHERE = `mount it, or start the provider with another ${FLAG}`;

/** The settings of the operator. */
export interface CloudFileSources {
  /** `--cloud-file-dir`; empty: the directory of `ownFile`. */
  readonly directory: string;
  /** `AZURE_ENVIRONMENT_FILEPATH`, the file of Mounts that name none; empty if it is not set. */
  readonly ownFile: string;
  /** Default: {@link readRegularFile}. */
  readonly readFile?: typeof readRegularFile;
}

/** The cloud files of an operator; what was read is remembered until the file changes. */
export class CloudFiles {
  readonly #directory: string;
  readonly #ownFile: string;
  readonly #ownPath: string;
  readonly #readFile: typeof readRegularFile;
  readonly #known = new Cache<{ readonly stamp: FileStamp; readonly text: string }>(KEPT);
  readonly #reading = new Map<string, Promise<string>>();

  constructor({ directory, ownFile, readFile = readRegularFile }: CloudFileSources) {
    this.#readFile = readFile;
    this.#ownFile = ownFile;
    this.#ownPath = ownFile === '' ? '' : resolve(ownFile);
    this.#directory = directory === '' ? defaultDirectory(ownFile) : resolve(directory);
  }

  /**
   * Reads the file of a `cloudEnvFileName`. A relative name is below the directory, and an empty one means the
   * operator's own file.
   */
  async read(name: string): Promise<CloudFile> {
    const directory = this.#directory;
    if (name === '' || resolve(directory, name) === this.#ownPath) return this.#readOwn(name);
    const problem = (reason: string) => ({ problem: `cloudEnvFileName ${quote(name)} ${reason}` });
    if (directory === '') {
      const remedy = `start it with ${FLAG}, or with AZURE_ENVIRONMENT_FILEPATH in its environment`;
      return problem(`is not read: the provider has no directory of cloud files; ${remedy}`);
    }
    const remedy = `put the file into that directory, or start the provider with another ${FLAG}`;
    const path = resolve(directory, name);
    const root = await realPathOf(directory).catch(() => '');
    if (root === '')
      return problem(`is not read: the directory of cloud files, ${directory}, is not there; ${ELSEWHERE}`);
    if (!isBelow(path, directory) && !isBelow(path, root)) {
      return problem(`must name a file below ${directory}; ${remedy}`);
    }
    // A link out of the directory and a missing file get one answer: it must not reveal which files exist outside.
    const find = async () => {
      const real = await realPathOf(path).catch(() => '');
      if (isBelow(real, root)) return real;
      throw new UnreadableFile(`there is no such file below ${directory}; ${remedy}`);
    };
    return this.#answer(name, find, (reason) => problem(`cannot be read: ${reason}`));
  }

  /** Reads the operator's own file. Its links may lead anywhere. */
  async #readOwn(name: string): Promise<CloudFile> {
    const file = this.#ownFile;
    if (file === '') {
      return {
        problem: 'it needs cloudEnvFileName, or AZURE_ENVIRONMENT_FILEPATH in the environment of the provider',
      };
    }
    const find = () => realPathOf(file);
    return this.#answer(name || file, find, (reason) => ({ problem: `open ${clip(file)}: ${reason}` }));
  }

  async #answer(name: string, find: () => Promise<string>, problem: (reason: string) => CloudFile): Promise<CloudFile> {
    try {
      return { name, text: await tryAgain(async () => this.#textOf(await find())) };
    } catch (error) {
      if (!(error instanceof UnreadableFile)) throw error;
      return problem(error.message);
    }
  }

  async #textOf(realPath: string): Promise<string> {
    const known = this.#known.get(realPath);
    if (known !== undefined && known.stamp === (await stampOf(realPath))) return known.text;
    const reading = this.#reading.get(realPath) ?? this.#read(realPath);
    this.#reading.set(realPath, reading);
    return reading;
  }

  async #read(realPath: string): Promise<string> {
    try {
      const { text, stamp } = await this.#readFile(realPath, MAX_BYTES);
      this.#known.set(realPath, { stamp, text }, { bytes: 2 * text.length });
      return text;
    } finally {
      this.#reading.delete(realPath);
    }
  }
}

/** Returns the directory of the operator's own file, or an empty text if that is the root of the file system. */
function defaultDirectory(ownFile: string): string {
  const directory = ownFile === '' ? '/' : dirname(resolve(ownFile));
  return directory === '/' ? '' : directory;
}

function isBelow(path: string, directory: string): boolean {
  return path.startsWith(directory.endsWith('/') ? directory : `${directory}/`);
}
