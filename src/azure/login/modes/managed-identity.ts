/**
 * Logs in with a managed identity of the node: IMDS gives its tokens to every request from the node. The SDK keeps one
 * client and its tokens for the life of the process. This file prevents that they are used for another attempt.
 */

import { AsyncLocalStorage } from 'node:async_hooks';
import type { HttpClient, PipelineResponse } from '@azure/core-rest-pipeline';
import { ManagedIdentityCredential } from '@azure/identity';
import { isJsonObject, jsonValue } from '../../../base/json.ts';
import { credentialOptions, tokenOf } from '../entra.ts';
import type { IdentityMode } from '../identity-mode.ts';
import { type LoginAttempt, sendFor } from '../login-attempt.ts';

/** Managed identity of the node; `clientId` is empty for the system-assigned one. */
export const managedIdentity: IdentityMode<'managed-identity'> = {
  phase: 'imds',
  host: () => 'IMDS',
  client: async ({ client }) => client,
  proxiesEntra: false,
  faults: {
    byStatus: {
      403: 'something on the node keeps pods from IMDS (169.254.169.254), such as a network policy or IMDS restriction of the cluster: allow the provider, or let it use the network of the node (hostNetwork)',
      404: 'IMDS is being updated, or the node is not an Azure VM; the next mount asks again',
      410: 'IMDS is being updated, for 70 seconds at most; the next mount asks again',
    },
    // IMDS is never asked through a proxy of the environment.
    between: 'check what takes requests to 169.254.169.254 on the node in place of IMDS',
    unreachable: '; only Azure VMs have this endpoint, and pods may be kept from it',
  },
  describe: ({ clientId }) =>
    clientId === '' ? 'the system-assigned managed identity' : `managed identity ${clientId}`,
  keyParts: ({ clientId }) => [clientId.toLowerCase()],
  proof: () => ({ by: 'node' }),
  async acquire({ clientId }, request) {
    const chosen = clientId === '' ? {} : { clientId };
    const options = { ...chosen, ...credentialOptions(request), httpClient: SHARED_CLIENT };
    const running = { attempt: request.attempt, expiresAt: 0 };
    const { token } = await current.run(running, () => tokenOf(new ManagedIdentityCredential(options), request));
    return { token, expiresOnTimestamp: running.expiresAt };
  },
  remedy({ clientId }, refusal) {
    if (/multiple user assigned/i.test(refusal?.text ?? '')) {
      return 'the node has several user-assigned identities: name one by userAssignedIdentityID (its client ID)';
    }
    return clientId === ''
      ? 'turn on the system-assigned identity of the node, or name a user-assigned one by userAssignedIdentityID (its client ID)'
      : `assign the identity ${clientId} to the node (userAssignedIdentityID takes the client ID, not the resource or object ID)`;
  },
};

interface Running {
  readonly attempt: LoginAttempt;
  /** Expiry of the token, in milliseconds since 1970; 0: IMDS does not say. */
  expiresAt: number;
}

/**
 * The attempt that a request belongs to. For managed identities, the SDK always uses the first client of the process.
 * No other mode uses the storage: it makes every promise of the process slower.
 */
const current = new AsyncLocalStorage<Running>();

const SHARED_CLIENT: HttpClient = {
  async sendRequest(request) {
    const running = current.getStore();
    if (running === undefined) throw new Error('a token request outside of any attempt');
    return keepLife(await sendFor(running.attempt, request), running);
  },
};

/**
 * Keeps the expiry of the token here, and reports to the SDK that the token has expired. Otherwise the SDK would return
 * the token until it expires by the wall clock, even after the vault has refused it.
 */
function keepLife(response: PipelineResponse, running: Running): PipelineResponse {
  const body = jsonValue(response.bodyAsText ?? '');
  if (response.status !== 200 || !isJsonObject(body)) return response;
  const expiresOn = Number(body.expires_on);
  running.expiresAt = Number.isFinite(expiresOn) ? expiresOn * 1000 : 0;
  return { ...response, bodyAsText: JSON.stringify({ ...body, expires_on: '1' }) };
}
