/**
 * Writes the last known values of vaults as bytes for the sealed store, and reads them back. `OfflineCache` calls it.
 * Refuses bytes that another version of the program wrote and this one does not understand.
 */

import { isJsonObject, type JsonObject, parseJson } from '../../base/json.ts';
import type { ObjectType } from '../../base/objects.ts';
import { Secret } from '../../base/secret.ts';
import type { FetchedObject, ListedObject, ListedVersion } from '../../mount/ports.ts';
import type { EntryKey } from '../store/store-index.ts';
import type { KnownRequest, KnownValues, Operation } from './known-request.ts';
import { factsFromStore } from './object-facts.ts';

/** The first part of the key of an entry that is written here; another form of the bytes has another one. */
const KIND = 'known value 1';
const OPERATIONS: readonly Operation[] = ['read', 'list the versions of', 'list'];
const TYPES: readonly ObjectType[] = ['secret', 'key', 'cert'];
/** Limits of the bytes of one value. The store limits them as well. */
const LIMITS = { bytes: 4 * 1024 * 1024, entries: 100_000, depth: 5 };

/** Returns the key under which the store keeps the value of a request. */
export function entryKeyOf({ principal, vaultUrl, operation, type, name, version }: KnownRequest): EntryKey {
  return [KIND, principal, vaultUrl, operation, type, name, version];
}

/** Returns the request of an entry of the store, or undefined for another kind of entry. */
export function requestOfEntry(key: EntryKey): KnownRequest | undefined {
  const [kind, principal = '', vaultUrl = '', asked, named, name = '', version = ''] = key;
  const operation = OPERATIONS.find((one) => one === asked);
  const type = TYPES.find((one) => one === named);
  if (kind !== KIND || operation === undefined || type === undefined) return undefined;
  return { principal, vaultUrl, operation, type, name, version };
}

/** Returns the bytes of a value, the same for equal values. */
export function encodeKnown(value: KnownValues[Operation]): Buffer {
  return Buffer.from(JSON.stringify('type' in value ? jsonOf(value) : value.map(rowOf)));
}

/** Returns the value in these bytes, or undefined if they hold none of this request. */
export function decodeKnown(
  { operation, type }: Pick<KnownRequest, 'operation' | 'type'>,
  bytes: Buffer,
): KnownValues[Operation] | undefined {
  const parsed = parseJson(bytes.toString('utf8'), LIMITS);
  if (!parsed.ok) return undefined;
  if (operation === 'read') return objectOf(type, parsed.value);
  return operation === 'list' ? rowsOf(parsed.value, listedObjectOf) : rowsOf(parsed.value, listedOf);
}

function rowsOf<T>(json: unknown, read: (row: unknown) => T | undefined): readonly T[] | undefined {
  const rows = Array.isArray(json) ? json.map(read) : [undefined];
  return rows.every((row) => row !== undefined) ? rows : undefined;
}

function jsonOf(object: FetchedObject): JsonObject {
  const { type, version, expiresAt, facts } = object;
  const common = { type, version, expiresAt, facts };
  switch (object.type) {
    case 'secret': {
      const { value, contentType, certificateBacked } = object;
      return { ...common, value: value.reveal(), contentType, certificateBacked };
    }
    case 'key':
      return { ...common, key: object.key };
    case 'cert':
      return { ...common, der: object.der.toString('base64') };
  }
}

function objectOf(type: ObjectType, json: unknown): FetchedObject | undefined {
  if (!isJsonObject(json) || json.type !== type) return undefined;
  const { version, expiresAt } = json;
  if (typeof version !== 'string' || !isOptional(expiresAt, 'number')) return undefined;
  const facts = factsFromStore(json.facts);
  const common = { version, expiresAt, ...(facts === undefined ? {} : { facts }) };
  switch (type) {
    case 'secret': {
      const { value, contentType, certificateBacked } = json;
      if (typeof value !== 'string' || typeof contentType !== 'string' || typeof certificateBacked !== 'boolean')
        return undefined;
      return { type, ...common, value: new Secret(value), contentType, certificateBacked };
    }
    case 'key': {
      if (!isJsonObject(json.key)) return undefined;
      const { kty, crv, n, e, x, y } = json.key;
      const texts = [kty, crv, n, e, x, y];
      if (!texts.every((text) => isOptional(text, 'string'))) return undefined;
      const text = (one: unknown) => (typeof one === 'string' ? one : undefined);
      return {
        type,
        ...common,
        key: { kty: text(kty), crv: text(crv), n: text(n), e: text(e), x: text(x), y: text(y) },
      };
    }
    case 'cert':
      return typeof json.der === 'string' ? { type, ...common, der: Buffer.from(json.der, 'base64') } : undefined;
  }
}

function rowOf(entry: ListedVersion | ListedObject): readonly unknown[] {
  if ('version' in entry) return [entry.version, entry.enabled, entry.createdAt, entry.notBefore, entry.expiresAt];
  const { name, ...facts } = entry;
  return [name, facts];
}

function listedObjectOf(row: unknown): ListedObject | undefined {
  if (!Array.isArray(row)) return undefined;
  const [name, json]: readonly unknown[] = row;
  const { enabled, updatedAt, tags } = factsFromStore(json) ?? {};
  if (typeof name !== 'string' || enabled === undefined) return undefined;
  return { name, enabled, ...(updatedAt !== undefined && { updatedAt }), ...(tags !== undefined && { tags }) };
}

function listedOf(row: unknown): ListedVersion | undefined {
  if (!Array.isArray(row)) return undefined;
  const [version, enabled, createdAt, notBefore, expiresAt]: readonly unknown[] = row;
  if (typeof version !== 'string' || typeof enabled !== 'boolean' || typeof createdAt !== 'number') return undefined;
  const timeOf = (time: unknown) => (typeof time === 'number' ? time : undefined);
  return { version, enabled, createdAt, notBefore: timeOf(notBefore), expiresAt: timeOf(expiresAt) };
}

function isOptional(value: unknown, type: 'string'): value is string | undefined;
function isOptional(value: unknown, type: 'number'): value is number | undefined;
function isOptional(value: unknown, type: 'string' | 'number'): boolean {
  return value === undefined || typeof value === type;
}
