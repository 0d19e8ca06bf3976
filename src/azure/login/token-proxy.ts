/**
 * Connects to the cluster's token proxy, which exchanges tokens for AKS identity binding. Called by the mode of
 * identity binding through `TokenTransport`. Refuses a proxy whose certificate the cluster's CA did not sign.
 */

import type { LookupFunction } from 'node:net';
import tls from 'node:tls';
import type { HttpClient } from '@azure/core-rest-pipeline';
import { messageOf, ProviderError } from '../../base/errors.ts';
import { type ApiServerAddress, CLUSTER_HOST } from '../cluster/address.ts';
import type { TransportBy } from '../cluster/api-server.ts';
import { readClusterCa } from '../cluster/service-account.ts';
import { BoundedHttpsAgent } from '../http/bounded-agents.ts';
import { Lookups } from '../http/lookups.ts';
import { findServerName } from './binding-server-name.ts';

/** Settings of the token proxy of AKS identity binding. */
export interface TokenProxyOptions {
  /** `--token-proxy-url`; empty: the API server. */
  readonly url: string;
  /** `--sni-name`; empty: computed from the API server's certificate. */
  readonly sniName: string;
  /** The server name is computed from the certificate of this server, not of the one in `url`. */
  readonly apiServer: ApiServerAddress;
  /** CA of the API server and of the proxy. */
  readonly caFile: string;
  /** Resolves host names; default: lookups of its own. */
  readonly lookup?: LookupFunction;
}

const DEFAULT_URL = `https://${CLUSTER_HOST}`;
const TIMEOUT_MS = 10_000;

/**
 * The cluster's token proxy. It accepts requests that are addressed to Entra ID. CA and server name are looked up when
 * first needed, and again if that failed or the CA changed.
 * Differs: the official provider asks the API server once at start and never again.
 */
export class TokenProxy {
  readonly #options: TokenProxyOptions;
  readonly #transportBy: TransportBy;
  readonly #base: URL;
  #known: { readonly ca: string; readonly client: Promise<HttpClient> } | undefined;

  constructor(options: TokenProxyOptions, transportBy: TransportBy) {
    this.#options = options;
    this.#transportBy = transportBy;
    this.#base = new URL(options.url === '' ? DEFAULT_URL : options.url);
  }

  /** Host and port. */
  get host(): string {
    return this.#base.host;
  }

  /**
   * Returns the connections to the proxy. Throws, with the official provider's text: ERR_UNREACHABLE if the API server
   * does not answer, else ERR_SETUP.
   */
  async client(): Promise<HttpClient> {
    try {
      const ca = await readClusterCa(this.#options.caFile);
      if (this.#known?.ca !== ca) {
        const entry = { ca, client: this.#connect(ca) };
        this.#known = entry;
        entry.client.catch(() => {
          if (this.#known === entry) this.#known = undefined;
        });
      }
      return await this.#known.client;
    } catch (error) {
      const code = error instanceof ProviderError ? error.code : 'ERR_SETUP';
      throw new ProviderError(code, `proxy transport not available: ${messageOf(error)}`, {
        details: { phase: 'token-proxy', host: this.host },
      });
    }
  }

  async #connect(ca: string): Promise<HttpClient> {
    const base = this.#base;
    const { sniName, apiServer, lookup = new Lookups().lookup } = this.#options;
    const servername = sniName === '' ? await findServerName(apiServer, ca, { lookup }) : sniName;
    // The proxy may answer with a certificate for the name it was called by, or with the API server's own.
    const checkServerIdentity = (_: string, certificate: tls.PeerCertificate) =>
      tls.checkServerIdentity(servername, certificate) && tls.checkServerIdentity(base.hostname, certificate);
    const agent = new BoundedHttpsAgent({
      keepAlive: true,
      connectTimeoutMs: TIMEOUT_MS,
      lookup,
      ca,
      servername,
      checkServerIdentity,
    });
    const transport = this.#transportBy(agent);
    const prefix = `${base.origin}${base.pathname.replace(/\/$/, '')}`;
    return {
      async sendRequest(request) {
        const { url } = request;
        const { pathname, search } = new URL(url);
        request.url = `${prefix}${pathname}${search}`;
        try {
          return await transport.sendRequest(request);
        } finally {
          // The SDK sends the same request object again if it failed.
          request.url = url;
        }
      },
    };
  }
}
