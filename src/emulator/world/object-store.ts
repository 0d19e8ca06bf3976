/**
 * Keeps the versions of secrets, keys or certificates of one vault, with soft delete. Vaults and controls call it.
 */

/** The fields that every version of a secret, key or certificate has. Times are seconds since 1970. */
export interface StoredVersion {
  /** 32 hexadecimal digits. */
  readonly version: string;
  enabled: boolean;
  notBefore: number | undefined;
  expires: number | undefined;
  readonly created: number;
  updated: number;
  tags: Readonly<Record<string, string>>;
}

/** All versions of one name, oldest first. There is always at least one. */
export interface StoredObject<V extends StoredVersion> {
  readonly name: string;
  readonly versions: readonly [V, ...V[]];
}

/** A soft-deleted object. Times are seconds since 1970. */
export interface DeletedObject<V extends StoredVersion> extends StoredObject<V> {
  readonly deletedAt: number;
  readonly purgeAt: number;
}

const RETENTION_SECONDS = 90 * 24 * 3600;

/** The objects of one kind in one vault, with soft delete. Names are not case-sensitive. */
export class ObjectStore<V extends StoredVersion> {
  readonly #live = new Map<string, StoredObject<V>>();
  readonly #deleted = new Map<string, DeletedObject<V>>();

  /** Adds a version, which becomes the current one. */
  add(name: string, version: V): void {
    const known = this.#live.get(name.toLowerCase());
    const [first, ...rest] = known?.versions ?? [version];
    const versions: [V, ...V[]] = known === undefined ? [version] : [first, ...rest, version];
    this.#live.set(name.toLowerCase(), { name: known?.name ?? name, versions });
  }

  get(name: string): StoredObject<V> | undefined {
    return this.#live.get(name.toLowerCase());
  }

  /** Returns the named version, or the current version: the last one added, enabled or not. */
  version(name: string, version?: string): V | undefined {
    const versions = this.get(name)?.versions;
    return version === undefined
      ? versions?.at(-1)
      : versions?.find((candidate) => candidate.version === version.toLowerCase());
  }

  list(): readonly StoredObject<V>[] {
    return [...this.#live.values()];
  }

  getDeleted(name: string): DeletedObject<V> | undefined {
    return this.#deleted.get(name.toLowerCase());
  }

  listDeleted(): readonly DeletedObject<V>[] {
    return [...this.#deleted.values()];
  }

  /** Soft-deletes the object. Returns false if it does not exist. */
  delete(name: string, now: number): boolean {
    const object = this.get(name);
    if (object === undefined) return false;
    this.#live.delete(name.toLowerCase());
    this.#deleted.set(name.toLowerCase(), { ...object, deletedAt: now, purgeAt: now + RETENTION_SECONDS });
    return true;
  }

  /** Recovers a soft-deleted object. Returns false if it does not exist. */
  recover(name: string): boolean {
    const object = this.getDeleted(name);
    if (object === undefined) return false;
    this.#deleted.delete(name.toLowerCase());
    this.#live.set(name.toLowerCase(), { name: object.name, versions: object.versions });
    return true;
  }

  /** Removes a soft-deleted object permanently. Returns false if it does not exist. */
  purge(name: string): boolean {
    return this.#deleted.delete(name.toLowerCase());
  }
}
