import type { AccessToken } from '@azure/core-auth';
import { createHttpHeaders, createPipelineRequest, type HttpClient } from '@azure/core-rest-pipeline';
import { type ErrorCode, ProviderError } from '../../base/errors.ts';
import type { Identity } from '../../spc/model.ts';
import { serverWords } from '../http/server-words.ts';

/** Where AAD pod identity's NMI listens on every node. */
export const NMI_HOST = 'localhost:2579';

/** What is asked of NMI, and over which connections. */
export interface PodIdentityRequest {
  readonly identity: Identity & { kind: 'pod-identity' };
  /** Host and port of NMI. */
  readonly host: string;
  /** Resource of the token. */
  readonly resource: string;
  readonly client: HttpClient;
}

/**
 * Asks the node's NMI (AAD pod identity, deprecated by its makers) for the pod's token.
 * Errors: with the official provider's texts, ERR_AUTHENTICATION, or ERR_THROTTLED and ERR_VAULT where NMI did not refuse;
 * errors of the transport.
 */
export async function podIdentityToken({ identity, host, resource, client }: PodIdentityRequest): Promise<AccessToken> {
  const request = createPipelineRequest({
    url: `http://${host}/host/token/?resource=${encodeURIComponent(resource)}`,
    headers: createHttpHeaders({ podname: identity.podName, podns: identity.podNamespace }),
    allowInsecureConnection: true,
  });
  const { status, bodyAsText } = await client.sendRequest(request);
  const refuse = (message: string) =>
    new ProviderError(codeOf(status), message, { details: { httpStatus: status, host, phase: 'nmi' } });
  if (status !== 200) {
    throw refuse(
      `nmi response failed with status code: ${status}, response body: ${serverWords(bodyAsText ?? '')}; ` +
        'check that NMI runs on the node and that an AzureIdentityBinding selects the pod (pod identity is no longer ' +
        'maintained; workload identity takes its place)',
    );
  }
  const { token, clientid } = parse(bodyAsText ?? '');
  const accessToken = token?.access_token;
  if (typeof accessToken !== 'string' || accessToken === '' || typeof clientid !== 'string' || clientid === '') {
    throw refuse('nmi did not return expected values in response: token and clientid');
  }
  const expiresOn = Number(token?.expires_on);
  return {
    token: accessToken,
    expiresOnTimestamp: Number.isFinite(expiresOn) ? expiresOn * 1000 : 0,
    tokenType: 'Bearer',
  };
}

/** NMI refuses with 400, 403 and 404; the rest is a fault, or somebody else's answer. */
function codeOf(status: number): ErrorCode {
  if (status === 429) return 'ERR_THROTTLED';
  return status === 408 || status >= 500 || (status >= 300 && status < 400) ? 'ERR_VAULT' : 'ERR_AUTHENTICATION';
}

interface Answer {
  readonly token?: { readonly access_token?: unknown; readonly expires_on?: unknown } | null;
  readonly clientid?: unknown;
}

function parse(body: string): Answer {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}
