// Objects of the stub API server: versions, conflicts, history for watches, garbage collection. The HTTP side of the
// stub and the tests call it. Refuses what a real API server refuses: existing or unknown names and stale versions.
import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';

/** An object of the API, as JSON. */
export interface KubeObject {
  readonly metadata: Metadata;
  readonly [field: string]: unknown;
}

interface Metadata {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly { readonly uid: string; readonly name: string; readonly kind: string }[];
  readonly [field: string]: unknown;
}

/** A change of an object: created without `before`, deleted without `after`. */
export interface Change {
  readonly version: number;
  readonly before?: KubeObject;
  readonly after?: KubeObject;
}

/** A refusal with its HTTP status and reason. */
export class ApiError extends Error {
  readonly status: number;
  readonly reason: string;
  constructor(status: number, reason: string, message: string) {
    super(message);
    this.status = status;
    this.reason = reason;
  }
}

const keyOf = ({ namespace = '', name }: { readonly namespace?: string; readonly name: string }) =>
  `${namespace}/${name}`;

/** The objects of all resources; a resource is named by its plural. */
export class ObjectStore {
  readonly #objects = new Map<string, Map<string, KubeObject>>();
  readonly #history = new Map<string, Change[]>();
  readonly #watchers = new Map<string, Set<(change: Change) => void>>();
  #version = 1;

  /** The latest version of all objects. */
  get version(): number {
    return this.#version;
  }

  list(resource: string): readonly KubeObject[] {
    return [...this.#of(resource).values()];
  }

  find(resource: string, namespace: string, name: string): KubeObject | undefined {
    return this.#of(resource).get(keyOf({ namespace, name }));
  }

  get(resource: string, namespace: string, name: string): KubeObject {
    const object = this.find(resource, namespace, name);
    if (object === undefined) throw new ApiError(404, 'NotFound', `${resource} "${name}" not found`);
    return object;
  }

  create(resource: string, object: KubeObject): KubeObject {
    const { name } = object.metadata;
    if (this.#of(resource).has(keyOf(object.metadata))) {
      throw new ApiError(409, 'AlreadyExists', `${resource} "${name}" already exists`);
    }
    const metadata = {
      ...object.metadata,
      uid: object.metadata.uid || randomUUID(),
      creationTimestamp: new Date().toISOString().replace(/\.\d+/, ''),
    };
    return this.#record(resource, { after: { ...object, metadata } });
  }

  /** Replaces an object. An equal object makes no change and no event. */
  replace(resource: string, object: KubeObject): KubeObject {
    const { namespace = '', name, resourceVersion } = object.metadata;
    const before = this.get(resource, namespace, name);
    if (resourceVersion && resourceVersion !== before.metadata.resourceVersion) {
      throw new ApiError(409, 'Conflict', `${resource} "${name}": the object has been modified`);
    }
    const { uid, creationTimestamp, resourceVersion: current } = before.metadata;
    const metadata = { ...object.metadata, uid, creationTimestamp, resourceVersion: current } as Metadata;
    const after = { ...object, metadata };
    if (isDeepStrictEqual(after, before)) return before;
    const replaced = this.#record(resource, { before, after });
    this.#collect();
    return replaced;
  }

  /** Applies a JSON merge patch. */
  patch(resource: string, [namespace, name]: readonly [string, string], patch: unknown): KubeObject {
    return this.replace(resource, merged(this.get(resource, namespace, name), patch) as KubeObject);
  }

  /** Deletes an object, and every object that then has no owner. */
  delete(resource: string, namespace: string, name: string): void {
    const before = this.get(resource, namespace, name);
    this.#record(resource, { before });
    this.#collect();
  }

  /** Calls back for each change after `version`, the oldest first. Returns the function that ends it. */
  watch(resource: string, version: number, callback: (change: Change) => void): () => void {
    for (const change of this.#history.get(resource) ?? []) if (change.version > version) callback(change);
    const watchers = this.#watchers.get(resource) ?? new Set();
    this.#watchers.set(resource, watchers.add(callback));
    return () => watchers.delete(callback);
  }

  #of(resource: string): Map<string, KubeObject> {
    const objects = this.#objects.get(resource) ?? new Map<string, KubeObject>();
    this.#objects.set(resource, objects);
    return objects;
  }

  #record(resource: string, { before, after }: Omit<Change, 'version'>): KubeObject {
    const version = ++this.#version;
    const object = after ?? before;
    if (object === undefined) throw new Error('a change has an object');
    const marked = { ...object, metadata: { ...object.metadata, resourceVersion: String(version) } };
    const change = { version, ...(before && { before }), ...(after ? { after: marked } : { before: marked }) };
    if (after === undefined) this.#of(resource).delete(keyOf(object.metadata));
    else this.#of(resource).set(keyOf(object.metadata), marked);
    const history = this.#history.get(resource) ?? [];
    this.#history.set(resource, history);
    history.push(change);
    for (const watcher of this.#watchers.get(resource) ?? []) watcher(change);
    return marked;
  }

  /** Removes objects whose owners do not exist, and references to owners that do not exist. */
  #collect(): void {
    const alive = new Set(
      [...this.#objects.values()].flatMap((all) => [...all.values()].map((one) => one.metadata.uid)),
    );
    for (const [resource, objects] of this.#objects) {
      for (const { metadata } of [...objects.values()]) {
        const { ownerReferences = [], namespace = '', name } = metadata;
        const left = ownerReferences.filter(({ uid }) => alive.has(uid));
        if (left.length === ownerReferences.length) continue;
        if (left.length === 0) this.delete(resource, namespace, name);
        else this.patch(resource, [namespace, name], { metadata: { ownerReferences: left } });
        this.#collect();
        return;
      }
    }
  }
}

function merged(target: unknown, patch: unknown): unknown {
  if (!isMap(patch)) return patch;
  const result: Record<string, unknown> = isMap(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = merged(result[key], value);
  }
  return result;
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
