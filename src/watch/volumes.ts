/**
 * Watches the volumes of some directories, and reports each change of their files once, when the new files are complete.
 * `cli/watch.ts` calls it. A directory that is not there yet, or that is replaced, is waited for.
 */

import { type FSWatcher, watch } from 'node:fs';
import { stat } from 'node:fs/promises';
import { delay } from '../base/abort.ts';
import { messageOf, systemCodeOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { type Contents, contentsOf, isComplete, LIVE_LINK, stateOf } from './contents.ts';

/** The files of a directory that differ from those before. */
export interface Change {
  readonly directory: string;
  /** Paths in the directory, sorted. */
  readonly added: readonly string[];
  readonly changed: readonly string[];
  readonly removed: readonly string[];
}

/** Options of {@link watchVolumes}. */
export interface WatchOptions {
  readonly log: Logger;
  /** A change is reported when no other has followed for this long, in milliseconds. */
  readonly settleMs: number;
  readonly signal: AbortSignal;
  /** The time between two looks at directories whose changes the kernel does not report, in milliseconds. */
  readonly pollMs?: number;
  /** Waits between two looks at what settles; tests replace it. */
  readonly wait?: typeof delay;
}

const POLL_MS = 2_000;
/** The number of changes in a row that one report waits for. */
const MAX_SETTLING = 20;
/** How often files are read that the writer replaces at the same moment, or whose links are missing, with a pause. */
const MAX_READS = 20;
const READ_PAUSE_MS = 100;

/**
 * Reads all directories and then watches them until the signal aborts. `onChange` gets the changes of all directories that
 * happened together. The promise resolves when the files before the first change are known; its function then watches.
 */
export async function watchVolumes(
  directories: readonly string[],
  onChange: (changes: readonly Change[]) => void,
  options: WatchOptions,
): Promise<() => Promise<void>> {
  const bell = new Bell(options.pollMs ?? POLL_MS);
  const volumes = directories.map((directory) => new Volume(directory, bell, options.log));
  for (const volume of volumes) await volume.begin();
  return async () => {
    try {
      await follow(volumes, { bell, onChange, wait: delay, pollMs: POLL_MS, ...options });
    } catch (error) {
      if (!options.signal.aborted) throw error;
    } finally {
      for (const volume of volumes) volume.close();
    }
  };
}

interface Following extends Required<WatchOptions> {
  readonly bell: Bell;
  readonly onChange: (changes: readonly Change[]) => void;
}

async function follow(volumes: readonly Volume[], following: Following): Promise<void> {
  const { bell, onChange, signal } = following;
  while (!signal.aborted) {
    await settled(volumes, following);
    const changes: Change[] = [];
    for (const volume of volumes.filter(({ hasMoved }) => hasMoved)) {
      const change = await volume.update(following);
      if (change !== undefined) changes.push(change);
    }
    if (changes.length > 0) onChange(changes);
    await bell.rung(signal);
  }
}

/** Looks at all volumes. If one has moved, waits until none moves any more. */
async function settled(volumes: readonly Volume[], { settleMs, signal, wait }: Following): Promise<void> {
  const versions = async () => (await Promise.all(volumes.map((volume) => volume.look()))).join('\n');
  let seen = await versions();
  if (!volumes.some(({ hasMoved }) => hasMoved)) return;
  for (let round = 0; round < MAX_SETTLING; round++) {
    await wait(settleMs, signal);
    const before = seen;
    seen = await versions();
    if (seen === before) return;
  }
}

/** Wakes the loop: an event of the kernel, or the time of the next look. */
class Bell {
  readonly #pollMs: number;
  #ringing = false;
  #wake = () => {};

  constructor(pollMs: number) {
    this.#pollMs = pollMs;
  }

  readonly ring = (): void => {
    this.#ringing = true;
    this.#wake();
  };

  /** Resolves when the bell has been rung since the last call, or after the time of a poll, or when the signal aborts. */
  async rung(signal: AbortSignal): Promise<void> {
    if (!this.#ringing && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(() => this.#wake(), this.#pollMs);
        this.#wake = () => {
          clearTimeout(timer);
          signal.removeEventListener('abort', this.#wake);
          resolve();
        };
        signal.addEventListener('abort', this.#wake, { once: true });
      });
    }
    this.#ringing = false;
  }
}

/** One directory: the files that the reports so far are about, and the version that is live now. */
class Volume {
  readonly #directory: string;
  readonly #bell: Bell;
  readonly #log: Logger;
  #known: Contents | undefined;
  #live: string | undefined;
  #said = '';
  #failure = '';
  #watcher: FSWatcher | undefined;
  /** Device and inode of the directory that the kernel reports on: another may be mounted over it. */
  #watched = '';

  constructor(directory: string, bell: Bell, log: Logger) {
    this.#directory = directory;
    this.#bell = bell;
    this.#log = log.with({ directory });
  }

  /** Takes the files that are there as those before the first change. */
  async begin(): Promise<void> {
    if ((await this.look()) !== '')
      this.#known = await contentsOf(this.#directory).catch((error) => this.#cannotRead(error));
    if (this.#known !== undefined) this.#log.info('Watching', { files: this.#known.digests.size });
  }

  get hasMoved(): boolean {
    return this.#live !== undefined && this.#live !== this.#known?.version;
  }

  /** Returns the name of the live version; empty if there is none. Says once what is wrong with the directory. */
  async look(): Promise<string> {
    await this.#rearm();
    const { version, problem } = await stateOf(this.#directory);
    this.#live = version;
    if (problem !== undefined && problem !== this.#said) this.#log.warn('Waiting for the volume', { detail: problem });
    this.#said = problem ?? '';
    return version ?? '';
  }

  /** Reads the live version. Returns how its files differ from those known; undefined if they do not, or are gone again. */
  async update({ wait, signal }: Pick<Following, 'wait' | 'signal'>): Promise<Change | undefined> {
    let contents: Contents | undefined;
    for (let read = 0; read < MAX_READS; read++) {
      if (read > 0) await wait(READ_PAUSE_MS, signal);
      contents = await contentsOf(this.#directory).catch((error) => this.#cannotRead(error));
      if (contents !== undefined && (await isComplete(this.#directory, contents))) break;
    }
    if (contents === undefined) return undefined;
    this.#failure = '';
    const before = this.#known;
    this.#known = contents;
    const change = differences(this.#directory, before, contents);
    const { added, changed, removed } = change;
    const compared = contents.whole && (before?.whole ?? true);
    if (compared && added.length + changed.length + removed.length === 0) {
      this.#log.info('The volume was written again, with the same files');
      return undefined;
    }
    const note = compared ? {} : { detail: 'the volume is too large to compare all its files' };
    this.#log.info('Files changed', {
      changed: listed(changed),
      added: listed(added),
      removed: listed(removed),
      ...note,
    });
    return change;
  }

  close(): void {
    this.#watcher?.close();
  }

  #cannotRead(error: unknown): undefined {
    const message = messageOf(error);
    // It is tried again, until it succeeds.
    if (message !== this.#failure) this.#log.error('Cannot read the files', { error: message });
    this.#failure = message;
  }

  async #rearm(): Promise<void> {
    const found = await stat(this.#directory).catch(() => undefined);
    const place = found?.isDirectory() ? `${found.dev}:${found.ino}` : '';
    if (place === this.#watched) return;
    this.close();
    this.#watched = place;
    if (place === '') return;
    try {
      this.#watcher = watch(this.#directory, (_event, name) => {
        if (name === null || name === LIVE_LINK) this.#bell.ring();
      }).on('error', (error) => this.#unwatched(error));
    } catch (error) {
      this.#unwatched(error);
    }
  }

  #unwatched(error: unknown): void {
    this.#log.warn('The kernel does not report changes', {
      detail: `the directory is looked at every few seconds instead: ${systemCodeOf(error) || messageOf(error)}`,
    });
  }
}

function differences(directory: string, before: Contents | undefined, now: Contents): Change {
  const old = before?.digests ?? new Map<string, string>();
  const names = [...now.digests.keys()].sort();
  return {
    directory,
    added: names.filter((name) => !old.has(name)),
    changed: names.filter((name) => old.has(name) && old.get(name) !== now.digests.get(name)),
    removed: [...old.keys()].filter((name) => !now.digests.has(name)).sort(),
  };
}

const MAX_LISTED = 20;

function listed(names: readonly string[]): string {
  const more = names.length - MAX_LISTED;
  return [...names.slice(0, MAX_LISTED), ...(more > 0 ? [`(and ${more} more)`] : [])].join(' ');
}
