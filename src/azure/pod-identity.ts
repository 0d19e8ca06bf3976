import http from 'node:http';
import type { AccessToken } from '@azure/core-auth';
import { ProviderError } from '../base/errors.ts';
import type { Identity } from '../spc/model.ts';

/** Where AAD pod identity's NMI listens on every node. */
export const NMI_HOST = 'localhost:2579';

/** Largest answer taken from NMI. */
const MAX_BYTES = 64 * 1024;

/**
 * Asks the node's NMI (AAD pod identity, deprecated by its makers) for the pod's token.
 * Errors: ERR_AUTHENTICATION with the official provider's texts; network errors as `node:http` gives them.
 */
export async function podIdentityToken(
  { podName, podNamespace }: Identity & { kind: 'pod-identity' },
  resource: string,
  { signal, userAgent }: { readonly signal: AbortSignal; readonly userAgent: string },
): Promise<AccessToken> {
  const url = `http://${NMI_HOST}/host/token/?resource=${encodeURIComponent(resource)}`;
  const { status, body } = await get(url, { podname: podName, podns: podNamespace, 'user-agent': userAgent }, signal);
  if (status !== 200) {
    throw new ProviderError(
      'ERR_AUTHENTICATION',
      `nmi response failed with status code: ${status}, response body: ${body.slice(0, 500)}`,
      {
        details: { httpStatus: status, host: NMI_HOST, phase: 'nmi' },
      },
    );
  }
  const { token, clientid } = parse(body);
  const accessToken = token?.access_token;
  if (typeof accessToken !== 'string' || accessToken === '' || typeof clientid !== 'string' || clientid === '') {
    throw new ProviderError(
      'ERR_AUTHENTICATION',
      'nmi did not return expected values in response: token and clientid',
      {
        details: { httpStatus: status, host: NMI_HOST, phase: 'nmi' },
      },
    );
  }
  const expiresOn = Number(token?.expires_on);
  return {
    token: accessToken,
    expiresOnTimestamp: Number.isFinite(expiresOn) ? expiresOn * 1000 : 0,
    tokenType: 'Bearer',
  };
}

function parse(body: string): { token?: { access_token?: unknown; expires_on?: unknown }; clientid?: unknown } {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}

function get(
  url: string,
  headers: Record<string, string>,
  signal: AbortSignal,
): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const request = http.get(url, { headers, signal }, (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > MAX_BYTES) response.destroy(new Error(`the answer of ${NMI_HOST} is over ${MAX_BYTES} bytes`));
        else chunks.push(chunk);
      });
      response.on('error', reject);
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') }),
      );
    });
    request.on('error', reject);
  });
}
