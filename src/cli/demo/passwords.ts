/**
 * Reads the password database of a broker and checks passwords against its hashes. The broker of the demo calls it.
 * It refuses a line that is not in the format, and names the line by its number only.
 */

import { pbkdf2, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { ProviderError } from '../../base/errors.ts';

const derive = promisify(pbkdf2);

/** A hash of a password: PBKDF2 with SHA-512. */
export interface PasswordHash {
  readonly iterations: number;
  readonly salt: Buffer;
  readonly hash: Buffer;
}

/** A user of a broker's password database. */
export interface BrokerUser {
  readonly password: PasswordHash;
  readonly attributes: ReadonlyMap<string, string>;
}

const NAME = '(?:"([^"\\\\]+)"|([A-Za-z0-9_-]+))';
const TABLE = new RegExp(`^\\[\\s*${NAME}(\\s*\\.\\s*attributes)?\\s*\\]$`);
const ENTRY = new RegExp(`^${NAME}\\s*=\\s*"([^"\\\\]*)"$`);
const HASH = /^\$pbkdf2-sha512\$i=([1-9]\d{0,6}),l=([1-9]\d{0,2})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/;

/**
 * Reads `passwords.toml`: for each user a table with `password = "$pbkdf2-sha512$i=…,l=…$salt$hash"`, and perhaps a
 * table `user.attributes`. It understands as much of TOML as such files use.
 * Throws: ERR_BAD_CONTENT with the line's number, never its text.
 */
export function parsePasswords(text: string): ReadonlyMap<string, BrokerUser> {
  const tables = readTables(text);
  const attributes = new Map(tables.filter(({ kind }) => kind === 'attributes').map((one) => [one.user, one.entries]));
  const users = new Map<string, BrokerUser>();
  for (const { kind, user, line, entries } of tables) {
    if (kind === 'attributes') continue;
    const password = parseHash(entries.get('password') ?? '');
    if (password === undefined) {
      throw passwordsError(line, 'the user has no password in the form $pbkdf2-sha512$i=…,l=…$salt$hash');
    }
    if (users.has(user)) throw passwordsError(line, 'a user of this name is on an earlier line');
    users.set(user, { password, attributes: attributes.get(user) ?? new Map() });
  }
  return users;
}

/** True if the hash was derived from this password. */
export async function passwordFits(password: Buffer, { iterations, salt, hash }: PasswordHash): Promise<boolean> {
  return timingSafeEqual(await derive(password, salt, iterations, hash.length, 'sha512'), hash);
}

interface Table {
  readonly kind: 'user' | 'attributes';
  readonly user: string;
  /** From 1. */
  readonly line: number;
  readonly entries: Map<string, string>;
}

function readTables(text: string): readonly Table[] {
  const tables: Table[] = [];
  for (const [i, raw] of text.split('\n').entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const table = readHeading(line, i + 1);
    if (table === undefined) addEntry(tables.at(-1), line, i + 1);
    else tables.push(table);
  }
  return tables;
}

/** A table without entries; undefined if the line is no heading. */
function readHeading(text: string, line: number): Table | undefined {
  const [table, quotedUser, bareUser = '', suffix] = TABLE.exec(text) ?? [];
  if (table === undefined) return undefined;
  return { kind: suffix === undefined ? 'user' : 'attributes', user: quotedUser ?? bareUser, line, entries: new Map() };
}

function addEntry(table: Table | undefined, text: string, line: number): void {
  const [entry, quotedKey, bareKey = '', value = ''] = ENTRY.exec(text) ?? [];
  if (entry === undefined) throw passwordsError(line, 'neither [user] nor key = "value"');
  if (table === undefined) throw passwordsError(line, 'a value before the first [user]');
  table.entries.set(quotedKey ?? bareKey, value);
}

function parseHash(value: string): PasswordHash | undefined {
  const [, iterations, length, salt = '', unpadded = ''] = HASH.exec(value) ?? [];
  const hash = Buffer.from(unpadded, 'base64');
  if (hash.length === 0 || hash.length !== Number(length)) return undefined;
  return { iterations: Number(iterations), salt: Buffer.from(salt, 'base64'), hash };
}

function passwordsError(line: number, reason: string): ProviderError {
  return new ProviderError('ERR_BAD_CONTENT', `passwords, line ${line}: ${reason}`);
}
