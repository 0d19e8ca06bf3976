/**
 * Logs in with AKS identity binding: the token proxy of the cluster exchanges the service-account token of the pod.
 * Listed in `identity-modes.ts`. The exchange itself is in `pod-token.ts`, the connection in `token-proxy.ts`.
 */

import { CHECK_PROXIES } from '../entra.ts';
import type { IdentityMode } from '../identity-mode.ts';
import { exchangePodToken, podTokenKeyParts, podTokenProof, podTokenRemedy, subjectInWords } from '../pod-token.ts';

/** AKS identity binding. */
export const identityBinding: IdentityMode<'identity-binding'> = {
  phase: 'token-proxy',
  host: (_, { tokenProxyHost }) => tokenProxyHost,
  client: ({ tokenProxy }) => tokenProxy(),
  proxiesEntra: true,
  faults: { byStatus: {}, between: CHECK_PROXIES, unreachable: '' },
  describe: (identity) => `identity binding of ${identity.clientId}${subjectInWords(identity)}`,
  keyParts: podTokenKeyParts,
  proof: podTokenProof,
  acquire: exchangePodToken,
  remedy: podTokenRemedy,
};
