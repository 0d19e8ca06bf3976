/**
 * Reads the entries of the sealed store when it is opened. `SealedStore` calls it. Refuses entries that cannot be trusted,
 * and says so in the log; an entry whose time is over is not handed on. Reads no more than the limits allow.
 */

import type { Logger } from '../../base/log.ts';
import { UnreadableFile } from '../../base/regular-file.ts';
import { Unsealable, type Unsealed, unseal } from './seal.ts';
import type { SealingKey, SealingKeys } from './sealing-key.ts';
import type { Kept, StoreLimits } from './store-entries.ts';
import type { StoredFile, StoreFiles } from './store-files.ts';
import { type EntryHead, type EntryKey, type Index, idOf, ownerOf, readEntryHead, readIndex } from './store-index.ts';
import type { StoreTime } from './store-time.ts';

/** Bytes of the largest index. */
const MAX_INDEX_BYTES = 1024 * 1024;
/** Files that are read at the same time. */
const AT_ONCE = 8;
/** Lines of the log for each reason to refuse a file. */
const TOLD = 3;
const ANEW = 'delete it; the value is read from the vault again';

/** An entry that was read. */
export interface LoadedEntry {
  readonly key: EntryKey;
  /** Is overwritten after the call. */
  readonly content: Buffer;
  /** Milliseconds since the value was last confirmed. */
  readonly ageMs: number;
  /** Milliseconds since the value was first read with no other one in between. */
  readonly heldMs: number;
}

/** What is needed to read a store. */
export interface LoadOptions {
  readonly files: StoreFiles;
  /** The first one seals. */
  readonly keys: SealingKeys;
  readonly time: StoreTime;
  /** Refused files that are older than this are removed. */
  readonly maxStaleMs: number;
  /** See `SealedStoreOptions`. */
  readonly keepMsOf: (key: EntryKey) => number;
  readonly limits: StoreLimits;
  readonly log: Logger;
  /** A file was refused. */
  readonly refused: () => void;
  /** Takes an entry; false: nobody needs it, and it is removed. A later entry of the same key replaces an earlier one. */
  readonly accept: (entry: LoadedEntry) => boolean;
}

/** An entry that an older key sealed. */
export type OlderEntry = Pick<EntryHead, 'key' | 'since'> & {
  /** A copy. */
  readonly content: Buffer;
};

/** What was found. */
export interface Loaded {
  /** By `idOf`. */
  readonly kept: Map<string, Kept>;
  /** Entries to be sealed by the first key, by `idOf`. */
  readonly older: ReadonlyMap<string, OlderEntry>;
  readonly sequence: number;
  /** Files to remove. */
  readonly obsolete: ReadonlySet<string>;
  /** Indexes that older keys sealed: to be removed as soon as the first key has sealed one. */
  readonly oldIndexes: ReadonlySet<string>;
}

/** Reads the entries. Throws: ERR_SETUP and errors of the file system, where the directory cannot be listed. */
export async function loadStore(options: LoadOptions): Promise<Loaded> {
  const { files, foreign } = await options.files.list();
  const refusals = new Refusals(options);
  if (foreign.length > 0) {
    const detail = "they are left alone; delete them, since the directory is the provider's own";
    options.log.warn('Files in the offline cache are not its own', {
      ...named(options, foreign[0]),
      files: foreign.length,
      detail,
    });
  }
  const loader = new Loader(options, refusals);
  const entries = await loader.readIndexes(files);
  const chosen = loader.withinLimits(entries);
  for (let at = 0; at < chosen.length; at += AT_ONCE) {
    const read = await Promise.all(chosen.slice(at, at + AT_ONCE).map((file) => loader.open(file)));
    for (const opened of read) if (opened !== undefined) loader.take(opened);
  }
  refusals.sum();
  const { kept, older, obsolete, oldIndexes, sequence } = loader;
  return { kept, older, sequence, oldIndexes, obsolete: new Set([...obsolete, ...refusals.outdated]) };
}

interface Opened extends Unsealed {
  readonly file: StoredFile;
}

class Loader {
  readonly kept = new Map<string, Kept>();
  readonly older = new Map<string, OlderEntry>();
  readonly obsolete = new Set<string>();
  readonly oldIndexes = new Set<string>();
  sequence = 0;
  readonly #options: LoadOptions;
  readonly #refusals: Refusals;
  #index: Index | undefined;

  constructor(options: LoadOptions, refusals: Refusals) {
    this.#options = options;
    this.#refusals = refusals;
  }

  /** Reads the index, that of the newest key first. Returns the other files. */
  async readIndexes(files: readonly StoredFile[]): Promise<readonly StoredFile[]> {
    const { keys, time } = this.#options;
    const names = keys.map(indexNameOf);
    for (const name of names) {
      const file = files.find((one) => one.name === name);
      if (file === undefined) continue;
      const isNeeded = this.#index === undefined;
      this.#index ??= await this.#openIndex(file);
      const isReplaced = !isNeeded || (this.#index !== undefined && name !== names[0]);
      if (isReplaced) this.oldIndexes.add(name);
    }
    time.passed(this.#index?.savedAt ?? 0);
    // Without an index nothing tells how far the last one had counted; a store never writes once a millisecond.
    this.sequence = this.#index?.sequence ?? Math.round(time.now());
    return files.filter(({ name }) => !names.includes(name));
  }

  async #openIndex(file: StoredFile): Promise<Index | undefined> {
    const opened = await this.open(file, MAX_INDEX_BYTES);
    const index = readIndex(opened?.head);
    if (opened !== undefined && index === undefined) this.#refusals.add(file, 'it holds no index', ANEW);
    return index;
  }

  /** Leaves out what the limits do not allow to be read. Files of the index come first. */
  withinLimits(files: readonly StoredFile[]): readonly StoredFile[] {
    const { limits, keys } = this.#options;
    const ids = [...(this.#index?.entries.keys() ?? [])];
    const listed = new Set(keys.flatMap((key) => ids.map((id) => entryNameOf(key, id))));
    const rank = ({ name }: StoredFile) => (listed.has(name) ? 0 : 1);
    const chosen: StoredFile[] = [];
    let bytes = 0;
    for (const file of files.toSorted((one, other) => rank(one) - rank(other))) {
      const fits = chosen.length < limits.entries && bytes + file.bytes <= limits.bytes;
      if (fits) {
        chosen.push(file);
        bytes += file.bytes;
      } else {
        const bound = `${limits.entries} entries and ${limits.bytes} bytes`;
        this.#refusals.add(file, `the store reads at most ${bound}, and it is too large or one too many`, ANEW);
      }
    }
    return chosen;
  }

  /** Opens one file; undefined where it is refused. */
  async open(file: StoredFile, maxBytes = file.bytes): Promise<Opened | undefined> {
    const { files, keys } = this.#options;
    try {
      const sealed = await files.read(file.name, maxBytes);
      return { file, ...(await unseal(keys, file.name, sealed)) };
    } catch (error) {
      if (error instanceof Unsealable) this.#refusals.add(file, error.message, error.remedy);
      else if (error instanceof UnreadableFile) this.#refusals.add(file, error.message, ANEW);
      else throw error;
      return undefined;
    }
  }

  /** Hands an entry on where it is the current one and its time is not over. */
  take({ file, key: sealedBy, head: json, content }: Opened): void {
    const head = readEntryHead(json);
    const expected = head === undefined ? '' : entryNameOf(sealedBy, idOf(head.key));
    if (head === undefined || expected !== file.name) this.#refusals.add(file, 'it holds no entry of this name', ANEW);
    else this.#takeEntry(file, sealedBy, head, content);
    content.fill(0);
  }

  #takeEntry(file: StoredFile, sealedBy: SealingKey, head: EntryHead, content: Buffer): void {
    const { keys, time, keepMsOf, accept } = this.#options;
    const { key, sequence, since } = head;
    const id = idOf(key);
    // A refused entry is authentic, too: what is written from now on comes after it.
    time.passed(head.confirmedAt);
    this.sequence = Math.max(this.sequence, sequence);
    const confirmedAt = this.#confirmedAt(id, head);
    if (typeof confirmedAt === 'string') {
      this.#refusals.add(file, confirmedAt, ANEW);
      return;
    }
    const [ageMs, keepMs] = [time.now() - confirmedAt, keepMsOf(key)];
    const other = this.kept.get(id);
    const isCurrent = other === undefined || other.sequence < sequence;
    if (!isCurrent || ageMs > keepMs || !accept({ key, content, ageMs, heldMs: time.now() - since })) {
      this.obsolete.add(file.name);
      return;
    }
    if (other !== undefined) this.obsolete.add(other.fileName);
    const digest = keys[0].digestOf(content);
    const { name: fileName, bytes } = file;
    this.kept.set(id, { owner: ownerOf(key), fileName, sequence, bytes, digest, keepMs, confirmedAt });
    this.older.get(id)?.content.fill(0);
    this.older.delete(id);
    if (sealedBy !== keys[0]) this.older.set(id, { key, since, content: Buffer.from(content) });
  }

  /** When an entry was last confirmed; a text that says why it is refused. */
  #confirmedAt(id: string, { sequence, confirmedAt }: EntryHead): number | string {
    if (this.#index === undefined) {
      return 'the index of the store is missing or was refused, so that nothing tells whether the entry is the current one';
    }
    const listed = this.#index.entries.get(id);
    if (sequence > this.#index.sequence) return confirmedAt;
    if (listed?.sequence === sequence) return Math.max(confirmedAt, listed.confirmedAt);
    return 'it is an older copy: the store has replaced or erased it since';
  }
}

/** The name of the index. */
export function indexNameOf(key: SealingKey): string {
  return `${key.nameOf(['index'])}.index`;
}

/** The name of the file of an entry, by its `idOf`. */
export function entryNameOf(key: SealingKey, id: string): string {
  return `${key.nameOf(['entry', id])}.entry`;
}

function named({ files }: LoadOptions, name = ''): { readonly file: string } {
  return { file: `${files.directory}/${name}` };
}

/** Tells of refused files, a few times for each reason. */
class Refusals {
  readonly #options: LoadOptions;
  readonly #counts = new Map<string, number>();
  /** Refused files that are so old that their values are over in any case. */
  readonly outdated = new Set<string>();

  constructor(options: LoadOptions) {
    this.#options = options;
  }

  add(file: StoredFile, reason: string, remedy: string): void {
    const { log, refused, time, maxStaleMs } = this.#options;
    const count = (this.#counts.get(reason) ?? 0) + 1;
    this.#counts.set(reason, count);
    refused();
    if (time.now() - file.modifiedAt > maxStaleMs) this.outdated.add(file.name);
    if (count > TOLD) return;
    log.warn('File of the offline cache refused', {
      ...named(this.#options, file.name),
      error: `${reason}; ${remedy}`,
    });
  }

  sum(): void {
    for (const [reason, files] of this.#counts) {
      if (files <= TOLD) continue;
      this.#options.log.warn('Files of the offline cache refused', {
        ...named(this.#options),
        files,
        error: reason,
      });
    }
  }
}
