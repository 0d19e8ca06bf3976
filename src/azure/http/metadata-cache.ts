/**
 * Keeps the OpenID metadata of login hosts for a day. Clients that send logins are wrapped by it. Otherwise each
 * credential object of the SDK would fetch it again: one more round trip at each login for clouds that the SDK does not
 * know.
 */

import type { HttpClient, PipelineResponse } from '@azure/core-rest-pipeline';
import { Cache } from '../../base/cache.ts';
import { jsonValue, membersOf } from '../../base/json.ts';
import type { Sweeper } from '../../base/sweeper.ts';
import { nextTurn } from '../../base/turns.ts';

const METADATA_PATH = '/.well-known/openid-configuration';
/** Answers that are kept, of all clients. */
const MAX_ANSWERS = 100;
/** Characters of one answer; those of Entra ID have two thousand. A longer one is used but not kept. */
const MAX_LENGTH = 64 * 1024;
const TTL_MS = 24 * 60 * 60 * 1000;

/** The metadata that the clients of one provider have fetched. */
export class MetadataCache {
  readonly #known: Cache<Promise<PipelineResponse>>;
  #clients = 0;

  constructor(sweeper: Sweeper) {
    this.#known = new Cache({ entries: MAX_ANSWERS, sweeper });
  }

  /**
   * Returns a client that asks for metadata once a day. Clients share no answers, since they trust different
   * certificates.
   */
  clientOf(client: HttpClient): HttpClient {
    const scope = this.#clients++;
    return {
      sendRequest: (request) =>
        request.method === 'GET' && request.url.includes(METADATA_PATH)
          ? this.#once(`${scope} ${request.url}`, request, client)
          : client.sendRequest(request),
    };
  }

  async #once(
    key: string,
    request: Parameters<HttpClient['sendRequest']>[0],
    client: HttpClient,
  ): Promise<PipelineResponse> {
    const kept = this.#known.get(key);
    if (kept !== undefined) {
      const response = await kept.catch(() => undefined);
      // Many logins wait for the metadata, and each of them then starts a request.
      await nextTurn();
      // The Mount that asked may have ended. The others must not fail for that reason.
      return response === undefined ? client.sendRequest(request) : { ...response, request };
    }
    const response = client.sendRequest(request);
    this.#known.set(key, response, { ttlMs: TTL_MS });
    const forget = () => {
      if (this.#known.peek(key) === response) this.#known.delete(key);
    };
    response.then(({ status, bodyAsText }) => {
      if (status !== 200 || !isMetadata(bodyAsText ?? '')) forget();
    }, forget);
    return response;
  }
}

/** True if a text is OpenID metadata of a usual size, and not a page of a proxy. */
function isMetadata(text: string): boolean {
  if (text.length > MAX_LENGTH) return false;
  const value = membersOf(jsonValue(text));
  return ['issuer', 'authorization_endpoint', 'token_endpoint'].every((name) => typeof value[name] === 'string');
}
