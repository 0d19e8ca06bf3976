/**
 * Finds parameters that were meant to name an identity but are none: misspelt ones, and names of other tools. Called
 * by the readers of parameters. If such a parameter were ignored without a warning, another identity would log in.
 */

import { nearest } from '../base/words.ts';
import { IDENTITY_PARAMETERS } from './identities/table.ts';

/** Longer names are not compared. */
const MAX_NAME = 60;

const WORKLOAD = 'workload identity is chosen by "clientID", the client ID of the identity';
const CREDENTIALS = "credentials belong in the Secret that nodePublishSecretRef of the pod's csi volume names";

/** Patterns of names in small letters and digits, with the next step. */
const MEANT: readonly (readonly [RegExp, string])[] = [
  [/^nodepublishsecret/, 'nodePublishSecretRef belongs to the csi volume of the pod, not among the parameters'],
  [/client(secret|certificate|password)/, CREDENTIALS],
  [/^(use|enable)?(azure)?(aad)?workloadidentity$/, WORKLOAD],
  [/^workloadidentity(client)?id$/, 'did you mean "clientID"?'],
  [
    /^(azure|vm|node|kubelet)?(userassigned|managed|msi|assigned)(managed)?(identity)?(client|resource|object)?(id)?$/,
    'a managed identity of the node is "useVMManagedIdentity" with "userAssignedIdentityID" (its client ID); one for workload identity is named by "clientID"',
  ],
  [
    /^(use|enable)(vm|vmss|azure|system|systemassigned)*(managedidentity|msi|identity)(extension)?$/,
    'did you mean "useVMManagedIdentity"?',
  ],
  [/^(use|enable)?(azure)?(identitybinding|tokenproxy)$/, 'did you mean "useAzureTokenProxy"?'],
  [/^(use|enable)?(aad)?podidentity$/, 'did you mean "usePodIdentity"?'],
  [
    /^(azure|aad|aadpod|identity|serviceprincipal|sp|spn|app|application)?(client|app|application)id$/,
    'did you mean "clientID"?',
  ],
];

/**
 * Returns the next step for an unknown parameter that was meant to name the identity, as the end of a sentence, or
 * undefined for others.
 */
export function identityHint(name: string): string | undefined {
  if (name.length > MAX_NAME || IDENTITY_PARAMETERS.includes(name)) return undefined;
  const plain = name.toLowerCase().replace(/[^a-z0-9]/g, '');
  const same = IDENTITY_PARAMETERS.find((known) => known.toLowerCase() === plain);
  if (same !== undefined) return `did you mean "${same}"?`;
  const meant = MEANT.find(([pattern]) => pattern.test(plain))?.[1];
  if (meant !== undefined) return meant;
  const near = nearest(plain, IDENTITY_PARAMETERS);
  return near === undefined ? undefined : `did you mean "${near}"?`;
}
