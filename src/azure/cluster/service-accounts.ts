/**
 * Reads the client ID that the ServiceAccount of a pod names for workload identity. The pipeline of a Mount calls it if
 * the manifest names none and `--service-account-lookup` is on. Refuses annotations that are no client ID.
 */

import { ProviderError } from '../../base/errors.ts';
import { isGuid } from '../../base/guid.ts';
import type { Logger } from '../../base/log.ts';
import type { Sweeper } from '../../base/sweeper.ts';
import { quote } from '../../base/words.ts';
import type { AccountReader, AccountRef, FetchContext } from '../../mount/ports.ts';
import { CLIENT_ID_ANNOTATION } from '../../spc/identities/workload-identity.ts';
import { namespaceProblem, subdomainProblem } from '../../spc/kubernetes-names.ts';
import type { ApiServer } from './api-server.ts';
import { Copies, field, isAnswerFor } from './copies.ts';

/** How long a client ID is used without another request. It changes when an identity is replaced. */
const FRESH_MS = 5 * 60 * 1000;
const RIGHT = '"get" on serviceaccounts, as the chart does with serviceAccountLookup';

/** The client IDs of service accounts, by namespace and name. */
export class ServiceAccounts implements AccountReader {
  readonly #server: ApiServer;
  readonly #copies: Copies<string>;

  constructor(server: ApiServer, { sweeper, log }: { readonly sweeper: Sweeper; readonly log: Logger }) {
    this.#server = server;
    const host = () => server.host;
    this.#copies = new Copies({ sweeper, log, kind: 'ServiceAccount', freshMs: FRESH_MS, host });
  }

  async clientIdOf(ref: AccountRef, context: Pick<FetchContext, 'signal' | 'progress'>): Promise<string> {
    const load = (signal: AbortSignal) => this.#load(ref, signal);
    const { value } = await this.#copies.read({ ref, load, fits: () => true }, context);
    return value;
  }

  async #load(ref: AccountRef, signal: AbortSignal): Promise<string> {
    const { namespace, name } = ref;
    // The kubelet sends the name, so that it is valid. Other callers could send a path.
    const problem = namespaceProblem(namespace) ?? subdomainProblem(name);
    if (problem !== undefined) throw new ProviderError('ERR_BAD_PARAMETERS', `${problem}; correct it`);
    const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${name}`;
    const object = await this.#server.get({ path, right: RIGHT }, signal);
    if (!isAnswerFor(ref, object)) {
      const reason = `the API server at ${this.#server.host} answered, but not with the service account`;
      throw new ProviderError('ERR_VAULT', `${reason}; check the API server, and proxies before it`);
    }
    const annotation = field(field(field(object, 'metadata'), 'annotations'), CLIENT_ID_ANNOTATION);
    const clientId = typeof annotation === 'string' ? annotation.trim() : '';
    if (isGuid(clientId)) return clientId;
    const remedy = `set it to the client ID of the identity that is federated with the service account`;
    throw new ProviderError(
      'ERR_BAD_PARAMETERS',
      clientId === ''
        ? `it has no annotation ${CLIENT_ID_ANNOTATION}; ${remedy}`
        : `its annotation ${CLIENT_ID_ANNOTATION} is ${quote(clientId)}, which is not a GUID; ${remedy}`,
    );
  }
}
