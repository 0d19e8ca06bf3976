/**
 * Logs in a service principal with the client secret of the pod's node-publish secret. Listed in `identity-modes.ts`.
 * The client secret is part of the principal's key, so that a changed one shares no token with the old one.
 */

import { ClientSecretCredential } from '@azure/identity';
import { applicationParts, credentialOptions, ENTRA, secretDigest, tokenOf } from '../entra.ts';
import { entraRemedy } from '../entra-remedies.ts';
import type { IdentityMode } from '../identity-mode.ts';

/** Service principal with a client secret. */
export const servicePrincipal: IdentityMode<'service-principal'> = {
  ...ENTRA,
  describe: ({ clientId }) => `service principal ${clientId}`,
  keyParts: (identity) => [...applicationParts(identity), secretDigest(identity.clientSecret)],
  proof: () => ({ by: 'key' }),
  async acquire({ tenantId, clientId, clientSecret }, request) {
    const options = credentialOptions(request);
    return tokenOf(new ClientSecretCredential(tenantId, clientId, clientSecret.reveal(), options), request);
  },
  remedy: ({ tenantId, clientId }, refusal) => entraRemedy({ tenantId, clientId }, refusal),
};
