/**
 * Logs in with workload identity: Entra ID exchanges the service-account token of the pod. Listed in
 * `identity-modes.ts`. The exchange itself is in `pod-token.ts`.
 */

import { ENTRA } from '../entra.ts';
import type { IdentityMode } from '../identity-mode.ts';
import { exchangePodToken, podTokenKeyParts, podTokenProof, podTokenRemedy, subjectInWords } from '../pod-token.ts';

/** Workload identity. */
export const workloadIdentity: IdentityMode<'workload-identity'> = {
  ...ENTRA,
  describe: (identity) => `workload identity ${identity.clientId}${subjectInWords(identity)}`,
  keyParts: podTokenKeyParts,
  proof: podTokenProof,
  acquire: exchangePodToken,
  remedy: podTokenRemedy,
};
