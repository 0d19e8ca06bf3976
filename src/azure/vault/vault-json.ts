/**
 * Reads the JSON that a vault answers with into objects and versions. The vault reader calls it for each answer.
 * Refuses an answer that lacks what conversion needs, and one about another object or version than the one asked for.
 */

import { isJsonObject, type JsonObject, membersOf } from '../../base/json.ts';
import type { ObjectType } from '../../base/objects.ts';
import { ownText } from '../../base/own-text.ts';
import { Secret } from '../../base/secret.ts';
import type { FetchedObject, ListedObject, ListedVersion, ObjectRef } from '../../mount/ports.ts';
import { BadAnswer, NO_JSON } from './bad-answer.ts';
import { bytesOfFacts, factsFromWire, timeOf } from './object-facts.ts';
import { NOUN } from './vault-error.ts';

/**
 * Reads the JSON that a vault answered. The SDK's own models cannot be used for it: they crash if a field is absent,
 * and Key Vault omits fields.
 * Throws: `BadAnswer`, naming the field, with the official provider's words.
 */
export function fetchedFromWire(ref: ObjectRef, body: unknown): FetchedObject {
  const json = jsonOf(body);
  const refuse = (text: string, field: string): never => {
    throw new BadAnswer(`${text}: the vault answered without "${field}"`);
  };
  const attributes = membersOf(json.attributes);
  const about = { expiresAt: timeOf(attributes.exp), facts: factsFromWire(json) };
  switch (ref.type) {
    case 'secret': {
      const { value } = json;
      if (typeof value !== 'string') return refuse('secret value is nil', 'value');
      const version = versionOf(ref, json.id) ?? refuse('secret id is nil', 'id');
      return {
        type: 'secret',
        version,
        ...about,
        value: new Secret(value),
        contentType: textOf(json.contentType) ?? '',
        certificateBacked: (textOf(json.kid) ?? '') !== '',
      };
    }
    case 'key': {
      const { key } = json;
      if (!isJsonObject(key)) return refuse('key value is nil', 'key');
      const version = versionOf(ref, key.kid) ?? refuse('key id is nil', 'kid');
      const numbers = { n: textOf(key.n), e: textOf(key.e), x: textOf(key.x), y: textOf(key.y) };
      return { type: 'key', version, ...about, key: { kty: textOf(key.kty), crv: textOf(key.crv), ...numbers } };
    }
    case 'cert': {
      const cer = textOf(json.cer) ?? refuse('certificate value is nil', 'cer');
      const version = versionOf(ref, json.id) ?? refuse('certificate id is nil', 'id');
      return { type: 'cert', version, ...about, der: Buffer.from(cer, 'base64') };
    }
  }
}

/** Estimated memory of an entry besides its content. */
const ENTRY_BYTES = 500;

/** Returns the estimated bytes of an object in memory. */
export function bytesOfObject(object: FetchedObject): number {
  const bytes = ENTRY_BYTES + bytesOfFacts(object.facts);
  switch (object.type) {
    case 'secret':
      return bytes + object.value.reveal().length;
    case 'cert':
      return bytes + object.der.length;
    case 'key':
      return bytes + ENTRY_BYTES;
  }
}

/** Returns the path of the listing of an object's versions. */
export function versionsPath({ type, name }: Omit<ObjectRef, 'version'>): string {
  return `/${COLLECTION[type]}/${encodeURIComponent(name)}/versions`;
}

/**
 * Returns the entries of one page of a version listing; entries without id or attributes name no version to choose.
 * Throws: `BadAnswer` if it is no listing, or one of another object.
 */
export function listedFromWire(ref: Omit<ObjectRef, 'version'>, body: unknown): readonly ListedVersion[] {
  return rowsOf(body).flatMap((item) => {
    const version = versionOf({ ...ref, version: '' }, idOf(ref.type, item));
    if (version === undefined || !isJsonObject(item.attributes)) return [];
    const { enabled, created, nbf, exp } = item.attributes;
    const [createdAt, notBefore, expiresAt] = [timeOf(created) ?? 0, timeOf(nbf), timeOf(exp)];
    return [{ version, enabled: enabled !== false, createdAt, notBefore, expiresAt }];
  });
}

/** Returns the path of the listing of all objects of a type. */
export function objectsPath(type: ObjectType): string {
  return `/${COLLECTION[type]}`;
}

/**
 * Returns the entries of one page of the listing of all objects of a type; those without id name no object.
 * Throws: `BadAnswer` if it is no listing, or one of another type, or if a name cannot be that of an object, such as one
 * that leaves the directory of a volume.
 */
export function objectsFromWire(type: ObjectType, body: unknown): readonly ListedObject[] {
  return rowsOf(body).flatMap((item) => {
    const id = idOf(type, item);
    if (id === undefined || id === '') return [];
    const [, collection, name = ''] = /^https?:\/\/[^/]+\/(\w+)\/([-0-9A-Za-z]{1,127})\/*$/i.exec(id) ?? [];
    if (collection?.toLowerCase() !== COLLECTION[type])
      throw new BadAnswer(`the vault listed an id that is not that of a ${NOUN[type]}`);
    const { enabled = true, updatedAt, tags } = factsFromWire(item);
    return [
      {
        name: ownText(name),
        enabled,
        ...(updatedAt !== undefined && { updatedAt }),
        ...(tags !== undefined && { tags }),
      },
    ];
  });
}

/** Estimated memory of one entry of a listing. */
const LISTED_VERSION_BYTES = 200;
const LISTED_OBJECT_BYTES = 120;

/** Returns the estimated bytes of a listing in memory. */
export function bytesOfListing(entries: readonly (ListedVersion | ListedObject)[]): number {
  const bytesOf = (entry: ListedVersion | ListedObject) =>
    'version' in entry ? LISTED_VERSION_BYTES : LISTED_OBJECT_BYTES + bytesOfFacts(entry);
  return entries.reduce((bytes, entry) => bytes + bytesOf(entry), LISTED_VERSION_BYTES);
}

function rowsOf(body: unknown): readonly JsonObject[] {
  const { value } = jsonOf(body);
  if (!Array.isArray(value)) throw new BadAnswer('the vault answered a listing without "value"');
  return value.map(membersOf);
}

function idOf(type: ObjectType, item: JsonObject): string | undefined {
  return textOf(type === 'key' ? (item.kid ?? item.id) : item.id);
}

/**
 * Returns the members of an answer. It has none if it is JSON of another kind. Throws: `BadAnswer` if it is no JSON.
 */
function jsonOf(body: unknown): JsonObject {
  if (body === undefined) throw new BadAnswer(NO_JSON);
  return membersOf(body);
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** Names of the kinds of objects in the paths of a vault. */
const COLLECTION = { secret: 'secrets', key: 'keys', cert: 'certificates' } as const;

/**
 * Returns the version in an id, or undefined if there is none. Throws: `BadAnswer` if the id is not that of the object.
 */
function versionOf({ type, name, version: asked }: ObjectRef, id: unknown): string | undefined {
  const text = textOf(id);
  if (text === undefined || text === '') return undefined;
  const [, collection, named = '', version = ''] =
    /^https?:\/\/[^/]+\/(\w+)\/([^/?#]+)\/([^/?#\s\p{C}]{1,128})\/*$/iu.exec(text) ?? [];
  const isSame = collection?.toLowerCase() === COLLECTION[type] && sameText(decoded(named), name);
  if (!isSame || !(asked === '' || sameText(version, asked))) {
    throw new BadAnswer(`the vault answered with an id that is not that of the ${NOUN[type]} asked for`);
  }
  return ownText(version);
}

function sameText(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
