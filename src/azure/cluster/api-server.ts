/**
 * Gets JSON from the API server of the cluster with the provider's own service account. Called by `copies.ts`.
 * Refuses a server without a certificate of the cluster's CA for its name, and answers that are too large or not JSON.
 */

import type https from 'node:https';
import { isIPv6, type LookupFunction } from 'node:net';
import { createHttpHeaders, createPipelineRequest, type HttpClient } from '@azure/core-rest-pipeline';
import { type ErrorCode, messageOf, ProviderError } from '../../base/errors.ts';
import { type JsonLimits, parseJson } from '../../base/json.ts';
import { serviceInWords } from '../../base/phases.ts';
import { BoundedHttpsAgent } from '../http/bounded-agents.ts';
import { networkFailure, noAnswer } from '../http/network-error.ts';
import { type ApiServerAddress, targetOf } from './address.ts';
import { caFileIn, readClusterCa, readServiceAccountToken, tokenFileIn } from './service-account.ts';

/** Makes a transport that sends all requests with one agent. */
export type TransportBy = (agent: https.Agent) => HttpClient;

/** Settings of {@link ApiServer}. */
export interface ApiServerOptions {
  readonly address: ApiServerAddress;
  /** Directory of `ca.crt` and `token`. */
  readonly serviceAccountDir: string;
  /** Resolves host names. */
  readonly lookup: LookupFunction;
  readonly transportBy: TransportBy;
}

/** Bound of DNS, TCP and TLS together. */
const CONNECT_TIMEOUT_MS = 5_000;
/** Requests at the same time. */
const MAX_SOCKETS = 4;
/** The API server stores objects of at most 1.5 MiB. */
const ANSWER_LIMITS: JsonLimits = { bytes: 2 * 1024 * 1024, entries: 50_000, depth: 64 };

const CHECK_SERVER = 'check the API server, and proxies before it';

const REMEDIES: Readonly<Record<number, readonly [ErrorCode, string]>> = {
  401: ['ERR_SETUP', "it does not accept the token of the provider's service account; restart the provider's pod"],
  404: ['ERR_BAD_PARAMETERS', 'it does not exist; create it, or correct its name in the pod'],
};

/** An object of the cluster. */
export interface ClusterObject {
  readonly path: string;
  /** The right that the provider needs for it, as the end of a remedy. */
  readonly right: string;
}

/** The API server of the cluster. Each request has a connection of its own, because requests are rare. */
export class ApiServer {
  readonly #options: ApiServerOptions;
  #known: { readonly ca: string; readonly client: HttpClient } | undefined;

  constructor(options: ApiServerOptions) {
    this.#options = options;
  }

  /** Host and port. */
  get host(): string {
    return targetOf(this.#options.address).shown;
  }

  /**
   * Returns the JSON of an object. Throws: ERR_SETUP, ERR_UNREACHABLE, ERR_VAULT or ERR_BAD_PARAMETERS (404). The message
   * is the reason and the remedy. `httpStatus` is set if the server answered.
   */
  async get({ path, right }: ClusterObject, signal: AbortSignal): Promise<unknown> {
    const { serviceAccountDir, address } = this.#options;
    const { host, port } = targetOf(address);
    if (port === 0) throw this.#failure('ERR_SETUP', 'KUBERNETES_SERVICE_PORT is not a port number; correct it');
    const [ca, token] = await Promise.all([
      readClusterCa(caFileIn(serviceAccountDir)),
      readServiceAccountToken(tokenFileIn(serviceAccountDir)),
    ]).catch((error: unknown) => {
      throw this.#failure('ERR_SETUP', messageOf(error));
    });
    const url = `https://${isIPv6(host) ? `[${host}]` : host}:${port}${path}`;
    const headers = createHttpHeaders({ authorization: `Bearer ${token.reveal()}`, accept: 'application/json' });
    const at = serviceInWords('api-server', this.host);
    const request = createPipelineRequest({ url, method: 'GET', headers, abortSignal: signal });
    const { status, bodyAsText } = await this.#client(ca)
      .sendRequest(request)
      .catch((error: unknown) => {
        const failure = networkFailure(error);
        if (failure === undefined) throw error;
        throw this.#failure('ERR_UNREACHABLE', noAnswer(at, failure));
      });
    if (status !== 200) {
      const [code, remedy] = status === 403 ? forbidden(right) : (REMEDIES[status] ?? ['ERR_VAULT', CHECK_SERVER]);
      throw this.#failure(code, `${at} answered ${status}: ${remedy}`, status);
    }
    const parsed = parseJson(bodyAsText ?? '', ANSWER_LIMITS);
    if (parsed.ok) return parsed.value;
    const reason = `${at} did not answer with a JSON object: ${parsed.reason}`;
    throw this.#failure('ERR_VAULT', `${reason}; ${CHECK_SERVER}`, status);
  }

  #client(ca: string): HttpClient {
    const { lookup, transportBy } = this.#options;
    if (this.#known?.ca !== ca) {
      const agent = new BoundedHttpsAgent({
        keepAlive: false,
        maxSockets: MAX_SOCKETS,
        connectTimeoutMs: CONNECT_TIMEOUT_MS,
        lookup,
        ca,
      });
      this.#known = { ca, client: transportBy(agent) };
    }
    return this.#known.client;
  }

  #failure(code: ErrorCode, message: string, httpStatus?: number): ProviderError {
    const details = { phase: 'api-server', host: this.host } as const;
    return new ProviderError(code, message, {
      details: httpStatus === undefined ? details : { ...details, httpStatus },
    });
  }
}

function forbidden(right: string): readonly [ErrorCode, string] {
  return ['ERR_SETUP', `grant the service account of the provider ${right}`];
}
