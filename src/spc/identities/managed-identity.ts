/**
 * The row of the node's managed identity. The flag `useVMManagedIdentity` chooses it; it needs no credentials of the
 * request. Listed in `table.ts`.
 */

import type { Fields } from '../fields.ts';
import { clientIdOf } from './credential-fields.ts';
import type { IdentityRow } from './identity-row.ts';

/** `clientId` is empty for the system-assigned identity. */
interface ManagedIdentity {
  readonly kind: 'managed-identity';
  readonly clientId: string;
}

const FIELD = 'managedIdentity';

/** Managed identity of the node. */
export const managedIdentity: IdentityRow<ManagedIdentity, ManagedIdentity> = {
  officialMode: 'VMManagedIdentity',
  kinds: ['managed-identity'],
  ofNode: true,
  chosenBy: { flag: 'useVMManagedIdentity' },
  parameters: ['userAssignedIdentityID'],
  readClassic(parameters) {
    const clientId = parameters.clientId('userAssignedIdentityID');
    if (clientId === '' && parameters.text('clientID') !== '') {
      const remedy = 'name a user-assigned identity by userAssignedIdentityID';
      parameters.warning('clientID', `clientID has no meaning with useVMManagedIdentity; ${remedy}`);
    }
    return { kind: 'managed-identity', clientId };
  },
  credential: {
    field: FIELD,
    read: (credentials) => ({ kind: 'managed-identity', clientId: credentialClientId(credentials) }),
  },
  needsTenant: false,
  audience: undefined,
  problem: () => undefined,
  resolve: (request) => ({ ok: true, identity: request }),
};

/** Returns the client ID. An empty field, or one without `clientId`, means the system-assigned identity. */
function credentialClientId(credentials: Fields): string {
  if (credentials.value(FIELD)?.kind === 'null') return '';
  const credential = credentials.map(FIELD);
  credential?.onlyKnown(['clientId'], 'error');
  const meaning = 'the client ID of a user-assigned identity; leave it out for the system-assigned one';
  return credential?.has('clientId') ? clientIdOf(credential, meaning) : '';
}
