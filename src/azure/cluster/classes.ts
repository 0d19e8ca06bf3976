/**
 * Reads SecretProviderClasses from the API server and keeps copies of their guarded parameters. The pipeline of a Mount
 * reads a class if the request uses the node's own identity. If the API server does not answer, the last known copy is
 * used. Without a copy, the read fails.
 */

import { ProviderError } from '../../base/errors.ts';
import { isJsonObject } from '../../base/json.ts';
import type { Logger } from '../../base/log.ts';
import type { Sweeper } from '../../base/sweeper.ts';
import type { ClassCopy, ClassReader } from '../../mount/ports.ts';
import { namespaceProblem, subdomainProblem } from '../../spc/kubernetes-names.ts';
import { type ClassParameters, type ClassRef, guardedParameters } from '../../spc/overrides.ts';
import type { ApiServer } from './api-server.ts';
import { Copies, field, isAnswerFor } from './copies.ts';

/** How long a copy is used without another request. Equal to the default of `--cache-ttl`. */
const FRESH_MS = 30_000;
const RIGHT = '"get" on secretproviderclasses (secrets-store.csi.x-k8s.io), as the chart does';

/** The classes of a cluster, by namespace and name. */
export class Classes implements ClassReader {
  readonly #server: ApiServer;
  readonly #copies: Copies<ClassParameters>;

  constructor(server: ApiServer, { sweeper, log }: { readonly sweeper: Sweeper; readonly log: Logger }) {
    this.#server = server;
    const host = () => server.host;
    this.#copies = new Copies({ sweeper, log, kind: 'SecretProviderClass', freshMs: FRESH_MS, host });
  }

  async read(
    ref: ClassRef,
    context: Parameters<ClassReader['read']>[1],
    fits: (parameters: ClassParameters) => boolean,
  ): Promise<ClassCopy> {
    const load = async (signal: AbortSignal) => guardedParameters(await this.#parametersOf(ref, signal));
    const { value: parameters, unconfirmed } = await this.#copies.read({ ref, load, fits }, context);
    return { parameters, unconfirmed };
  }

  async #parametersOf(ref: ClassRef, signal: AbortSignal): Promise<ReadonlyMap<string, string>> {
    // The driver has read the class, so that its name is valid. Other callers could send a path.
    const { namespace, name } = ref;
    const problem = namespaceProblem(namespace) ?? subdomainProblem(name);
    if (problem !== undefined) throw new ProviderError('ERR_BAD_PARAMETERS', `${problem}; correct it`);
    const path = `/apis/secrets-store.csi.x-k8s.io/v1/namespaces/${namespace}/secretproviderclasses/${name}`;
    const object = await this.#server.get({ path, right: RIGHT }, signal);
    const parameters = field(field(object, 'spec'), 'parameters') ?? {};
    if (!isAnswerFor(ref, object) || !isJsonObject(parameters)) {
      const reason = `the API server at ${this.#server.host} answered, but not with the class`;
      throw new ProviderError('ERR_VAULT', `${reason}; check the API server, and proxies before it`);
    }
    const texts = Object.entries(parameters).filter((entry): entry is [string, string] => typeof entry[1] === 'string');
    return new Map(texts);
  }
}
