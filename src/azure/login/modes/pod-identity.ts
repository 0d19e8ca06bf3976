/**
 * Logs in with AAD pod identity, which is deprecated: NMI, a service on the node, issues the token of a pod. Refusals
 * have the official provider's texts.
 */

import { createHttpHeaders, createPipelineRequest } from '@azure/core-rest-pipeline';
import { type ErrorCode, ProviderError } from '../../../base/errors.ts';
import { jsonValue, membersOf } from '../../../base/json.ts';
import { serverWords } from '../../http/server-words.ts';
import { CHECK_PROXIES } from '../entra.ts';
import type { GivenToken, IdentityMode, IdentityOf, LoginRequest } from '../identity-mode.ts';
import { sendFor } from '../login-attempt.ts';

/** Host and port of AAD pod identity's NMI on every node. */
export const NMI_HOST = 'localhost:2579';

/** AAD pod identity. */
export const podIdentity: IdentityMode<'pod-identity'> = {
  phase: 'nmi',
  host: (_, { nmiHost }) => nmiHost,
  client: async ({ client }) => client,
  proxiesEntra: false,
  faults: { byStatus: {}, between: CHECK_PROXIES, unreachable: '' },
  describe: ({ podNamespace, podName }) => `pod identity of ${podNamespace}/${podName}`,
  keyParts: ({ podNamespace, podName }) => [podNamespace, podName],
  proof: () => ({ by: 'node' }),
  acquire: askNmi,
  remedy: () => 'check that NMI runs on the node and that an AzureIdentityBinding selects the pod',
};

/**
 * Asks NMI for the token of the pod. Throws: ERR_AUTHENTICATION, or ERR_THROTTLED and ERR_VAULT if NMI did not refuse;
 * errors of the transport.
 */
async function askNmi(
  { podName, podNamespace }: IdentityOf<'pod-identity'>,
  { host, resource, attempt }: LoginRequest,
): Promise<GivenToken> {
  const request = createPipelineRequest({
    url: `http://${host}/host/token/?resource=${encodeURIComponent(resource)}`,
    headers: createHttpHeaders({ podname: podName, podns: podNamespace }),
    allowInsecureConnection: true,
  });
  const { status, bodyAsText } = await sendFor(attempt, request);
  const refuse = (message: string) =>
    new ProviderError(codeOf(status), message, { details: { httpStatus: status, host, phase: 'nmi' } });
  if (status !== 200) {
    throw refuse(
      `nmi response failed with status code: ${status}, response body: ${serverWords(bodyAsText ?? '')}; ` +
        'check that NMI runs on the node and that an AzureIdentityBinding selects the pod (pod identity is no longer ' +
        'maintained; workload identity takes its place)',
    );
  }
  const { token, clientid } = membersOf(jsonValue(bodyAsText ?? ''));
  const { access_token: accessToken, expires_on: expiry } = membersOf(token);
  if (typeof accessToken !== 'string' || accessToken === '' || typeof clientid !== 'string' || clientid === '') {
    throw refuse(
      `nmi did not return expected values in response: token and clientid; check what answers at ${host} in place of NMI`,
    );
  }
  const expiresOn = Number(expiry);
  return { token: accessToken, expiresOnTimestamp: Number.isFinite(expiresOn) ? expiresOn * 1000 : 0 };
}

/** NMI refuses with 400, 403 and 404. Other statuses are faults, or answers of another host. */
function codeOf(status: number): ErrorCode {
  if (status === 429) return 'ERR_THROTTLED';
  return status === 408 || status >= 500 || status < 400 ? 'ERR_VAULT' : 'ERR_AUTHENTICATION';
}
