/**
 * Sends the requests of the SDK's clients, and those of a listing, to the transport. The vault client gives it to the
 * clients in place of their own pipeline, whose twelve policies cost more CPU time than they do work here: some of them
 * do what the transport or the gate does, and the others do nothing. Refuses to follow a vault to another path.
 */

import type { HttpClient, Pipeline, PipelineRequest, PipelineResponse } from '@azure/core-rest-pipeline';
import { BadAnswer } from './bad-answer.ts';
import { refuseChallenges } from './challenge.ts';

/** As many as the SDK follows. */
const MAX_REDIRECTS = 20;
const REDIRECTS = new Set([300, 301, 302, 307]);

/** A pipeline without policies. It does not take those that a client adds: its login would follow a vault's challenge. */
export class VaultPipeline implements Pipeline {
  addPolicy(): void {}

  removePolicy(): [] {
    return [];
  }

  getOrderedPolicies(): [] {
    return [];
  }

  clone(): Pipeline {
    return this;
  }

  /** Throws: `Challenge` for a 401; `BadAnswer` for a redirect to another path; those of the client. */
  sendRequest(client: HttpClient, request: PipelineRequest): Promise<PipelineResponse> {
    request.headers.set('x-ms-client-request-id', request.requestId);
    return sendWithin(client, request);
  }
}

/**
 * Sends a request, and again if the vault redirects it to the same host and path. A redirect to another host is
 * returned as the answer.
 * Throws: `Challenge` for a 401; `BadAnswer` for a redirect to another path.
 */
async function sendWithin(client: HttpClient, request: PipelineRequest): Promise<PipelineResponse> {
  for (let redirects = 0; ; redirects++) {
    const response = await client.sendRequest(request);
    refuseChallenges(response);
    const location = response.headers.get('location') ?? '';
    const isRedirect = REDIRECTS.has(response.status) && location !== '' && URL.canParse(location, request.url);
    if (!isRedirect || redirects === MAX_REDIRECTS) return response;
    const [url, target] = [new URL(request.url), new URL(location, request.url)];
    if (target.origin !== url.origin) return response;
    refuseElsewhere(url, target);
    request.url = target.href;
  }
}

/** Refuses a URL on another host or path than the vault's, so that no token is sent there. */
export function refuseElsewhere(url: URL, target: URL): void {
  if (target.origin !== url.origin) {
    throw new BadAnswer(`the vault refers to ${target.origin}; nothing was sent there`);
  }
  if (pathOf(target) !== pathOf(url)) {
    throw new BadAnswer('the vault refers to something else as the next page of the listing; it was not asked for');
  }
}

function pathOf({ pathname }: URL): string {
  return pathname.replace(/\/$/, '').toLowerCase();
}
