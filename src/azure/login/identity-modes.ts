/**
 * Lists the identity modes, one line for each kind. `TokenPool`, the token request and messages about an identity find
 * its mode here. An identity of a kind that is not in the table, or whose mode states no proof, is refused.
 */

import { createHash } from 'node:crypto';
import { ProviderError } from '../../base/errors.ts';
import { clip } from '../../base/words.ts';
import type { Cloud } from '../../spc/cloud.ts';
import type { Identity } from '../../spc/model.ts';
import type { IdentityMode, LoginHosts, LoginPhase, Proof } from './identity-mode.ts';
import { clientCertificate } from './modes/client-certificate.ts';
import { developer } from './modes/developer.ts';
import { identityBinding } from './modes/identity-binding.ts';
import { managedIdentity } from './modes/managed-identity.ts';
import { podIdentity } from './modes/pod-identity.ts';
import { servicePrincipal } from './modes/service-principal.ts';
import { workloadIdentity } from './modes/workload-identity.ts';

type IdentityModes = { readonly [K in Identity['kind']]: IdentityMode<K> };

/** The mode of each kind of identity. */
export const IDENTITY_MODES: IdentityModes = {
  'service-principal': servicePrincipal,
  'client-certificate': clientCertificate,
  'workload-identity': workloadIdentity,
  'identity-binding': identityBinding,
  'managed-identity': managedIdentity,
  'pod-identity': podIdentity,
  developer,
};

/** The phase of a Mount in which an identity logs in, and the host that it talks to. */
export interface LoginPlace {
  readonly phase: LoginPhase;
  readonly host: string;
}

/** Returns the mode of an identity. Throws: ERR_INTERNAL if its kind is not in the table. */
export function modeOf<K extends Identity['kind']>({ kind }: { readonly kind: K }): IdentityMode<K> {
  if (!Object.hasOwn(IDENTITY_MODES, kind)) {
    throw new ProviderError(
      'ERR_INTERNAL',
      `no login for identities of the kind "${clip(kind)}"; nothing is read for them`,
    );
  }
  return IDENTITY_MODES[kind];
}

/** Returns the identity in the words of a message, without anything secret. Throws: see {@link modeOf}. */
export function describeIdentity(identity: Identity): string {
  return modeOf(identity).describe(identity);
}

/** Returns the place where an identity logs in. Throws: see {@link modeOf}. */
export function loginPlace(identity: Identity, cloud: Cloud, hosts: LoginHosts): LoginPlace {
  const { phase, host } = modeOf(identity);
  return { phase, host: host(cloud, hosts) };
}

/**
 * Returns the key under which an identity's logins and values are shared. Everything that the login service decides by
 * is in it, so that a changed client secret is another principal at once. Throws: see {@link modeOf}.
 */
export function principalKey(identity: Identity, cloud: Cloud): string {
  const parts = [cloud.authorityHost, cloud.vaultResource, identity.kind, ...modeOf(identity).keyParts(identity)];
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url');
}

const PROOFS: readonly Proof['by'][] = ['token', 'key', 'node'];

/** Returns the proof of an identity. Throws: ERR_INTERNAL if its mode states none; see {@link modeOf}. */
export function proofOf(identity: Identity): Proof {
  // The types promise a proof. A mode that breaks the promise must not open what others have read.
  const proof: Proof | undefined = modeOf(identity).proof(identity);
  if (proof === undefined || !PROOFS.includes(proof.by)) {
    throw new ProviderError('ERR_INTERNAL', `no proof is stated for identities of the kind "${identity.kind}"`);
  }
  return proof;
}
