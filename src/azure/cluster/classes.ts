/**
 * Reads SecretProviderClasses from the API server and keeps copies of their guarded parameters. The pipeline of a Mount
 * reads a class if the request uses the node's own identity. If the API server does not answer, the last known copy is
 * used. Without a copy, the read fails.
 */

import { Cache } from '../../base/cache.ts';
import { Lifetime } from '../../base/clock.ts';
import { messageOf, ProviderError } from '../../base/errors.ts';
import { isJsonObject } from '../../base/json.ts';
import type { Logger } from '../../base/log.ts';
import { SingleFlight } from '../../base/single-flight.ts';
import type { Sweeper } from '../../base/sweeper.ts';
import type { ClassCopy, ClassReader } from '../../mount/ports.ts';
import { namespaceProblem, subdomainProblem } from '../../spc/kubernetes-names.ts';
import { type ClassParameters, type ClassRef, guardedParameters } from '../../spc/overrides.ts';
import type { ApiServer } from './api-server.ts';

/** How long a copy is used without another request. Equal to the default of `--cache-ttl`. */
const FRESH_MS = 30_000;
/** How long a copy is used if the API server does not answer. */
const KNOWN_MS = 24 * 60 * 60 * 1000;
/** How long a failure is kept. It prevents that each Mount waits for an API server that does not answer. */
const FAILED_MS = 5_000;
/** Classes whose copies are kept. A node has about a hundred pods, and a copy about two kilobytes. */
const MAX_CLASSES = 500;

interface Copy {
  readonly parameters: ClassParameters;
  readonly fresh: Lifetime;
}

/** The classes of a cluster, by namespace and name. */
export class Classes implements ClassReader {
  readonly #server: ApiServer;
  readonly #sweeper: Sweeper;
  readonly #log: Logger;
  readonly #copies: Cache<Copy>;
  readonly #failures: Cache<ProviderError>;
  readonly #reads = new SingleFlight<Copy>();

  constructor(server: ApiServer, { sweeper, log }: { readonly sweeper: Sweeper; readonly log: Logger }) {
    this.#server = server;
    this.#sweeper = sweeper;
    this.#log = log;
    this.#copies = new Cache({ entries: MAX_CLASSES, sweeper });
    this.#failures = new Cache({ entries: MAX_CLASSES, sweeper });
  }

  async read(
    ref: ClassRef,
    { signal, progress }: Parameters<ClassReader['read']>[1],
    fits: (parameters: ClassParameters) => boolean,
  ): Promise<ClassCopy> {
    const key = `${ref.namespace}/${ref.name}`;
    const known = this.#copies.get(key);
    if (known?.fresh.over === false && fits(known.parameters)) return confirmed(known);
    const failed = this.#failures.get(key);
    try {
      if (failed !== undefined) throw failed;
      const read = this.#reads.run(key, signal, (shared) => this.#load(ref, key, shared));
      return confirmed(await progress.during({ phase: 'api-server', host: this.#server.host }, read));
    } catch (error) {
      const last = this.#copies.get(key);
      if (signal.aborted || last === undefined || !(error instanceof ProviderError)) throw error;
      return { parameters: last.parameters, unconfirmed: error.message };
    }
  }

  async #load(ref: ClassRef, key: string, signal: AbortSignal): Promise<Copy> {
    try {
      const parameters = guardedParameters(await this.#parametersOf(ref, signal));
      const copy = { parameters, fresh: new Lifetime(this.#sweeper.clock, FRESH_MS) };
      this.#copies.set(key, copy, { ttlMs: KNOWN_MS, owner: ref.namespace });
      return copy;
    } catch (error) {
      if (!(error instanceof ProviderError)) throw error;
      if (error.details.httpStatus === 404) this.#copies.delete(key);
      this.#failures.set(key, error, { ttlMs: FAILED_MS, owner: ref.namespace });
      this.#log.warn('Cannot read SecretProviderClass', { secretProviderClass: key, error: messageOf(error) });
      throw error;
    }
  }

  async #parametersOf({ namespace, name }: ClassRef, signal: AbortSignal): Promise<ReadonlyMap<string, string>> {
    // The driver has read the class, so that its name is valid. Other callers could send a path.
    const problem = namespaceProblem(namespace) ?? subdomainProblem(name);
    if (problem !== undefined) throw new ProviderError('ERR_BAD_PARAMETERS', `${problem}; correct it`);
    const path = `/apis/secrets-store.csi.x-k8s.io/v1/namespaces/${namespace}/secretproviderclasses/${name}`;
    const object = await this.#server.get(path, signal);
    const metadata = field(object, 'metadata');
    const parameters = field(field(object, 'spec'), 'parameters') ?? {};
    const isAsked = field(metadata, 'namespace') === namespace && field(metadata, 'name') === name;
    if (!isAsked || !isJsonObject(parameters)) {
      const reason = `the API server at ${this.#server.host} answered, but not with the class`;
      throw new ProviderError('ERR_VAULT', `${reason}; check the API server, and proxies before it`);
    }
    const texts = Object.entries(parameters).filter((entry): entry is [string, string] => typeof entry[1] === 'string');
    return new Map(texts);
  }
}

function confirmed({ parameters }: Copy): ClassCopy {
  return { parameters, unconfirmed: undefined };
}

function field(holder: unknown, name: string): unknown {
  return isJsonObject(holder) && Object.hasOwn(holder, name) ? holder[name] : undefined;
}
