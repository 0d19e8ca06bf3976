/**
 * A store of values on the disk of the node that survives a restart and a reboot: sealed files in a directory of its own.
 * The memory of values tells it of each value that it keeps and drops, and gets what was kept before at the start. The
 * store writes beside the Mounts, and goes on without the disk where that cannot be written.
 */

import { type Clock, Lifetime } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import type { Sweepable } from '../../base/sweeper.ts';
import type { Telemetry } from '../../base/telemetry.ts';
import { entryNameOf, indexNameOf, type Loaded, type LoadedEntry, loadStore } from './load-store.ts';
import { seal, sealedBytes } from './seal.ts';
import type { SealingKey, SealingKeys } from './sealing-key.ts';
import { type Kept, type Pending, StoreEntries, type StoreLimits } from './store-entries.ts';
import { StoreFiles } from './store-files.ts';
import { type EntryHead, type EntryKey, idOf, indexHead, ownerOf } from './store-index.ts';
import { StoreTime } from './store-time.ts';

/** Time between two writes of the index where nothing but times has changed. */
const CONFIRM_MS = 5 * 60 * 1000;
/** The same as a part of the time for which values are kept, where that is short. */
const CONFIRM_PART = 0.1;
/** A wall clock that is behind by less is not worth a word. */
const BEHIND_MS = 60_000;
const NOTHING = Buffer.alloc(0);

/** Receives the figures of the store. */
export type StoreTelemetry = Pick<Telemetry, 'offlineCacheFailure' | 'offlineCacheEntries'>;

/** Settings and parts of {@link SealedStore}. */
export interface SealedStoreOptions {
  /** The directory of the operator; the store makes one of its own in it. */
  readonly directory: string;
  /** The first one seals, and all open. */
  readonly keys: SealingKeys;
  /** How long a value is kept after it was last confirmed, in milliseconds. */
  readonly maxStaleMs: number;
  /** The same for some entries. Default: `maxStaleMs` for all. */
  readonly keepMsOf?: (key: EntryKey) => number;
  readonly limits: StoreLimits;
  readonly clock: Clock;
  readonly log: Logger;
  readonly telemetry: StoreTelemetry;
}

/** The parts of a store that is open. */
interface Parts {
  readonly files: StoreFiles;
  readonly time: StoreTime;
  readonly loaded: Loaded;
}

/** The store. Its owner calls {@link SealedStore.sweep} at an interval. */
export class SealedStore implements Sweepable {
  readonly #options: SealedStoreOptions;
  readonly #files: StoreFiles;
  readonly #time: StoreTime;
  readonly #key: SealingKey;
  readonly #entries: StoreEntries;
  readonly #confirmMs: number;
  #sequence: number;
  /** True where the index on the disk lacks an entry or has one too many. */
  #changed = true;
  /** True where the index on the disk lacks the time of a confirmation. */
  #confirmed = false;
  #indexLife: Lifetime;
  /** The stamp of the index that this process wrote last. */
  #stamp: string | undefined;
  /** Indexes of older keys, of use until the first one is written. */
  readonly #oldIndexes: Set<string>;
  #working: Promise<void> | undefined;
  #failing = false;
  #over = false;

  private constructor(options: SealedStoreOptions, { files, time, loaded }: Parts) {
    this.#options = options;
    this.#files = files;
    this.#time = time;
    [this.#key] = options.keys;
    this.#sequence = loaded.sequence;
    this.#confirmMs = Math.min(CONFIRM_MS, options.maxStaleMs * CONFIRM_PART);
    this.#indexLife = new Lifetime(options.clock, this.#confirmMs);
    this.#entries = new StoreEntries(loaded.kept);
    this.#oldIndexes = new Set(loaded.oldIndexes);
    for (const name of loaded.obsolete) this.#entries.obsolete.add(name);
    for (const [id, older] of loaded.older) {
      const known = loaded.kept.get(id);
      if (known !== undefined) this.#entries.add(id, { ...known, ...older });
    }
  }

  /**
   * Opens the store, and hands what it holds to `accept`, which returns false for an entry that is not wanted any more.
   * Throws: ERR_SETUP where the directory is not fit for it; errors of the file system.
   */
  static async open(options: SealedStoreOptions, accept: (entry: LoadedEntry) => boolean): Promise<SealedStore> {
    const { clock, log, telemetry } = options;
    const files = await StoreFiles.open(options.directory);
    const time = new StoreTime(clock);
    const refused = () => telemetry.offlineCacheFailure('read');
    const keepMsOf = keepMsBy(options);
    const loaded = await loadStore({ ...options, keepMsOf, files, time, refused, accept });
    const { directory } = files;
    log.info('Offline cache opened', { directory, entries: loaded.kept.size });
    if (time.behindMs > BEHIND_MS) {
      const detail =
        `it is ${Math.round(time.behindMs / 1000)} s behind the last entry, so that the time for which the provider did ` +
        'not run does not count as age; if the clock was ahead before, empty the directory';
      log.warn('The clock of the node is behind the offline cache', { directory, detail });
    }
    const store = new SealedStore(options, { files, time, loaded });
    store.#start();
    return store;
  }

  /** The number of entries, on the disk or on the way to it. */
  get size(): number {
    return this.#entries.all().size;
  }

  /**
   * Keeps a value that the vault has just confirmed, and has given for `heldMs` milliseconds. The store takes the buffer
   * over and overwrites it. A value that did not change is not written again; the time of it is, at an interval.
   */
  put(key: EntryKey, content: Buffer, heldMs = 0): void {
    const { limits } = this.#options;
    const id = idOf(key);
    const digest = this.#key.digestOf(content);
    const known = this.#entries.find(id);
    const confirmedAt = this.#time.now();
    if (this.#over || known?.digest === digest) {
      content.fill(0);
      if (known !== undefined) known.confirmedAt = confirmedAt;
      this.#confirmed = true;
    } else if (content.length > limits.entryBytes) {
      content.fill(0);
      this.erase(key);
    } else {
      const since = confirmedAt - heldMs;
      const headBytes = Buffer.byteLength(JSON.stringify(headOf({ key, since, confirmedAt }, this.#sequence)));
      const bytes = sealedBytes(headBytes, content.length);
      const keepMs = keepMsBy(this.#options)(key);
      this.#entries.add(id, { key, owner: ownerOf(key), since, content, digest, bytes, keepMs, confirmedAt });
      this.#entries.makeRoom(limits);
      this.#start();
    }
  }

  /** Removes a value from the disk. */
  erase(key: EntryKey): void {
    this.#entries.drop(idOf(key));
    this.#start();
  }

  /** Removes everything of some owners from the disk; see `ownerOf`. */
  eraseOwners(isMeant: (owner: string) => boolean): void {
    for (const [id, { owner }] of this.#entries.all()) if (isMeant(owner)) this.#entries.drop(id);
    this.#start();
  }

  /** Removes what was not confirmed for too long, and writes what is due. */
  sweep(): void {
    const now = this.#time.now();
    for (const [id, { confirmedAt, keepMs }] of this.#entries.all()) {
      if (now - confirmedAt > keepMs) this.#entries.drop(id);
    }
    if (this.#confirmed && this.#indexLife.over) this.#changed = true;
    this.#start(true);
  }

  /** Resolves when everything up to now is on the disk, or could not be written. */
  async flush(): Promise<void> {
    await this.#working;
    this.#changed ||= this.#confirmed;
    this.#start(true);
    await this.#working;
  }

  /** Writes what is not yet on the disk. Nothing is kept after it. */
  async close(): Promise<void> {
    await this.flush();
    this.#over = true;
    this.#entries.forgetWaiting();
  }

  /** Starts to write, unless that is under way. After a failure only a sweep tries again. */
  #start(again = false): void {
    const { waiting, obsolete } = this.#entries;
    const due = waiting || obsolete.size > 0 || this.#changed;
    if (!due || this.#over || (this.#failing && !again)) return;
    this.#working ??= this.#work().finally(() => {
      this.#working = undefined;
    });
  }

  async #work(): Promise<void> {
    const { log, telemetry } = this.#options;
    const { directory } = this.#files;
    try {
      while (this.#entries.waiting || this.#entries.obsolete.size > 0 || this.#changed) await this.#writeAll();
      if (this.#failing) log.info('The offline cache is written again', { directory });
      this.#failing = false;
    } catch (error) {
      telemetry.offlineCacheFailure('write');
      const detail =
        'Mounts go on; what the disk lacks does not survive a restart; the next try follows within seconds';
      if (!this.#failing) log.warn('Cannot write the offline cache', { directory, detail, error: messageOf(error) });
      this.#failing = true;
    }
    telemetry.offlineCacheEntries(this.#entries.kept.size);
  }

  /**
   * Removals come first, since they need no room on the disk. An index is there before the first entry, and the index that
   * names the entries comes last: a crash in between leaves each entry whole.
   */
  async #writeAll(): Promise<void> {
    const stamp = await this.#files.stamp(indexNameOf(this.#key));
    const isFirst = this.#stamp === undefined;
    if (!isFirst && stamp !== undefined && stamp !== this.#stamp) {
      this.#giveUp();
      return;
    }
    const isEmptied = !isFirst && stamp === undefined;
    if (isEmptied) {
      this.#entries.forgetKept();
      await this.#files.make();
    }
    await this.#removeObsolete();
    if (isFirst || isEmptied) await this.#writeIndex();
    while (await this.#entries.writeNext((id, entry) => this.#writeEntry(id, entry))) this.#changed = true;
    if (this.#changed) await this.#writeIndex();
  }

  async #removeObsolete(): Promise<void> {
    const { obsolete } = this.#entries;
    if (obsolete.size > 0) this.#changed = true;
    for (const name of obsolete) {
      await this.#files.remove(name);
      obsolete.delete(name);
    }
  }

  /** Another provider has written the index since: that one goes on, and this one writes no more. */
  #giveUp(): void {
    const detail = 'it writes no more; no other provider may use the directory at the same time';
    this.#options.log.warn('Another provider writes the offline cache', { directory: this.#files.directory, detail });
    this.#over = true;
    this.#changed = false;
    this.#entries.forgetKept();
    this.#entries.forgetWaiting();
  }

  async #writeEntry(id: string, entry: Pending): Promise<Omit<Kept, 'confirmedAt'>> {
    const fileName = entryNameOf(this.#key, id);
    const sequence = ++this.#sequence;
    const sealed = await seal(this.#key, fileName, headOf(entry, sequence), entry.content);
    await this.#files.write(fileName, sealed);
    const { owner, digest, keepMs } = entry;
    return { owner, fileName, sequence, bytes: sealed.length, digest, keepMs };
  }

  async #writeIndex(): Promise<void> {
    const name = indexNameOf(this.#key);
    this.#changed = false;
    this.#confirmed = false;
    try {
      // The names of the entries last before the index does.
      await this.#files.flush();
      const head = indexHead({ sequence: this.#sequence, savedAt: this.#time.now(), entries: this.#entries.kept });
      await this.#files.write(name, await seal(this.#key, name, head, NOTHING));
      await this.#files.flush();
      this.#stamp = await this.#files.stamp(name);
      for (const old of this.#oldIndexes) this.#entries.obsolete.add(old);
      this.#oldIndexes.clear();
      this.#indexLife = new Lifetime(this.#options.clock, this.#confirmMs);
    } catch (error) {
      this.#changed = true;
      throw error;
    }
  }
}

function keepMsBy({ maxStaleMs, keepMsOf }: SealedStoreOptions): (key: EntryKey) => number {
  return keepMsOf ?? (() => maxStaleMs);
}

function headOf({ key, since, confirmedAt }: Omit<EntryHead, 'sequence'>, sequence: number): EntryHead {
  return { key, sequence, since: Math.max(0, Math.round(since)), confirmedAt: Math.round(confirmedAt) };
}
