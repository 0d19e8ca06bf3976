import type { TokenCredential } from '@azure/core-auth';
import { isRestError, type PipelinePolicy } from '@azure/core-rest-pipeline';
import { CertificateClient } from '@azure/keyvault-certificates';
import { KeyClient } from '@azure/keyvault-keys';
import { SecretClient } from '@azure/keyvault-secrets';
import type { ObjectType } from '../base/telemetry.ts';
import type { ObjectRef } from '../mount/ports.ts';

/** One answer of a vault, or of each page of a listing. */
export type RawBodies = readonly unknown[];

/** Options of one call: who asks, and until when. */
export interface VaultCallOptions {
  readonly authorization: string;
  readonly clientRequestId: string;
  readonly signal: AbortSignal;
}

/** Bound of one HTTP request. */
const REQUEST_TIMEOUT_MS = 30_000;
/** What the official provider speaks; older stacks know nothing newer. */
const SERVICE_VERSION = '7.4';

/** The SDK demands one; the token comes with each call instead, since the one who calls changes. */
const NO_CREDENTIAL: TokenCredential = { getToken: async () => null };

/**
 * The SDK's three clients for one vault, shared by all identities; they keep connections and pipeline, no login.
 * Retries are not theirs: the gate in front of them knows what else is waiting for this vault.
 */
export class VaultClients {
  readonly #url: string;
  readonly #policies: readonly PipelinePolicy[];
  #secrets: SecretClient | undefined;
  #keys: KeyClient | undefined;
  #certificates: CertificateClient | undefined;

  constructor(url: string, policies: readonly PipelinePolicy[]) {
    this.#url = url;
    this.#policies = policies;
  }

  /** The JSON of an object. Errors: `RestError`, `Challenge`, network errors. */
  async get({ type, name, version }: ObjectRef, options: VaultCallOptions): Promise<unknown> {
    const [body] = await this.#capture(options, async (call) => {
      switch (type) {
        case 'secret':
          return this.#secretClient().getSecret(name, { ...call, ...(version === '' ? {} : { version }) });
        case 'key':
          return this.#keyClient().getKey(name, { ...call, ...(version === '' ? {} : { version }) });
        case 'cert':
          return version === ''
            ? this.#certificateClient().getCertificate(name, call)
            : this.#certificateClient().getCertificateVersion(name, version, call);
      }
    });
    return body;
  }

  /** The JSON of every page of a version listing. Errors as {@link VaultClients.get}. */
  listVersions(type: ObjectType, name: string, options: VaultCallOptions): Promise<RawBodies> {
    return this.#capture(options, async (call) => {
      for await (const _ of this.#pages(type, name, call)) {
        // Each page passes by the capture.
      }
    });
  }

  #pages(type: ObjectType, name: string, call: object): AsyncIterable<unknown> {
    switch (type) {
      case 'secret':
        return this.#secretClient().listPropertiesOfSecretVersions(name, call).byPage();
      case 'key':
        return this.#keyClient().listPropertiesOfKeyVersions(name, call).byPage();
      case 'cert':
        return this.#certificateClient().listPropertiesOfCertificateVersions(name, call).byPage();
    }
  }

  /** Runs a call of the SDK and returns what the vault answered, even where the SDK cannot make sense of it. */
  async #capture(options: VaultCallOptions, call: (options: object) => Promise<unknown>): Promise<RawBodies> {
    const bodies: unknown[] = [];
    let refusal: unknown;
    try {
      await call({
        abortSignal: options.signal,
        requestOptions: {
          timeout: REQUEST_TIMEOUT_MS,
          headers: { authorization: options.authorization, 'x-ms-client-request-id': options.clientRequestId },
        },
        onResponse: (response: { status: number; parsedBody?: unknown }) => {
          if (response.status === 200) bodies.push(response.parsedBody);
          else refusal = response.parsedBody;
        },
      });
    } catch (error) {
      // The wire's own spelling, which the three clients translate each in its way.
      if (isRestError(error)) error.details = refusal;
      if (bodies.length === 0 || isRestError(error) || options.signal.aborted) throw error;
    }
    return bodies;
  }

  #options() {
    return {
      serviceVersion: SERVICE_VERSION,
      retryOptions: { maxRetries: 0 },
      additionalPolicies: this.#policies.map((policy) => ({ policy, position: 'perRetry' as const })),
    } as const;
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
