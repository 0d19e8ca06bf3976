/**
 * Reads the client ID that the ServiceAccount of a pod names for workload identity. The pipeline of a Mount calls it if
 * the manifest names none and `--service-account-lookup` is on. Refuses annotations that are no client ID.
 */

import { ProviderError } from '../../base/errors.ts';
import { isGuid } from '../../base/guid.ts';
import { quote } from '../../base/words.ts';
import type { AccountReader, AccountRef, FetchContext } from '../../mount/ports.ts';
import { CLIENT_ID_ANNOTATION } from '../../spc/identities/workload-identity.ts';
import type { ApiServer } from './api-server.ts';
import { type ClusterKind, Copies, type CopiesParts, field } from './copies.ts';

const ACCOUNT: ClusterKind<string> = {
  kind: 'ServiceAccount',
  noun: 'service account',
  api: '/api/v1',
  resource: 'serviceaccounts',
  right: '"get" on serviceaccounts, as the chart does with serviceAccountLookup',
  // A client ID changes when an identity is replaced.
  freshMs: 5 * 60 * 1000,
  understand: clientIdIn,
};

/** The client IDs of service accounts, by namespace and name. */
export class ServiceAccounts implements AccountReader {
  readonly #copies: Copies<string>;

  constructor(server: ApiServer, parts: CopiesParts) {
    this.#copies = new Copies(ACCOUNT, server, parts);
  }

  async clientIdOf(ref: AccountRef, context: Pick<FetchContext, 'signal' | 'progress' | 'span'>): Promise<string> {
    const { value } = await this.#copies.read({ ref, fits: () => true }, context);
    return value;
  }
}

function clientIdIn(object: unknown): string {
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
