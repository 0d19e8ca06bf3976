import { createHash } from 'node:crypto';
import { jwtExpiry } from '../../base/jwt.ts';
import type { Cloud } from '../../spc/cloud.ts';
import type { Identity } from '../../spc/model.ts';
import { claimedPrincipal } from '../../spc/tokens.ts';

/**
 * Key under which an identity's logins and values are shared. Everything that Entra decides by is in it; of a
 * service-account token only issuer and subject, since the token itself changes at each republish. Secrets go in as
 * hashes, so a changed client secret is another principal at once.
 */
export function principalKey(identity: Identity, cloud: Cloud): string {
  const parts = [cloud.authorityHost, cloud.vaultResource, ...identityParts(identity)];
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url');
}

/** The identity in the words of a message; nothing secret. */
export function describeIdentity(identity: Identity): string {
  switch (identity.kind) {
    case 'service-principal':
      return `service principal ${identity.clientId}`;
    case 'client-certificate':
      return `service principal ${identity.clientId} (client certificate)`;
    case 'workload-identity':
      return `workload identity ${identity.clientId}${subjectOf(identity)}`;
    case 'identity-binding':
      return `identity binding of ${identity.clientId}${subjectOf(identity)}`;
    case 'managed-identity':
      return identity.clientId === ''
        ? 'the system-assigned managed identity'
        : `managed identity ${identity.clientId}`;
    case 'pod-identity':
      return `pod identity of ${identity.podNamespace}/${identity.podName}`;
  }
}

/**
 * What an identity proves itself by and its key does not hold: a service-account token. `digest` names the token,
 * `expiresAt` is what it says of its end, in milliseconds since 1970. Undefined where the key holds all of the proof.
 */
export interface Proof {
  readonly digest: string;
  readonly expiresAt: number | undefined;
}

/** The proof of an identity; see {@link Proof}. */
export function proofOf(identity: Identity): Proof | undefined {
  if (identity.kind !== 'workload-identity' && identity.kind !== 'identity-binding') return undefined;
  const token = identity.token.reveal();
  return { digest: digest(token), expiresAt: jwtExpiry(token) };
}

/** SHA-256 of a secret, in base64url. */
function digest(secret: string): string {
  return createHash('sha256').update(secret).digest('base64url');
}

function identityParts(identity: Identity): readonly string[] {
  switch (identity.kind) {
    case 'service-principal':
      return [identity.kind, ...application(identity), digest(identity.clientSecret.reveal())];
    case 'client-certificate': {
      const password = identity.password === undefined ? '' : digest(identity.password.reveal());
      return [identity.kind, ...application(identity), digest(identity.certificate.reveal()), password];
    }
    case 'workload-identity':
    case 'identity-binding': {
      const claimed = claimedPrincipal(identity.token);
      const who =
        claimed === undefined
          ? ['token', digest(identity.token.reveal())]
          : ['subject', claimed.issuer, claimed.subject];
      return [identity.kind, ...application(identity), ...who];
    }
    case 'managed-identity':
      return [identity.kind, identity.clientId.toLowerCase()];
    case 'pod-identity':
      return [identity.kind, identity.podNamespace, identity.podName];
  }
}

/** Entra does not tell the letter case of these apart. */
function application({ tenantId, clientId }: { readonly tenantId: string; readonly clientId: string }) {
  return [tenantId.toLowerCase(), clientId.toLowerCase()];
}

function subjectOf(identity: Identity & { kind: 'workload-identity' | 'identity-binding' }): string {
  const claimed = claimedPrincipal(identity.token);
  return claimed === undefined ? '' : ` (${claimed.subject})`;
}
