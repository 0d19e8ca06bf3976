/**
 * Sends one request to a vault: for an object through the clients of the Azure SDK, for a page of a listing
 * over the same transport. The vault reader calls it for each try; it does no retries, pauses or logins. Refuses to
 * follow a vault to another host or another path.
 */

import type { TokenCredential } from '@azure/core-auth';
import {
  createHttpHeaders,
  createPipelineRequest,
  type HttpClient,
  isRestError,
  type Pipeline,
  RestError,
} from '@azure/core-rest-pipeline';
import type { CertificateClient } from '@azure/keyvault-certificates';
import type { KeyClient } from '@azure/keyvault-keys';
import { SecretClient, type SecretClientOptions } from '@azure/keyvault-secrets';
import { jsonValue } from '../../base/json.ts';
import type { ObjectRef } from '../../mount/ports.ts';
import { BadAnswer } from './bad-answer.ts';
import { Challenge } from './challenge.ts';
import type { Entries, Listing } from './listing.ts';
import { VaultPipeline } from './vault-pipeline.ts';

/** Settings of one call. */
export interface VaultCall {
  /** Value of the header: `Bearer` and a token. */
  readonly authorization: string;
  readonly signal: AbortSignal;
}

/** The version of the API that the official provider speaks; older stacks know no newer one. */
const SERVICE_VERSION = '7.4';

/** The SDK requires a credential. The token comes with each call instead, since callers differ. */
const NO_CREDENTIAL: TokenCredential = { getToken: async () => null };
const PIPELINE = new VaultPipeline();

/** Ends a call of the SDK at a good answer. Otherwise it makes a model of it, which it cannot do of each answer. */
const GOOD_ANSWER = new Error('the vault answered 200');

type CallOptions = NonNullable<Parameters<SecretClient['getSecret']>[1]>;
type Answer = Parameters<NonNullable<CallOptions['onResponse']>>[0];

/** One vault, for all identities. */
export class VaultClient {
  readonly #url: string;
  readonly #transport: HttpClient;
  #secrets: SecretClient | undefined;
  #keys: KeyClient | undefined;
  #certificates: CertificateClient | undefined;

  /** `url`: the origin of the vault. */
  constructor(url: string, transport: HttpClient) {
    this.#url = url;
    this.#transport = transport;
  }

  /**
   * Returns the JSON of an object: null if the answer is empty, undefined if it is no JSON.
   * Throws: `RestError` with the JSON of the answer in `details`, `Challenge`, `BadAnswer`, `AbortError`.
   */
  async get(ref: ObjectRef, { authorization, signal }: VaultCall): Promise<unknown> {
    const seen: { answer?: Answer } = {};
    const options: CallOptions = {
      abortSignal: signal,
      requestOptions: { headers: { authorization } },
      onResponse: (answer) => {
        seen.answer = answer;
        if (answer.status === 200) throw GOOD_ANSWER;
      },
    };
    try {
      await this.#ask(ref, options);
    } catch (error) {
      if (seen.answer === undefined) throw error;
      const { status: statusCode } = seen.answer;
      // The JSON as the vault wrote it: each of the three clients converts it differently.
      const json = bodyOf(seen.answer);
      if (statusCode === 200) return json;
      throw Object.assign(isRestError(error) ? error : new RestError('', { statusCode }), { details: json });
    }
    return undefined;
  }

  /**
   * Reads the next page of a listing. Returns all entries after the last page. The SDK drops the options of a call when it
   * follows a listing to its next page, so that its clients cannot be used here.
   * Throws: see {@link VaultClient.get}.
   */
  async page<T>(listing: Listing<T>, call: VaultCall): Promise<Entries<T>> {
    const url = listing.next ?? new URL(`${listing.path}?api-version=${SERVICE_VERSION}`, this.#url);
    const text = await this.#page(url, call);
    return listing.add(url, { page: parse(text), length: text.length });
  }

  /**
   * Asks without a token, and returns the vault's challenge. No object is named.
   * Throws: see {@link VaultClient.get}; `BadAnswer` if the vault gives something else to everybody.
   */
  async challenge(signal: AbortSignal): Promise<Challenge> {
    const url = new URL(`/secrets?api-version=${SERVICE_VERSION}&maxresults=1`, this.#url);
    try {
      await this.#page(url, { signal });
    } catch (error) {
      if (error instanceof Challenge) return error;
      throw error;
    }
    throw new BadAnswer('the vault answered a request without a token');
  }

  /** Loads the clients of keys and certificates when they are needed: most nodes read secrets only. */
  async #ask({ type, name, version }: ObjectRef, options: CallOptions): Promise<unknown> {
    const pinned = version === '' ? options : { ...options, version };
    switch (type) {
      case 'secret':
        this.#secrets ??= new SecretClient(this.#url, NO_CREDENTIAL, this.#options());
        return this.#secrets.getSecret(name, pinned);
      case 'key': {
        const { KeyClient } = await import('@azure/keyvault-keys');
        this.#keys ??= new KeyClient(this.#url, NO_CREDENTIAL, this.#options());
        return this.#keys.getKey(name, pinned);
      }
      case 'cert': {
        const { CertificateClient } = await import('@azure/keyvault-certificates');
        this.#certificates ??= new CertificateClient(this.#url, NO_CREDENTIAL, this.#options());
        return version === ''
          ? this.#certificates.getCertificate(name, options)
          : this.#certificates.getCertificateVersion(name, version, options);
      }
    }
  }

  async #page(url: URL, { authorization, signal }: Pick<VaultCall, 'signal'> & Partial<VaultCall>): Promise<string> {
    const headers = createHttpHeaders({ accept: 'application/json', ...(authorization && { authorization }) });
    const request = createPipelineRequest({ url: url.href, headers, abortSignal: signal });
    const response = await PIPELINE.sendRequest(this.#transport, request);
    const { status: statusCode, bodyAsText } = response;
    if (statusCode === 200) return bodyAsText ?? '';
    throw Object.assign(new RestError('', { statusCode, request, response }), { details: parse(bodyAsText) });
  }

  #options() {
    return {
      serviceVersion: SERVICE_VERSION,
      httpClient: this.#transport,
      pipeline: PIPELINE,
    } satisfies SecretClientOptions & { readonly pipeline: Pipeline };
  }
}

/** Returns the JSON of an answer, as {@link parse} does. The SDK has parsed it, or read it as a text. */
function bodyOf({ bodyAsText, parsedBody }: Answer): unknown {
  return typeof parsedBody === 'object' ? parsedBody : parse(bodyAsText);
}

/** Returns the JSON of a body: null if there is none, undefined if it is something else. */
function parse(text: string | null | undefined): unknown {
  return text === undefined || text === null || text.trim() === '' ? null : jsonValue(text);
}
