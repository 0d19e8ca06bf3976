import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type https from 'node:https';
import tls from 'node:tls';
import type { HttpClient } from '@azure/core-rest-pipeline';
import { messageOf, ProviderError } from '../base/errors.ts';
import { lookupLocalhost } from './agents.ts';
import { BoundedHttpsAgent } from './connect.ts';

/** Where the token proxy of AKS identity binding is, by default the cluster's API server. */
export interface TokenProxyOptions {
  /** `--token-proxy-url`; empty: the API server. */
  readonly url: string;
  /** `--sni-name`; empty: computed from the API server's certificate. */
  readonly sniName: string;
  /** CA of the proxy. */
  readonly caFile: string;
}

/** CA that the kubelet gives every pod. */
export const CLUSTER_CA_FILE = '/var/run/secrets/kubernetes.io/serviceaccount/ca.crt';

const DEFAULT_URL = 'https://kubernetes.default.svc.cluster.local';
const TIMEOUT_MS = 10_000;

/** Makes a transport whose requests all go out by one agent. */
export type TransportBy = (agent: https.Agent) => HttpClient;

/**
 * The cluster's token proxy, which takes requests meant for Entra. CA and server name are looked up when first needed,
 * and again if that failed or the CA changed.
 * `Differs:` the official provider asks the API server once at start and never again.
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

  /** The way to the proxy. Errors: ERR_AUTHENTICATION with the official provider's words. */
  async client(): Promise<HttpClient> {
    try {
      const ca = readCa(this.#options.caFile);
      if (this.#known?.ca !== ca) {
        const entry = { ca, client: this.#connect(ca) };
        this.#known = entry;
        entry.client.catch(() => {
          if (this.#known === entry) this.#known = undefined;
        });
      }
      return await this.#known.client;
    } catch (error) {
      throw new ProviderError('ERR_AUTHENTICATION', `proxy transport not available: ${messageOf(error)}`, {
        details: { phase: 'entra', host: this.#base.host },
      });
    }
  }

  async #connect(ca: string): Promise<HttpClient> {
    const base = this.#base;
    const { sniName } = this.#options;
    const servername = sniName === '' ? bindingServerName(await clusterIdOf(base, ca)) : sniName;
    // The proxy may answer with a certificate for the name it was called by, or with the API server's own.
    const checkServerIdentity = (_: string, certificate: tls.PeerCertificate) =>
      tls.checkServerIdentity(servername, certificate) && tls.checkServerIdentity(base.hostname, certificate);
    const agent = new BoundedHttpsAgent({
      keepAlive: true,
      connectTimeoutMs: TIMEOUT_MS,
      lookup: lookupLocalhost,
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
          // The SDK sends the same request again where it failed.
          request.url = url;
        }
      },
    };
  }
}

/** Server name under which the API server hands connections to the token proxy of a cluster. */
export function bindingServerName(clusterId: string): string {
  const digest = createHash('sha256').update(`identity-binding${clusterId}`).digest();
  return `a${base32Hex(digest)}.ests.aks`;
}

/** The cluster's id out of the API server's certificate. */
function clusterIdOf(base: URL, ca: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const port = base.port === '' ? 443 : Number(base.port);
    const { hostname: host } = base;
    const socket = tls.connect(
      { host, port, servername: host, ca, lookup: lookupLocalhost, timeout: TIMEOUT_MS },
      () => {
        const { subjectaltname = '' } = socket.getPeerCertificate();
        socket.destroy();
        const id = /DNS:hcp-kubernetes\.([^.,\s]+)\.svc\.cluster\.local/.exec(subjectaltname)?.[1];
        if (id === undefined)
          reject(
            new Error(
              `the certificate of ${base.host} names no cluster (hcp-kubernetes.<id>.svc.cluster.local); set --sni-name`,
            ),
          );
        else resolve(id);
      },
    );
    socket.on('timeout', () => socket.destroy(new Error(`${base.host} did not answer within ${TIMEOUT_MS / 1000} s`)));
    socket.on('error', reject);
  });
}

function readCa(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new Error(`the cluster's CA cannot be read: ${messageOf(error)}`);
  }
}

/** RFC 4648 section 7, lower case, without padding. */
function base32Hex(bytes: Buffer): string {
  let bits = '';
  for (const byte of bytes) bits += byte.toString(2).padStart(8, '0');
  return (bits.match(/.{1,5}/g) ?? []).map((group) => Number.parseInt(group.padEnd(5, '0'), 2).toString(32)).join('');
}
