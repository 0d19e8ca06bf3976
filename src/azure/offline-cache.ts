/**
 * Connects the sealed store on the disk with what is kept in memory for outages: last known values, the keys of
 * accepted issuers, and the principals that a login service accepted. `connectAzure` makes it. Without
 * `--offline-cache-dir` it keeps nothing.
 */

import { delay } from '../base/abort.ts';
import type { Clock } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import { parseJson } from '../base/json.ts';
import type { Logger } from '../base/log.ts';
import type { Sweeper } from '../base/sweeper.ts';
import { type IssuerWitness, issuerKeepMs } from './login/issuer-keys.ts';
import type { PrincipalWitness } from './login/vouchers.ts';
import type { LoadedEntry } from './store/load-store.ts';
import { SealedStore, type StoreTelemetry } from './store/sealed-store.ts';
import type { SealingKeys } from './store/sealing-key.ts';
import { type EntryKey, ownerOf } from './store/store-index.ts';
import { decodeKnown, encodeKnown, entryKeyOf, requestOfEntry } from './vault/known-codec.ts';
import type { KnownRequest } from './vault/known-request.ts';
import type { KnownEntry, KnownWitness } from './vault/last-known-good.ts';

/** More than the memory of last known values holds, so that what is in memory is on the disk as well. */
const LIMITS = { entries: 2000, bytes: 16 * 1024 * 1024, entryBytes: 2 * 1024 * 1024 };
/** Of the keys of one issuer. */
const ISSUER_LIMITS = { bytes: 256 * 1024, entries: 10_000, depth: 4 };
/** The first Mounts wait this long for a disk that does not answer. */
const OPEN_LIMIT_MS = 10_000;
/** Owners refused while the store is being opened. With more, nothing that is on the disk counts. */
const MAX_EARLY = 10_000;
const ISSUER = 'issuer 1';
const PRINCIPAL = 'principal 1';

/** Settings of {@link OfflineCache}. */
export interface OfflineCacheOptions {
  readonly directory: string;
  readonly keys: SealingKeys;
}

/** Receives the entries of an earlier process. */
export interface OfflineCacheReaders {
  readonly values: { load(entry: KnownEntry): void };
  /** Undefined: tokens are not verified offline. */
  readonly issuers: { load(issuer: unknown): boolean } | undefined;
  readonly principals: { load(principal: string, ageMs: number): void };
}

/** The surroundings of {@link OfflineCache}. */
export interface OfflineCacheParts {
  readonly maxStaleMs: number;
  readonly clock: Clock;
  readonly sweeper: Sweeper;
  readonly log: Logger;
  readonly telemetry: StoreTelemetry;
  /** Default: {@link SealedStore.open}. */
  readonly openStore?: typeof SealedStore.open;
  /** How long Mounts wait for the disk at first, in milliseconds. Default: ten seconds. */
  readonly openLimitMs?: number;
}

/** Keeps what survives a restart. Before {@link OfflineCache.open}, and if that failed, it keeps nothing. */
export class OfflineCache {
  #store: SealedStore | undefined;
  /**
   * Owners that were refused, or lost a value, while the store is being opened: they must not come back from the disk.
   */
  readonly #early = new Set<string>();
  #opening = false;

  readonly values: KnownWitness = {
    kept: (entry) => this.#store?.put(entryKeyOf(entry), encodeKnown(entry.value), entry.heldMs),
    erased: (request: KnownRequest) => {
      this.#store?.erase(entryKeyOf(request));
      this.#noteEarly(request.principal);
    },
  };

  readonly issuers: IssuerWitness = {
    kept: ({ issuer, keys }) => this.#store?.put([ISSUER, issuer], Buffer.from(JSON.stringify(keys))),
    dropped: (issuer) => this.#store?.erase([ISSUER, issuer]),
  };

  readonly principals: PrincipalWitness = {
    accepted: (principal) => this.#store?.put([PRINCIPAL, principal], Buffer.alloc(0)),
    refused: (principal) => {
      this.#store?.eraseOwners((owner) => owner === principal);
      this.#noteEarly(principal);
    },
  };

  /**
   * Opens the store and loads its entries. If the directory is not suitable, or the disk does not answer for ten
   * seconds, a warning is logged and Mounts continue.
   */
  async open(options: OfflineCacheOptions, parts: OfflineCacheParts, readers: OfflineCacheReaders): Promise<void> {
    const { log, openLimitMs = OPEN_LIMIT_MS } = parts;
    const { directory } = options;
    const timer = new AbortController();
    const tellLate = () => {
      log.warn('The offline cache takes long to open', {
        directory,
        detail: 'Mounts go on; check the disk of the node',
      });
    };
    const late = delay(openLimitMs, timer.signal).then(tellLate, () => {});
    await Promise.race([this.#open(options, parts, readers), late]);
    timer.abort();
  }

  async #open(options: OfflineCacheOptions, parts: OfflineCacheParts, readers: OfflineCacheReaders): Promise<void> {
    const { log, telemetry, sweeper, openStore = SealedStore.open } = parts;
    this.#opening = true;
    try {
      const accept = (entry: LoadedEntry) => !this.#isEarly(ownerOf(entry.key)) && take(entry, readers);
      const keepMsOf = ([kind]: EntryKey) => (kind === ISSUER ? issuerKeepMs(parts.maxStaleMs) : parts.maxStaleMs);
      this.#store = await openStore({ ...options, ...parts, keepMsOf, limits: LIMITS }, accept);
      this.#store.eraseOwners((owner) => this.#isEarly(owner));
      sweeper.add(this.#store);
    } catch (error) {
      telemetry.offlineCacheFailure('read');
      const { directory } = options;
      const detail = 'Mounts go on; nothing is kept for a restart, until the provider starts again';
      log.warn('Cannot open the offline cache', { directory, detail, error: messageOf(error) });
    } finally {
      this.#opening = false;
      this.#early.clear();
    }
  }

  #noteEarly(owner: string): void {
    if (this.#opening && this.#early.size < MAX_EARLY) this.#early.add(owner);
  }

  #isEarly(owner: string): boolean {
    return this.#early.has(owner) || this.#early.size === MAX_EARLY;
  }

  /** Writes what is not yet on the disk. */
  async close(): Promise<void> {
    await this.#store?.close();
  }
}

/** Loads an entry. Returns false if this program does not know its kind. */
function take({ key, content, ageMs, heldMs }: LoadedEntry, readers: OfflineCacheReaders): boolean {
  const [kind, name = ''] = key;
  if (kind === PRINCIPAL) {
    readers.principals.load(name, ageMs);
    return true;
  }
  if (kind === ISSUER) {
    const keys = parseJson(content.toString('utf8'), ISSUER_LIMITS);
    return keys.ok && readers.issuers?.load({ issuer: name, keys: keys.value, ageMs }) === true;
  }
  return takeValue(key, { content, ageMs, heldMs }, readers);
}

function takeValue(
  key: EntryKey,
  { content, ageMs, heldMs }: Omit<LoadedEntry, 'key'>,
  { values }: OfflineCacheReaders,
): boolean {
  const request = requestOfEntry(key);
  const value = request === undefined ? undefined : decodeKnown(request, content);
  if (request === undefined || value === undefined) return false;
  values.load({ ...request, value, ageMs, heldMs });
  return true;
}
