import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import https from 'node:https';
import tls from 'node:tls';
import type { PipelinePolicy } from '@azure/core-rest-pipeline';
import { messageOf, ProviderError } from '../base/errors.ts';

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
const PROBE_TIMEOUT_MS = 10_000;

/**
 * Sends token requests to the cluster's token proxy instead of Entra. CA and server name are looked up when first
 * needed, and again if that failed or the CA changed.
 * `Differs:` the official provider asks the API server once at start and never again.
 */
export function tokenProxyPolicy(options: TokenProxyOptions): PipelinePolicy {
  const base = new URL(options.url === '' ? DEFAULT_URL : options.url);
  let known: { readonly ca: string; readonly agent: https.Agent } | undefined;
  const agentFor = async (): Promise<https.Agent> => {
    const ca = readCa(options.caFile);
    if (known?.ca === ca) return known.agent;
    const servername = options.sniName === '' ? bindingServerName(await clusterIdOf(base, ca)) : options.sniName;
    known?.agent.destroy();
    // The proxy answers under a name that its certificate need not carry, so the API server's own name is checked.
    const checkServerIdentity = (_: string, certificate: tls.PeerCertificate) =>
      tls.checkServerIdentity(base.hostname, certificate);
    known = { ca, agent: new https.Agent({ keepAlive: true, ca, servername, checkServerIdentity }) };
    return known.agent;
  };
  return {
    name: 'akvCsiTokenProxy',
    async sendRequest(request, next) {
      try {
        request.agent = await agentFor();
      } catch (error) {
        throw new ProviderError('ERR_AUTHENTICATION', `proxy transport not available: ${messageOf(error)}`, {
          cause: error,
        });
      }
      const { pathname, search } = new URL(request.url);
      request.url = `${base.origin}${base.pathname.replace(/\/$/, '')}${pathname}${search}`;
      return next(request);
    },
  };
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
    const socket = tls.connect(
      { host: base.hostname, port, servername: base.hostname, ca, timeout: PROBE_TIMEOUT_MS },
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
    socket.on('timeout', () =>
      socket.destroy(new Error(`${base.host} did not answer within ${PROBE_TIMEOUT_MS / 1000} s`)),
    );
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
