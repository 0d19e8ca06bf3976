/** Opens sealed stores and records their entries, log lines and counts, for tests of src/azure/store/. */
import { createSecretKey, randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { SealedStore, type SealedStoreOptions } from '../../src/azure/store/sealed-store.ts';
import { type SealingKey, sealingKey } from '../../src/azure/store/sealing-key.ts';
import { STORE_DIR } from '../../src/azure/store/store-files.ts';
import { type LogFields, type Logger, silentLogger } from '../../src/base/log.ts';
import { manualClock } from './clocks.ts';

export const DAY_MS = 24 * 3_600_000;
export const LIMITS = { entries: 200, bytes: 1024 * 1024, entryBytes: 64 * 1024 };

/** Returns a new key of a node. */
export function newKey(node = 'node-1', bytes: Buffer = randomBytes(32)): Promise<SealingKey> {
  return sealingKey(createSecretKey(bytes), node);
}

/** Returns a directory that is removed after the test. */
export function newDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'akv-store-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** An opened store, with its entries, log lines and counts. */
export interface Opened {
  readonly store: SealedStore;
  /** Contents as text by the last part of their keys. */
  readonly entries: Readonly<Record<string, string>>;
  readonly ages: Readonly<Record<string, number>>;
  readonly held: Readonly<Record<string, number>>;
  /** Lines of the log: level, message, and the text of its fields. */
  readonly lines: string[];
  readonly failures: string[];
  readonly counts: number[];
}

/** Opens a store as a new process does. */
export async function openStore(
  directory: string,
  options: Partial<SealedStoreOptions> & { readonly keys: SealedStoreOptions['keys'] },
  accept: (name: string) => boolean = () => true,
): Promise<Opened> {
  const entries: Record<string, string> = {};
  const ages: Record<string, number> = {};
  const held: Record<string, number> = {};
  const [lines, failures, counts]: [string[], string[], number[]] = [[], [], []];
  const line =
    (level: string) =>
    (message: string, fields: LogFields = {}) =>
      void lines.push([level, message, ...Object.entries(fields).map(([name, value]) => `${name}=${value}`)].join(' '));
  const log: Logger = { ...silentLogger, warn: line('warn'), info: line('info'), error: line('error') };
  const telemetry = {
    offlineCacheFailure: (operation: string) => void failures.push(operation),
    offlineCacheEntries: (count: number) => void counts.push(count),
  };
  const defaults = { directory, maxStaleMs: DAY_MS, limits: LIMITS, clock: manualClock(), log, telemetry };
  const store = await SealedStore.open({ ...defaults, ...options }, ({ key, content, ageMs, heldMs }) => {
    const name = key.at(-1) ?? '';
    if (!accept(name)) return false;
    entries[name] = content.toString('utf8');
    ages[name] = ageMs;
    held[name] = heldMs;
    return true;
  });
  return { store, entries, ages, held, lines, failures, counts };
}

/** Opens a store as a new process does, and closes it. */
export async function reopened(...args: Parameters<typeof openStore>): Promise<Opened> {
  const opened = await openStore(...args);
  await opened.store.close();
  return opened;
}

export const keyOf = (name: string) => ['object', 'principal', 'https://kv.vault.azure.net', 'secret', name];
export const put = (store: SealedStore, name: string, text: string) => store.put(keyOf(name), Buffer.from(text));

/** Returns the paths of the files of a store with this ending. */
export function filesOf(directory: string, ending: 'entry' | 'index' | 'tmp'): readonly string[] {
  const own = join(directory, STORE_DIR);
  return readdirSync(own)
    .filter((name) => name.endsWith(`.${ending}`))
    .map((name) => join(own, name));
}
