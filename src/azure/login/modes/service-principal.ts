/** Service principal with a client secret, from the node-publish secret of the pod. */

import { ClientSecretCredential } from '@azure/identity';
import { applicationParts, credentialOptions, digestOf, ENTRA, tokenOf } from '../entra.ts';
import { entraRemedy } from '../entra-remedies.ts';
import type { IdentityMode } from '../identity-mode.ts';

/** Service principal with a client secret. */
export const servicePrincipal: IdentityMode<'service-principal'> = {
  ...ENTRA,
  describe: ({ clientId }) => `service principal ${clientId}`,
  keyParts: (identity) => [...applicationParts(identity), digestOf(identity.clientSecret)],
  proof: () => ({ by: 'key' }),
  async acquire({ tenantId, clientId, clientSecret }, request) {
    const options = credentialOptions(request);
    return tokenOf(new ClientSecretCredential(tenantId, clientId, clientSecret.reveal(), options), request);
  },
  remedy: ({ tenantId, clientId }, refusal) => entraRemedy({ tenantId, clientId }, refusal),
};
