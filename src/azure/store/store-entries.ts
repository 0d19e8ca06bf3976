/**
 * The entries of the sealed store: those on the disk, those on the way to it, and the files to remove. `SealedStore` keeps
 * its books here. Drops the entries that were not confirmed for longest where there are too many; writes nothing itself.
 */

import type { EntryKey } from './store-index.ts';

/** Upper limits of a store, on the disk and while it is read. */
export interface StoreLimits {
  readonly entries: number;
  /** Bytes of all entries on the disk. */
  readonly bytes: number;
  /** Bytes of the content of one entry. */
  readonly entryBytes: number;
}

interface Known {
  /** See `ownerOf`. */
  readonly owner: string;
  /** See `SealingKey.digestOf`. */
  readonly digest: string;
  /** Bytes on the disk. */
  readonly bytes: number;
  /** How long it is kept after it was last confirmed, in milliseconds. */
  readonly keepMs: number;
  /** When the value was last confirmed, by `StoreTime`. */
  confirmedAt: number;
}

/** An entry on the disk. */
export interface Kept extends Known {
  readonly fileName: string;
  readonly sequence: number;
}

/** An entry that is not yet on the disk. */
export interface Pending extends Known {
  readonly key: EntryKey;
  /** See `EntryHead`. */
  readonly since: number;
  /** Is overwritten when it is written or dropped. */
  readonly content: Buffer;
}

/** The entries, by `idOf`. */
export class StoreEntries {
  /** Names of files to remove. */
  readonly obsolete = new Set<string>();
  readonly #kept: Map<string, Kept>;
  readonly #pending = new Map<string, Pending>();
  #writing: { readonly id: string; readonly entry: Pending; dropped: boolean } | undefined;

  constructor(kept: Map<string, Kept>) {
    this.#kept = kept;
  }

  /** The entries on the disk. */
  get kept(): ReadonlyMap<string, Kept> {
    return this.#kept;
  }

  /** True if an entry waits to be written. */
  get waiting(): boolean {
    return this.#pending.size > 0;
  }

  /** All entries, as they will be when everything is written. */
  all(): ReadonlyMap<string, Known> {
    const { id, entry, dropped = true } = this.#writing ?? {};
    const written: [string, Known][] = id === undefined || entry === undefined || dropped ? [] : [[id, entry]];
    return new Map<string, Known>([...this.#kept, ...written, ...this.#pending]);
  }

  /** The newest state of an entry. */
  find(id: string): Known | undefined {
    const written = this.#writing?.id === id && !this.#writing.dropped ? this.#writing.entry : undefined;
    return this.#pending.get(id) ?? written ?? this.#kept.get(id);
  }

  /** Puts an entry in the queue, in place of one that waits there. */
  add(id: string, entry: Pending): void {
    this.#forgetPending(id);
    this.#pending.set(id, entry);
  }

  /** Takes an entry away, wherever it is. Its file becomes obsolete. */
  drop(id: string): void {
    this.#forgetPending(id);
    if (this.#writing?.id === id) this.#writing.dropped = true;
    this.#dropKept(id);
  }

  /**
   * Makes room until all entries are within the limits: the owner that holds most loses the entry that was not confirmed
   * for longest, so that one that reads much takes nothing from the others.
   */
  makeRoom({ entries, bytes }: StoreLimits): void {
    if (this.#isWithin({ entries, bytes })) return;
    const all = this.all();
    const holdings = holdingsOf(all);
    let [count, total] = [all.size, holdings.reduce((sum, holding) => sum + holding.bytes, 0)];
    while (count > entries || total > bytes) {
      const size = ({ oldestFirst, bytes: held }: Holding) => (count > entries ? oldestFirst.length : held);
      const largest = holdings.reduce((one, other) => (size(other) > size(one) ? other : one));
      const [id, entry] = largest.oldestFirst.shift() ?? [];
      if (id === undefined || entry === undefined) return;
      this.drop(id);
      largest.bytes -= entry.bytes;
      total -= entry.bytes;
      count--;
    }
  }

  /** Takes everything out of the queue. */
  forgetWaiting(): void {
    for (const id of [...this.#pending.keys()]) this.#forgetPending(id);
  }

  /** The files are gone: nothing is on the disk. */
  forgetKept(): void {
    this.#kept.clear();
    this.obsolete.clear();
  }

  /** Writes the next entry of the queue by `write`; false: there is none. Throws: as `write`; the entry waits again. */
  async writeNext(write: (id: string, entry: Pending) => Promise<Omit<Kept, 'confirmedAt'>>): Promise<boolean> {
    const [next] = this.#pending;
    if (next === undefined) return false;
    const [id, entry] = next;
    this.#pending.delete(id);
    const writing = { id, entry, dropped: false };
    this.#writing = writing;
    try {
      const written = await write(id, entry);
      this.#keep(id, { ...written, confirmedAt: entry.confirmedAt });
      if (writing.dropped) this.#dropKept(id);
      entry.content.fill(0);
    } catch (error) {
      if (writing.dropped || this.#pending.has(id)) entry.content.fill(0);
      else this.#pending.set(id, entry);
      throw error;
    } finally {
      this.#writing = undefined;
    }
    return true;
  }

  /** True if all entries are surely within the limits: one that is written anew counts twice here. Asked at each put. */
  #isWithin({ entries, bytes }: Pick<StoreLimits, 'entries' | 'bytes'>): boolean {
    let total = this.#writing?.entry.bytes ?? 0;
    for (const known of this.#kept.values()) total += known.bytes;
    for (const known of this.#pending.values()) total += known.bytes;
    return this.#kept.size + this.#pending.size < entries && total <= bytes;
  }

  #keep(id: string, kept: Kept): void {
    const before = this.#kept.get(id)?.fileName;
    if (before !== undefined) this.obsolete.add(before);
    this.obsolete.delete(kept.fileName);
    this.#kept.set(id, kept);
  }

  #dropKept(id: string): void {
    const kept = this.#kept.get(id);
    if (kept !== undefined) this.obsolete.add(kept.fileName);
    this.#kept.delete(id);
  }

  #forgetPending(id: string): void {
    this.#pending.get(id)?.content.fill(0);
    this.#pending.delete(id);
  }
}

/** The entries of one owner. */
interface Holding {
  readonly oldestFirst: (readonly [string, Known])[];
  bytes: number;
}

function holdingsOf(entries: ReadonlyMap<string, Known>): readonly Holding[] {
  const holdings = new Map<string, Holding>();
  for (const entry of [...entries].sort(([, one], [, other]) => one.confirmedAt - other.confirmedAt)) {
    const [, { owner, bytes }] = entry;
    const holding = holdings.get(owner) ?? { oldestFirst: [], bytes: 0 };
    holding.oldestFirst.push(entry);
    holding.bytes += bytes;
    holdings.set(owner, holding);
  }
  return [...holdings.values()];
}
