/**
 * The row of workload identity. `clientID` without a flag chooses it; it needs the pod's token for Entra ID. Listed in
 * `table.ts`. Refuses a request without that token.
 */

import type { Secret } from '../../base/secret.ts';
import type { NodePublishSecret } from '../attributes.ts';
import { WORKLOAD_IDENTITY_AUDIENCE } from '../tokens.ts';
import { clientIdOf } from './credential-fields.ts';
import type { IdentityRow } from './identity-row.ts';
import { podToken } from './pod-token.ts';

interface Request {
  readonly kind: 'workload-identity';
  readonly clientId: string;
}

interface WorkloadIdentity extends Request {
  readonly tenantId: string;
  readonly token: Secret;
}

/** Workload identity. */
export const workloadIdentity: IdentityRow<Request, WorkloadIdentity> = {
  officialMode: 'None',
  kinds: ['workload-identity'],
  ofNode: false,
  chosenBy: { text: 'clientID' },
  parameters: [],
  readClassic: (parameters) => ({ kind: 'workload-identity', clientId: parameters.clientId('clientID') }),
  credential: {
    field: 'workloadIdentity',
    read(credentials) {
      const credential = credentials.map('workloadIdentity');
      credential?.onlyKnown(['clientId'], 'error');
      const meaning = 'the client ID of the identity that is federated with the service account';
      return { kind: 'workload-identity', clientId: clientIdOf(credential, meaning) };
    },
  },
  needsTenant: true,
  audience: WORKLOAD_IDENTITY_AUDIENCE,
  problem: () => undefined,
  resolve({ kind, clientId }, credentials) {
    const needed = {
      audience: WORKLOAD_IDENTITY_AUDIENCE,
      missing: 'failed to parse workload identity tokens, error: service account tokens not found',
      unreadable: 'failed to parse workload identity tokens',
      hint: modeHint(credentials.secret),
    };
    const found = podToken(needed, credentials);
    const { tenantId } = credentials;
    return found.ok ? { ok: true, identity: { kind, tenantId, clientId, token: found.token } } : found;
  },
};

/** Adds the reason why a token is needed: no parameter of the manifest names workload identity. */
function modeHint(secret: NodePublishSecret | undefined): string {
  const other =
    secret === undefined ? '' : '; if the service principal of nodePublishSecretRef is meant, remove clientID';
  return `${other} (mode None with clientID is workload identity)`;
}
