/**
 * Reads objects of the cluster from the API server, and keeps copies of what they say. The readers of classes and of
 * service accounts use it. If the API server does not answer, the last known copy is used. Without a copy, the read fails.
 * Refuses answers about another object than the one asked for.
 */

import { Cache } from '../../base/cache.ts';
import { Lifetime } from '../../base/clock.ts';
import { messageOf, ProviderError } from '../../base/errors.ts';
import { isJsonObject } from '../../base/json.ts';
import type { Logger } from '../../base/log.ts';
import { SingleFlight } from '../../base/single-flight.ts';
import type { Sweeper } from '../../base/sweeper.ts';
import type { FetchContext } from '../../mount/ports.ts';
import { namespaceProblem, subdomainProblem } from '../../spc/kubernetes-names.ts';
import type { ApiServer } from './api-server.ts';

/** How long a copy is used if the API server does not answer. */
const KNOWN_MS = 24 * 60 * 60 * 1000;
/** How long a failure is kept. It prevents that each Mount waits for an API server that does not answer. */
const FAILED_MS = 5_000;
/** Objects whose copies are kept. A node has about a hundred pods, and a copy at most two kilobytes. */
const MAX_COPIES = 500;

/** A kind of objects, and what is kept of one. */
export interface ClusterKind<T> {
  /** Such as `SecretProviderClass`. */
  readonly kind: string;
  /** The same in messages, such as `class`. */
  readonly noun: string;
  /** The path of the API that has them, and their name in paths below it. */
  readonly api: string;
  readonly resource: string;
  /** The right that the provider needs, as the end of a remedy. */
  readonly right: string;
  /** How long a copy is used without another request, in milliseconds. */
  readonly freshMs: number;
  /**
   * Returns what is kept of an object; undefined if it has another form. Throws: `ProviderError`; with ERR_BAD_PARAMETERS
   * the object says that there is no value, and its last known copy is dropped.
   */
  readonly understand: (object: unknown) => T | undefined;
}

/** Parts of {@link Copies}. */
export interface CopiesParts {
  readonly sweeper: Sweeper;
  readonly log: Logger;
}

/** An object in a namespace. */
export interface ObjectName {
  readonly namespace: string;
  readonly name: string;
}

/** One read of an object. */
export interface CopyRead<T> {
  readonly ref: ObjectName;
  /** A kept copy that does not fit is read again. */
  readonly fits: (value: T) => boolean;
}

interface Copy<T> {
  readonly value: T;
  readonly fresh: Lifetime;
}

/** A copy, and the reason why it may be outdated. */
export interface KnownCopy<T> {
  readonly value: T;
  /** Undefined if the API server answered. */
  readonly unconfirmed: string | undefined;
}

/** The copies of the objects of one kind, by namespace and name. */
export class Copies<T> {
  readonly #kind: ClusterKind<T>;
  readonly #server: ApiServer;
  readonly #parts: CopiesParts;
  readonly #copies: Cache<Copy<T>>;
  readonly #failures: Cache<ProviderError>;
  readonly #reads = new SingleFlight<Copy<T>>();

  constructor(kind: ClusterKind<T>, server: ApiServer, parts: CopiesParts) {
    this.#kind = kind;
    this.#server = server;
    this.#parts = parts;
    const { sweeper } = parts;
    this.#copies = new Cache({ entries: MAX_COPIES, sweeper });
    this.#failures = new Cache({ entries: MAX_COPIES, sweeper });
  }

  /** Returns a copy that fits, or the newest one. Throws: `ProviderError` if there is no copy. */
  async read(
    read: CopyRead<T>,
    { signal, progress, span }: Pick<FetchContext, 'signal' | 'progress' | 'span'>,
  ): Promise<KnownCopy<T>> {
    const key = `${read.ref.namespace}/${read.ref.name}`;
    const known = this.#copies.get(key);
    if (known?.fresh.over === false && read.fits(known.value)) return { value: known.value, unconfirmed: undefined };
    const failed = this.#failures.get(key);
    try {
      if (failed !== undefined) throw failed;
      const reading = this.#reads.run(key, signal, (shared) => this.#load(key, read.ref, shared), span);
      const { value } = await progress.during({ phase: 'api-server', host: this.#server.host }, reading);
      return { value, unconfirmed: undefined };
    } catch (error) {
      const last = this.#copies.get(key);
      if (signal.aborted || last === undefined || !(error instanceof ProviderError)) throw error;
      return { value: last.value, unconfirmed: error.message };
    }
  }

  async #load(key: string, ref: ObjectName, signal: AbortSignal): Promise<Copy<T>> {
    const { sweeper, log } = this.#parts;
    const { freshMs, kind } = this.#kind;
    try {
      const copy = { value: await this.#ask(ref, signal), fresh: new Lifetime(sweeper.clock, freshMs) };
      this.#copies.set(key, copy, { ttlMs: KNOWN_MS, owner: ref.namespace });
      return copy;
    } catch (error) {
      if (!(error instanceof ProviderError)) throw error;
      if (error.code === 'ERR_BAD_PARAMETERS') this.#copies.delete(key);
      this.#failures.set(key, error, { ttlMs: FAILED_MS, owner: ref.namespace });
      const label = `${kind.charAt(0).toLowerCase()}${kind.slice(1)}`;
      log.warn(`Cannot read ${kind}`, { [label]: key, error: messageOf(error) });
      throw error;
    }
  }

  async #ask({ namespace, name }: ObjectName, signal: AbortSignal): Promise<T> {
    const { api, resource, right, noun, understand } = this.#kind;
    // The driver and the kubelet send valid names. Other callers could send a path.
    const problem = namespaceProblem(namespace) ?? subdomainProblem(name);
    if (problem !== undefined) throw new ProviderError('ERR_BAD_PARAMETERS', `${problem}; correct it`);
    const path = `${api}/namespaces/${namespace}/${resource}/${name}`;
    const object = await this.#server.get({ path, right }, signal);
    const metadata = field(object, 'metadata');
    const isAsked = field(metadata, 'namespace') === namespace && field(metadata, 'name') === name;
    const value = isAsked ? understand(object) : undefined;
    if (value !== undefined) return value;
    const reason = `the API server at ${this.#server.host} answered, but not with the ${noun}`;
    throw new ProviderError('ERR_VAULT', `${reason}; check the API server, and proxies before it`);
  }
}

/** Returns a member of a JSON object; undefined if there is none. */
export function field(holder: unknown, name: string): unknown {
  return isJsonObject(holder) && Object.hasOwn(holder, name) ? holder[name] : undefined;
}
