/**
 * The operations that secrets, keys and certificates share: get, list, update, delete, recover. The API of vaults calls it.
 */

import type { JsonObject } from '../../base/json.ts';
import type { HttpResponse } from '../http/http.ts';
import { nowSeconds, type ObjectKind, type Vault } from '../world/model.ts';
import type { DeletedObject, ObjectStore, StoredObject, StoredVersion } from '../world/object-store.ts';
import { page } from './paging.ts';
import { requireAccess } from './vault-access.ts';
import { attributesOf, jsonBody, ok, type VaultRequest } from './vault-call.ts';
import { deletedButRecoverable, disabled, notFound } from './vault-errors.ts';
import { updateVersion } from './vault-write.ts';

/** The storage and the JSON of one kind of object. The operations below are common to all kinds. */
export interface Collection<V extends StoredVersion> {
  readonly kind: ObjectKind;
  readonly store: (vault: Vault) => ObjectStore<V>;
  /** The permission that is needed to change a version. */
  readonly updatePermission: string;
  /** Returns the stores that change with this one: the key and secret of a certificate. */
  readonly followers: (vault: Vault) => readonly ObjectStore<StoredVersion>[];
  /** Returns the members of a full response, except attributes and tags. */
  readonly bundle: (call: VaultRequest, name: string, version: V) => JsonObject;
  /** Returns the members of a list item with this id, except attributes and tags. */
  readonly item: (id: string, version: V) => JsonObject;
  /** Applies the changes that only this kind allows. */
  readonly update: (version: V, body: JsonObject) => void;
}

/** An object, addressed by its name and optionally a version. */
export interface Address {
  readonly name: string;
  readonly version?: string | undefined;
}

/** `GET /{kind}`: the current version of every object. */
export function listObjects<V extends StoredVersion>(call: VaultRequest, collection: Collection<V>): HttpResponse {
  const { kind } = collection;
  requireAccess(call.vault, call.caller, { kind, permission: 'list' });
  const show = ({ name, versions }: StoredObject<V>) =>
    listItem(call, collection, { name, version: currentOf(versions) });
  return ok(page(call, collection.store(call.vault).list(), { key: ({ name }) => name.toLowerCase(), show }));
}

/** `GET /{kind}/{name}/versions`, ordered by version id as Key Vault does, not by time. */
export function listVersions<V extends StoredVersion>(
  call: VaultRequest,
  collection: Collection<V>,
  name: string,
): HttpResponse {
  const { kind } = collection;
  requireAccess(call.vault, call.caller, { kind, permission: 'list', name });
  const object = collection.store(call.vault).get(name);
  if (object === undefined) throw notFound(kind, name);
  const show = (version: V) => ({
    ...collection.item(objectId(call, kind, { name: object.name, version: version.version }), version),
    ...attributesJson(version),
  });
  return ok(page(call, object.versions, { key: ({ version }) => version, show }));
}

/** `GET /{kind}/{name}[/{version}]`. */
export function getObject<V extends StoredVersion>(
  call: VaultRequest,
  collection: Collection<V>,
  address: Address,
): HttpResponse {
  requireAccess(call.vault, call.caller, { kind: collection.kind, permission: 'get', name: address.name });
  const { name, version } = requireVersion(call, collection, address);
  if (!version.enabled) throw disabled(collection.kind);
  return ok(bundleJson(call, collection, { name, version }));
}

/** `PATCH /{kind}/{name}[/{version}]`. */
export function updateObject<V extends StoredVersion>(
  call: VaultRequest,
  collection: Collection<V>,
  address: Address,
): HttpResponse {
  const permission = collection.updatePermission;
  requireAccess(call.vault, call.caller, { kind: collection.kind, permission, name: address.name });
  const { name, version } = requireVersion(call, collection, address);
  const body = jsonBody(call);
  const change = attributesOf(body);
  const followers = collection.followers(call.vault).map((store) => store.version(name, version.version));
  collection.update(version, body);
  updateVersion(call.world, [version, ...followers], change);
  return ok(bundleJson(call, collection, { name, version }));
}

/** `DELETE /{kind}/{name}`: soft delete. */
export function deleteObject<V extends StoredVersion>(
  call: VaultRequest,
  collection: Collection<V>,
  name: string,
): HttpResponse {
  const { kind } = collection;
  requireAccess(call.vault, call.caller, { kind, permission: 'delete', name });
  const now = nowSeconds(call.world);
  if (!collection.store(call.vault).delete(name, now)) throw notFound(kind, name);
  for (const store of collection.followers(call.vault)) store.delete(name, now);
  return getDeletedObject(call, collection, name);
}

/** `GET /deleted{kind}`. */
export function listDeleted<V extends StoredVersion>(call: VaultRequest, collection: Collection<V>): HttpResponse {
  const { kind } = collection;
  requireAccess(call.vault, call.caller, { kind, permission: 'list' });
  const show = (object: DeletedObject<V>) => ({
    ...listItem(call, collection, { name: object.name, version: currentOf(object.versions) }),
    ...deletionJson(call, kind, object),
  });
  return ok(page(call, collection.store(call.vault).listDeleted(), { key: ({ name }) => name.toLowerCase(), show }));
}

/** `GET /deleted{kind}/{name}`. Checks the permission to read first. */
export function getDeleted<V extends StoredVersion>(
  call: VaultRequest,
  collection: Collection<V>,
  name: string,
): HttpResponse {
  requireAccess(call.vault, call.caller, { kind: collection.kind, permission: 'get', name });
  return getDeletedObject(call, collection, name);
}

/** `POST /deleted{kind}/{name}/recover`. */
export function recoverObject<V extends StoredVersion>(
  call: VaultRequest,
  collection: Collection<V>,
  name: string,
): HttpResponse {
  const { kind } = collection;
  requireAccess(call.vault, call.caller, { kind, permission: 'recover', name });
  if (!collection.store(call.vault).recover(name)) throw notFound(kind, name);
  for (const store of collection.followers(call.vault)) store.recover(name);
  const recovered = requireVersion(call, collection, { name });
  return ok(withoutValue(bundleJson(call, collection, recovered)));
}

/** `DELETE /deleted{kind}/{name}`: removes the object permanently. */
export function purgeObject<V extends StoredVersion>(
  call: VaultRequest,
  collection: Collection<V>,
  name: string,
): HttpResponse {
  const { kind } = collection;
  requireAccess(call.vault, call.caller, { kind, permission: 'purge', name });
  if (!collection.store(call.vault).purge(name)) throw notFound(kind, name);
  for (const store of collection.followers(call.vault)) store.purge(name);
  return { status: 204, headers: {}, body: '' };
}

/** Refuses with 409 a name that a deleted object still has. */
export function requireFreeName<V extends StoredVersion>(
  call: VaultRequest,
  collection: Collection<V>,
  name: string,
): void {
  if (collection.store(call.vault).getDeleted(name) !== undefined) throw deletedButRecoverable(collection.kind, name);
}

/** Returns the full response for one version. */
export function bundleJson<V extends StoredVersion>(
  call: VaultRequest,
  collection: Collection<V>,
  { name, version }: { name: string; version: V },
): JsonObject {
  return { ...collection.bundle(call, name, version), ...attributesJson(version) };
}

/** Returns the id of an object or of one of its versions. */
export function objectId(call: VaultRequest, kind: ObjectKind, { name, version }: Address): string {
  return `${call.origin}/${kind}/${name}${version === undefined ? '' : `/${version}`}`;
}

/** Returns the addressed version and the name as it is stored. Refuses with 404. */
export function requireVersion<V extends StoredVersion>(
  call: VaultRequest,
  collection: Collection<V>,
  address: Address,
): { name: string; version: V } {
  const store = collection.store(call.vault);
  const version = store.version(address.name, address.version);
  if (version === undefined) {
    throw notFound(
      collection.kind,
      address.version === undefined ? address.name : `${address.name}/${address.version}`,
    );
  }
  return { name: store.get(address.name)?.name ?? address.name, version };
}

/** Returns `attributes` and `tags` as JSON. */
function attributesJson(version: StoredVersion): JsonObject {
  const { enabled, notBefore, expires, created, updated, tags } = version;
  const attributes = {
    enabled,
    ...(notBefore === undefined ? {} : { nbf: notBefore }),
    ...(expires === undefined ? {} : { exp: expires }),
    created,
    updated,
    recoveryLevel: 'Recoverable+Purgeable',
    recoverableDays: 90,
  };
  return { attributes, ...(Object.keys(tags).length === 0 ? {} : { tags }) };
}

function listItem<V extends StoredVersion>(
  call: VaultRequest,
  collection: Collection<V>,
  { name, version }: { name: string; version: V },
): JsonObject {
  return { ...collection.item(objectId(call, collection.kind, { name }), version), ...attributesJson(version) };
}

function getDeletedObject<V extends StoredVersion>(
  call: VaultRequest,
  collection: Collection<V>,
  name: string,
): HttpResponse {
  const object = collection.store(call.vault).getDeleted(name);
  if (object === undefined) throw notFound(collection.kind, name);
  const current = { name: object.name, version: currentOf(object.versions) };
  return ok({ ...withoutValue(bundleJson(call, collection, current)), ...deletionJson(call, collection.kind, object) });
}

function deletionJson(call: VaultRequest, kind: ObjectKind, object: DeletedObject<StoredVersion>): JsonObject {
  return {
    recoveryId: `${call.origin}/deleted${kind}/${object.name}`,
    deletedDate: object.deletedAt,
    scheduledPurgeDate: object.purgeAt,
  };
}

function withoutValue({ value: _, ...rest }: JsonObject): JsonObject {
  return rest;
}

function currentOf<V>(versions: readonly [V, ...V[]]): V {
  return versions.at(-1) ?? versions[0];
}
