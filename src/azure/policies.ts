import type { PipelinePolicy } from '@azure/core-rest-pipeline';
import type { Agents } from './agents.ts';

/** Sends each request over the shared connections. */
export function connectionPolicy(agents: Agents): PipelinePolicy {
  return {
    name: 'akvCsiConnection',
    sendRequest(request, next) {
      request.agent = agents.for(request.url);
      return next(request);
    },
  };
}

/** Puts this provider's name in front of the SDK's. */
export function userAgentPolicy(userAgent: string): PipelinePolicy {
  return {
    name: 'akvCsiUserAgent',
    sendRequest(request, next) {
      const sdk = request.headers.get('user-agent') ?? '';
      if (!sdk.startsWith(userAgent)) request.headers.set('user-agent', `${userAgent} ${sdk}`.trim());
      return next(request);
    },
  };
}

/** Answers of metadata that are kept. */
const MAX_METADATA = 100;
const METADATA_TTL_MS = 24 * 60 * 60 * 1000;

/**
 * Asks for a login host's OpenID metadata once a day. Every credential object would ask anew, which for clouds that the
 * SDK does not know by heart is a round trip more at each login.
 */
export function metadataPolicy(now: () => number): PipelinePolicy {
  const known = new Map<
    string,
    { readonly response: ReturnType<PipelinePolicy['sendRequest']>; readonly until: number }
  >();
  return {
    name: 'akvCsiMetadata',
    async sendRequest(request, next) {
      if (request.method !== 'GET' || !request.url.includes('/.well-known/openid-configuration')) return next(request);
      const { url } = request;
      const kept = known.get(url);
      if (kept !== undefined && kept.until > now()) return { ...(await kept.response), request };
      const response = next(request);
      known.set(url, { response, until: now() + METADATA_TTL_MS });
      for (const oldest of known.keys()) {
        if (known.size <= MAX_METADATA) break;
        known.delete(oldest);
      }
      const forget = () => known.get(url)?.response === response && known.delete(url);
      response.then(({ status }) => status !== 200 && forget(), forget);
      return response;
    },
  };
}
