import { AsyncLocalStorage } from 'node:async_hooks';
import type { TokenCredential } from '@azure/core-auth';
import { type HttpClient, isRestError, RestError } from '@azure/core-rest-pipeline';
import { CertificateClient } from '@azure/keyvault-certificates';
import { KeyClient } from '@azure/keyvault-keys';
import { SecretClient } from '@azure/keyvault-secrets';
import { ProviderError } from '../base/errors.ts';
import type { ObjectType } from '../base/telemetry.ts';
import type { ObjectRef } from '../mount/ports.ts';
import { refuseChallenges } from './challenge.ts';

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
  last: { readonly status: number; readonly body: unknown } | undefined;
}

const calls = new AsyncLocalStorage<Call>();

/** The SDK demands one; the token comes with each call instead, since the one who calls changes. */
const NO_CREDENTIAL: TokenCredential = { getToken: async () => null };

/**
 * The SDK's three clients for one vault, shared by all identities; they keep connections and pipeline, no login.
 * Retries are not theirs: the gate in front of them knows what else is waiting for this vault.
 */
export class VaultClients {
  readonly #url: string;
  readonly #transport: HttpClient;
  #secrets: SecretClient | undefined;
  #keys: KeyClient | undefined;
  #certificates: CertificateClient | undefined;

  constructor(url: string, transport: HttpClient) {
    this.#url = url;
    this.#transport = transport;
  }

  /** The JSON of an object. Errors: `RestError`, `Challenge`, network errors. */
  async get({ type, name, version }: ObjectRef, options: VaultCallOptions): Promise<unknown> {
    const pinned = version === '' ? {} : { version };
    const { bodies } = await this.#run(options, async () => {
      switch (type) {
        case 'secret':
          return this.#secretClient().getSecret(name, pinned);
        case 'key':
          return this.#keyClient().getKey(name, pinned);
        case 'cert':
          return version === ''
            ? this.#certificateClient().getCertificate(name)
            : this.#certificateClient().getCertificateVersion(name, version);
      }
    });
    return bodies[0];
  }

  /** The JSON of every page of a version listing. Errors as {@link VaultClients.get}. */
  async listVersions(type: ObjectType, name: string, options: VaultCallOptions): Promise<RawBodies> {
    const { bodies, mistaken } = await this.#run(options, async () => {
      for await (const _ of this.#pages(type, name)) {
        // Each page passes by the transport.
      }
    });
    if (mistaken) throw new ProviderError('ERR_VAULT', 'the vault answered a version listing that cannot be read');
    return bodies;
  }

  #pages(type: ObjectType, name: string): AsyncIterable<unknown> {
    switch (type) {
      case 'secret':
        return this.#secretClient().listPropertiesOfSecretVersions(name).byPage();
      case 'key':
        return this.#keyClient().listPropertiesOfKeyVersions(name).byPage();
      case 'cert':
        return this.#certificateClient().listPropertiesOfCertificateVersions(name).byPage();
    }
  }

  /**
   * Runs a call of the SDK and returns what the vault answered. `mistaken`: the SDK could make no sense of an answer that
   * is a success; it crashes where a field is absent.
   */
  async #run(options: VaultCallOptions, work: () => Promise<unknown>): Promise<Call & { readonly mistaken: boolean }> {
    const call: Call = { options, bodies: [], last: undefined };
    try {
      await calls.run(call, work);
      return { ...call, mistaken: false };
    } catch (error) {
      // The wire's own spelling, which the three clients translate each in its way.
      if (isRestError(error)) error.details = call.last?.body;
      if (!(error instanceof TypeError) || call.last === undefined) throw error;
      const { status: statusCode, body: details } = call.last;
      if (statusCode !== 200) throw Object.assign(new RestError('', { statusCode }), { details });
      return { ...call, mistaken: true };
    }
  }

  #options() {
    return { serviceVersion: SERVICE_VERSION, retryOptions: { maxRetries: 0 }, httpClient: this.#client() } as const;
  }

  /**
   * Gives each request what belongs to its call and keeps what comes back. Options of the SDK would not do: it leaves
   * them out when it follows a listing to its next page. No token goes to a host that such a link names.
   */
  #client(): HttpClient {
    const { origin } = new URL(this.#url);
    return {
      sendRequest: async (request) => {
        const call = calls.getStore();
        const target = new URL(request.url).origin;
        if (call === undefined || target !== origin) {
          throw new ProviderError('ERR_VAULT', `the vault refers to ${target}; nothing was sent there`);
        }
        const { authorization, clientRequestId, signal } = call.options;
        request.headers.set('authorization', authorization);
        request.headers.set('x-ms-client-request-id', clientRequestId);
        request.abortSignal = signal;
        const response = await this.#transport.sendRequest(request);
        const body = parse(response.bodyAsText ?? '');
        call.last = { status: response.status, body };
        if (response.status === 200) call.bodies.push(body);
        refuseChallenges(response);
        return response;
      },
    };
  }

  #secretClient(): SecretClient {
    this.#secrets ??= new SecretClient(this.#url, NO_CREDENTIAL, this.#options());
    return this.#secrets;
  }

  #keyClient(): KeyClient {
    this.#keys ??= new KeyClient(this.#url, NO_CREDENTIAL, this.#options());
    return this.#keys;
  }

  #certificateClient(): CertificateClient {
    this.#certificates ??= new CertificateClient(this.#url, NO_CREDENTIAL, this.#options());
    return this.#certificates;
  }
}

/** The JSON of a body; undefined where it is none. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
