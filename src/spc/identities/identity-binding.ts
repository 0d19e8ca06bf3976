/**
 * The row of AKS identity binding. The flag `useAzureTokenProxy` chooses it; it needs `clientID` and the pod's token
 * for the token proxy of the cluster. Listed in `table.ts`. Refuses a request without one of them.
 */

import type { Secret } from '../../base/secret.ts';
import { IDENTITY_BINDING_AUDIENCE } from '../tokens.ts';
import type { IdentityRow } from './identity-row.ts';
import { podToken } from './pod-token.ts';

interface Request {
  readonly kind: 'identity-binding';
  readonly clientId: string;
}

interface IdentityBinding extends Request {
  readonly tenantId: string;
  readonly token: Secret;
}

/** AKS identity binding. */
export const identityBinding: IdentityRow<Request, IdentityBinding> = {
  officialMode: 'AzureTokenProxy',
  kinds: ['identity-binding'],
  ofNode: false,
  chosenBy: { flag: 'useAzureTokenProxy' },
  parameters: [],
  readClassic: (parameters) => ({ kind: 'identity-binding', clientId: parameters.clientId('clientID') }),
  credential: undefined,
  needsTenant: true,
  audience: IDENTITY_BINDING_AUDIENCE,
  problem: ({ clientId }) => (clientId === '' ? 'clientID is required for identity binding' : undefined),
  resolve({ kind, clientId }, credentials) {
    const needed = {
      audience: IDENTITY_BINDING_AUDIENCE,
      missing: 'service account tokens are required for identity binding',
      unreadable: 'failed to parse service account token for identity binding',
      hint: '',
    };
    const found = podToken(needed, credentials);
    const { tenantId } = credentials;
    return found.ok ? { ok: true, identity: { kind, tenantId, clientId, token: found.token } } : found;
  },
};
