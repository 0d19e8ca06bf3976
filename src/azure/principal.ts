import { createHash } from 'node:crypto';
import type { Cloud } from '../spc/cloud.ts';
import type { Identity } from '../spc/model.ts';
import { claimedPrincipal } from '../spc/tokens.ts';

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

/** SHA-256 of a secret, in base64url. */
export function digest(secret: string): string {
  return createHash('sha256').update(secret).digest('base64url');
}

function identityParts(identity: Identity): readonly string[] {
  switch (identity.kind) {
    case 'service-principal':
      return [identity.kind, identity.tenantId, identity.clientId, digest(identity.clientSecret.reveal())];
    case 'client-certificate': {
      const password = identity.password === undefined ? '' : digest(identity.password.reveal());
      return [identity.kind, identity.tenantId, identity.clientId, digest(identity.certificate.reveal()), password];
    }
    case 'workload-identity':
    case 'identity-binding': {
      const claimed = claimedPrincipal(identity.token);
      const who =
        claimed === undefined
          ? ['token', digest(identity.token.reveal())]
          : ['subject', claimed.issuer, claimed.subject];
      return [identity.kind, identity.tenantId, identity.clientId, ...who];
    }
    case 'managed-identity':
      return [identity.kind, identity.clientId];
    case 'pod-identity':
      return [identity.kind, identity.podNamespace, identity.podName];
  }
}

function subjectOf(identity: Identity & { kind: 'workload-identity' | 'identity-binding' }): string {
  const claimed = claimedPrincipal(identity.token);
  return claimed === undefined ? '' : ` (${claimed.subject})`;
}
