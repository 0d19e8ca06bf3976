/**
 * The heads of the files of the sealed store: that of an entry, and the index of all entries. The index holds the time at
 * which each value was last confirmed, and tells an older copy of an entry from the current one.
 */

import { createHash } from 'node:crypto';
import { isJsonObject } from '../../base/json.ts';

/** What an entry is about: its kind, the owner that is charged for it, such as its principal, and what else names it. */
export type EntryKey = readonly string[];

/** The head of an entry. */
export interface EntryHead {
  readonly key: EntryKey;
  /** Counts what the store has sealed: a later entry has a larger number. */
  readonly sequence: number;
  /** When the value was first read with no other one in between, by `StoreTime`. */
  readonly since: number;
  /** When the value was last confirmed before it was written. */
  readonly confirmedAt: number;
}

/** An entry in the index. */
export interface Indexed {
  readonly sequence: number;
  /** When the value was last read from the vault, by `StoreTime`. */
  readonly confirmedAt: number;
}

/** The head of the index. */
export interface Index {
  /** The largest number that an entry had when it was written. */
  readonly sequence: number;
  /** See `StoreTime`. */
  readonly savedAt: number;
  /** By {@link idOf}. */
  readonly entries: ReadonlyMap<string, Indexed>;
}

/** The owner that is charged for an entry. */
export function ownerOf([, owner = '']: EntryKey): string {
  return owner;
}

/** Names an entry in the index, whichever key seals it. */
export function idOf(key: EntryKey): string {
  return createHash('sha256').update(JSON.stringify(key)).digest('base64url').slice(0, 22);
}

/** The index as it is sealed. */
export function indexHead({ sequence, savedAt, entries }: Index): unknown {
  const rows = [...entries].map(([id, entry]) => `${id} ${entry.sequence} ${Math.round(entry.confirmedAt)}`);
  return { sequence, savedAt: Math.round(savedAt), entries: rows };
}

/** The index that was sealed; undefined where the head is another one. */
export function readIndex(head: unknown): Index | undefined {
  const { sequence, savedAt, entries } = isJsonObject(head) ? head : {};
  if (!isCount(sequence) || !isCount(savedAt) || !Array.isArray(entries)) return undefined;
  const rows = entries.map((row): readonly [string, Indexed] => {
    const [id = '', number, confirmedAt] = String(row).split(' ');
    return [id, { sequence: Number(number), confirmedAt: Number(confirmedAt) }];
  });
  const whole = rows.every(([, entry]) => isCount(entry.sequence) && isCount(entry.confirmedAt));
  return whole ? { sequence, savedAt, entries: new Map(rows) } : undefined;
}

/** The head of an entry that was sealed; undefined where the head is another one. */
export function readEntryHead(head: unknown): EntryHead | undefined {
  const { key, sequence, since, confirmedAt } = isJsonObject(head) ? head : {};
  const isKey = (value: unknown): value is EntryKey =>
    Array.isArray(value) && value.every((part) => typeof part === 'string');
  const isWhole = isKey(key) && isCount(sequence) && isCount(since) && isCount(confirmedAt);
  return isWhole ? { key, sequence, since, confirmedAt } : undefined;
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
