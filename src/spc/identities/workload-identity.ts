/**
 * The row of workload identity. `clientID` without a flag chooses it; it needs the pod's token for Entra ID. Listed in
 * `table.ts`. Refuses a request without that token.
 */

import type { Secret } from '../../base/secret.ts';
import type { NodePublishSecret } from '../attributes.ts';
import type { Fields } from '../fields.ts';
import { findToken, WORKLOAD_IDENTITY_AUDIENCE } from '../tokens.ts';
import { clientIdOf } from './credential-fields.ts';
import type { Credentials, IdentityRow } from './identity-row.ts';
import { podToken } from './pod-token.ts';

/** The annotation of a ServiceAccount that names the identity of its pods. */
export const CLIENT_ID_ANNOTATION = 'azure.workload.identity/client-id';

/** `clientId` is empty if the ServiceAccount of the pod names it. */
interface Request {
  readonly kind: 'workload-identity';
  readonly clientId: string;
}

interface WorkloadIdentity extends Request {
  readonly tenantId: string;
  readonly token: Secret;
}

type PodTokens = Pick<Credentials, 'tokens' | 'now'>;

const FIELD = 'workloadIdentity';
const START_WITH =
  'start the provider with --service-account-lookup (chart value serviceAccountLookup), which takes the client ID from the ' +
  `annotation ${CLIENT_ID_ANNOTATION} of the pod's ServiceAccount`;
const NAME_IT = `name it, or ${START_WITH}`;
const LOOKUP_IS_NEEDED = `it is the annotation ${CLIENT_ID_ANNOTATION} of the pod's ServiceAccount, if the provider runs with --service-account-lookup`;

/** Workload identity. */
export const workloadIdentity: IdentityRow<Request, WorkloadIdentity> = {
  officialMode: 'None',
  kinds: ['workload-identity'],
  ofNode: false,
  chosenBy: { text: 'clientID' },
  parameters: [],
  readClassic: (parameters) => ({ kind: 'workload-identity', clientId: parameters.clientId('clientID') }),
  credential: {
    field: FIELD,
    read: (credentials) => ({ kind: 'workload-identity', clientId: credentialClientId(credentials) }),
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
    const { tenantId, accountLookup = false } = credentials;
    if (found.ok && clientId === '' && !accountLookup) return { ok: false, reason: `clientId is not set; ${NAME_IT}` };
    return found.ok ? { ok: true, identity: { kind, tenantId, clientId, token: found.token } } : found;
  },
};

/** Returns the client ID; empty if it is left out. */
function credentialClientId(credentials: Fields): string {
  const isNull = credentials.value(FIELD)?.kind === 'null';
  const credential = isNull ? undefined : credentials.map(FIELD);
  credential?.onlyKnown(['clientId'], 'error');
  const meaning = 'the client ID of the identity that is federated with the service account';
  if (credential?.has('clientId')) return clientIdOf(credential, meaning);
  if (isNull || credential?.names.length === 0) credentials.note(FIELD, `names no clientId: ${LOOKUP_IS_NEEDED}`);
  return '';
}

/** Returns the remedy for a pod whose request could be that of workload identity; empty if it has no token for it. */
export function lookupRemedy(credentials: PodTokens): string {
  return hasToken(credentials) ? `; or let the ServiceAccount name it: ${START_WITH}` : '';
}

/** True if the pod has a token for workload identity. */
export function hasToken({ tokens, now }: PodTokens): boolean {
  return tokens !== undefined && findToken(tokens, WORKLOAD_IDENTITY_AUDIENCE, now).ok;
}

/** Adds the reason why a token is needed: no parameter of the manifest names workload identity. */
function modeHint(secret: NodePublishSecret | undefined): string {
  const other =
    secret === undefined ? '' : '; if the service principal of nodePublishSecretRef is meant, remove clientID';
  return `${other} (mode None with clientID is workload identity)`;
}
