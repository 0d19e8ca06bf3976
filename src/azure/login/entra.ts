/**
 * Holds the common parts of the identity modes of Entra ID: the service, the options of the SDK's credentials, the
 * parts of an application's key. Called by the files in `modes/` and by `pod-token.ts`.
 */

import { createHash } from 'node:crypto';
import type { TokenCredential } from '@azure/core-auth';
import type { Secret } from '../../base/secret.ts';
import type { GivenToken, LoginRequest, LoginService } from './identity-mode.ts';
import { clientOf } from './login-attempt.ts';

/** The next step if a host between the node and a service answered. Requests use the proxy of the environment. */
export const CHECK_PROXIES = 'check proxies between node and host';

/** Entra ID of the cloud. */
export const ENTRA: LoginService = {
  phase: 'entra',
  host: ({ authorityHost }) => new URL(authorityHost).host,
  client: async ({ client }) => client,
  proxiesEntra: false,
  faults: {
    byStatus: {
      404: `no login service answers at this address; check activeDirectoryEndpoint of the cloud file, if there is one; ${CHECK_PROXIES}`,
    },
    between: CHECK_PROXIES,
    unreachable: '',
  },
};

/** Returns the options of a credential of the SDK that serves one attempt. */
export function credentialOptions({ cloud, attempt }: LoginRequest) {
  return {
    authorityHost: cloud.authorityHost,
    disableInstanceDiscovery: cloud.custom || attempt.proxiesEntra,
    retryOptions: { maxRetries: 3, retryDelayInMs: 500, maxRetryDelayInMs: 4000 },
    httpClient: clientOf(attempt),
  };
}

/** Asks for the token with a credential of the SDK. Throws: errors of the SDK. */
export async function tokenOf(credential: TokenCredential, { resource, claims }: LoginRequest): Promise<GivenToken> {
  const options = { enableCae: true, ...(claims === undefined ? {} : { claims }) };
  const token = await credential.getToken(`${resource}/.default`, options);
  if (token === null) throw new Error('the credential gave no token');
  return token;
}

/** Returns tenant and client ID for the key of a principal, in lower case: Entra ID ignores their case. */
export function applicationParts({
  tenantId,
  clientId,
}: {
  readonly tenantId: string;
  readonly clientId: string;
}): readonly string[] {
  return [tenantId.toLowerCase(), clientId.toLowerCase()];
}

/** Returns the SHA-256 digest of a secret, in base64url. */
export function secretDigest(secret: Secret): string {
  return createHash('sha256').update(secret.reveal()).digest('base64url');
}
