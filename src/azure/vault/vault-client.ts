import type { TokenCredential } from '@azure/core-auth';
import { type HttpClient, isRestError, type PipelineRequest, RestError } from '@azure/core-rest-pipeline';
import { CertificateClient } from '@azure/keyvault-certificates';
import { KeyClient } from '@azure/keyvault-keys';
import { SecretClient } from '@azure/keyvault-secrets';
import type { ObjectType } from '../../base/objects.ts';
import type { ObjectRef } from '../../mount/ports.ts';
import { BadAnswer, NO_JSON } from './bad-answer.ts';
import { Challenge, refuseChallenges } from './challenge.ts';

/** One answer of a vault, or of each page of a listing. */
export type RawBodies = readonly unknown[];

/** Options of one call: who asks, and until when. */
export interface VaultCallOptions {
  readonly authorization: string;
  readonly clientRequestId: string;
  readonly signal: AbortSignal;
}

/** What the official provider speaks; older stacks know nothing newer. */
const SERVICE_VERSION = '7.4';

/** One call of the SDK, of one request or of one a page. */
interface Call {
  readonly options: VaultCallOptions;
  /** JSON of the answers that were a success. */
  readonly bodies: unknown[];
  /** Characters of all of them. */
  size: number;
  /** The answer to the last request; undefined where there was none. */
  last: { readonly status: number; readonly body: unknown } | undefined;
  /** Path of the first request, in lower case; the pages of a listing all have it. */
  path: string | undefined;
}

/** Of a listing: versions come 25 a page, and a vault, or who stands in front of it, may send us round in circles. */
const MAX_PAGES = 400;
const MAX_LISTING_BYTES = 8 * 1024 * 1024;

/** By this header of a request its call is found; each call has an id of its own. */
const CALL_HEADER = 'x-ms-client-request-id';

/** The SDK demands one; the token comes with each call instead, since the one who calls changes. */
const NO_CREDENTIAL: TokenCredential = { getToken: async () => null };

/** Clients of the SDK, whose requests go out by one `HttpClient`. */
class Clients {
  readonly #url: string;
  readonly #httpClient: HttpClient;
  #secrets: SecretClient | undefined;
  #keys: KeyClient | undefined;
  #certificates: CertificateClient | undefined;

  constructor(url: string, httpClient: HttpClient) {
    this.#url = url;
    this.#httpClient = httpClient;
  }

  get secrets(): SecretClient {
    this.#secrets ??= new SecretClient(this.#url, NO_CREDENTIAL, this.#options());
    return this.#secrets;
  }

  get keys(): KeyClient {
    this.#keys ??= new KeyClient(this.#url, NO_CREDENTIAL, this.#options());
    return this.#keys;
  }

  get certificates(): CertificateClient {
    this.#certificates ??= new CertificateClient(this.#url, NO_CREDENTIAL, this.#options());
    return this.#certificates;
  }

  #options() {
    return { serviceVersion: SERVICE_VERSION, retryOptions: { maxRetries: 0 }, httpClient: this.#httpClient } as const;
  }
}

/**
 * One vault by the SDK's clients, shared by all identities; they keep connections and pipeline, no login. Retries are
 * not theirs: the gate in front of them knows what else is waiting for this vault.
 */
export class VaultClients {
  readonly #url: string;
  readonly #transport: HttpClient;
  /** Reads under way, by their ids. */
  readonly #calls = new Map<string, Call>();
  readonly #clients: Clients;

  constructor(url: string, transport: HttpClient) {
    this.#url = url;
    this.#transport = transport;
    this.#clients = new Clients(
      url,
      this.#clientBy((request) => this.#calls.get(request.headers.get(CALL_HEADER) ?? '')),
    );
  }

  /** The JSON of an object; undefined where the answer is none. Errors: `RestError`, `Challenge`, `BadAnswer`. */
  async get({ type, name, version }: ObjectRef, options: VaultCallOptions): Promise<unknown> {
    const { secrets, keys, certificates } = this.#clients;
    const { clientRequestId } = options;
    const requestOptions = { headers: { [CALL_HEADER]: clientRequestId } };
    const pinned = version === '' ? { requestOptions } : { version, requestOptions };
    const call = newCall(options);
    this.#calls.set(clientRequestId, call);
    try {
      await this.#run(call, async () => {
        switch (type) {
          case 'secret':
            return secrets.getSecret(name, pinned);
          case 'key':
            return keys.getKey(name, pinned);
          case 'cert':
            return version === ''
              ? certificates.getCertificate(name, { requestOptions })
              : certificates.getCertificateVersion(name, version, { requestOptions });
        }
      });
    } finally {
      this.#calls.delete(clientRequestId);
    }
    return call.bodies[0];
  }

  /**
   * The JSON of every page of a version listing, by clients of its own: the SDK drops the options of a call, and with them
   * its id, when it follows a listing to its next page. Errors as {@link VaultClients.get}.
   */
  async listVersions(type: ObjectType, name: string, options: VaultCallOptions): Promise<RawBodies> {
    const call = newCall(options);
    const clients = new Clients(
      this.#url,
      this.#clientBy(() => call),
    );
    const { mistaken } = await this.#run(call, async () => {
      for await (const _ of pagesOf(clients, type, name)) {
        // Each page passes by the transport.
      }
    });
    if (mistaken) {
      const unreadable = 'the vault answered 200 with a version listing that cannot be read';
      throw new BadAnswer(call.last?.body === undefined ? NO_JSON : unreadable);
    }
    return call.bodies;
  }

  /**
   * Runs a call of the SDK. `mistaken`: the SDK could make no sense of an answer that is a success. It throws errors of
   * all kinds where a field is absent or an id has another form.
   */
  async #run(call: Call, work: () => Promise<unknown>): Promise<{ readonly mistaken: boolean }> {
    try {
      await work();
      return { mistaken: false };
    } catch (error) {
      if (call.last === undefined || error instanceof Challenge || error instanceof BadAnswer || isAbort(error))
        throw error;
      const { status: statusCode, body: details } = call.last;
      // The wire's own spelling, which the three clients translate each in its way.
      if (statusCode !== 200)
        throw Object.assign(isRestError(error) ? error : new RestError('', { statusCode }), { details });
      return { mistaken: true };
    }
  }

  /**
   * Gives each request what belongs to its call and keeps what comes back. No token goes to a host that the link to the
   * next page of a listing names.
   */
  #clientBy(callOf: (request: PipelineRequest) => Call | undefined): HttpClient {
    const { origin } = new URL(this.#url);
    return {
      sendRequest: async (request) => {
        const call = callOf(request);
        const target = new URL(request.url);
        if (call === undefined || target.origin !== origin) {
          throw new BadAnswer(`the vault refers to ${target.origin}; nothing was sent there`);
        }
        const path = target.pathname.replace(/\/$/, '').toLowerCase();
        call.path ??= path;
        if (call.path !== path) {
          throw new BadAnswer(
            'the vault refers to something else as the next page of the listing; it was not asked for',
          );
        }
        const { authorization, clientRequestId, signal } = call.options;
        request.headers.set('authorization', authorization);
        request.headers.set(CALL_HEADER, clientRequestId);
        request.abortSignal = signal;
        call.last = undefined;
        const response = await this.#transport.sendRequest(request);
        const body = parse(response.bodyAsText ?? '');
        call.last = { status: response.status, body };
        if (response.status === 200) call.bodies.push(body);
        call.size += response.bodyAsText?.length ?? 0;
        if (call.bodies.length > MAX_PAGES || call.size > MAX_LISTING_BYTES) {
          const most = `${MAX_PAGES} pages or ${MAX_LISTING_BYTES} bytes`;
          throw new BadAnswer(`the vault goes on and on with a listing of more than ${most}`);
        }
        refuseChallenges(response);
        return response;
      },
    };
  }
}

function newCall(options: VaultCallOptions): Call {
  return { options, bodies: [], size: 0, last: undefined, path: undefined };
}

function pagesOf({ secrets, keys, certificates }: Clients, type: ObjectType, name: string): AsyncIterable<unknown> {
  switch (type) {
    case 'secret':
      return secrets.listPropertiesOfSecretVersions(name).byPage();
    case 'key':
      return keys.listPropertiesOfKeyVersions(name).byPage();
    case 'cert':
      return certificates.listPropertiesOfCertificateVersions(name).byPage();
  }
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError';
}

/** The JSON of a body; null where there is none, undefined where it is something else. */
function parse(text: string): unknown {
  if (text.trim() === '') return null;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
