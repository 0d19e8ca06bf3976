/**
 * Logs in the person who runs a command, by a function that the command brings along: `serve` has none, and no manifest
 * leads here. Listed in `identity-modes.ts`.
 */

import { ProviderError } from '../../../base/errors.ts';
import { DEVELOPER_LOGINS } from '../../../spc/identities/developer.ts';
import { ENTRA } from '../entra.ts';
import { entraRemedy } from '../entra-remedies.ts';
import type { IdentityMode } from '../identity-mode.ts';

/** The account of the person who runs a command. */
export const developer: IdentityMode<'developer'> = {
  ...ENTRA,
  describe: ({ login }) => DEVELOPER_LOGINS[login],
  keyParts: ({ login, tenantId }) => [login, tenantId.toLowerCase()],
  proof: () => ({ by: 'node' }),
  async acquire(identity, request) {
    if (request.developer === undefined)
      throw new ProviderError('ERR_INTERNAL', 'this program does not log in as a developer; nothing is read');
    return request.developer(identity, request);
  },
  // Only the application of the environment is refused here: a tool asks Entra ID itself.
  remedy: ({ tenantId }, refusal) =>
    WRONG_SECRET.includes(refusal?.code ?? '')
      ? 'correct AZURE_CLIENT_SECRET: it takes the current value (not the ID) of a client secret'
      : entraRemedy({ tenantId, clientId: 'of AZURE_CLIENT_ID' }, refusal),
};

/** Entra's codes for a wrong client secret, and for one that has expired. */
const WRONG_SECRET: readonly string[] = ['AADSTS7000215', 'AADSTS7000222'];
