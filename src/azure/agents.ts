import dns from 'node:dns';
import { readdirSync, readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import type { LookupFunction } from 'node:net';
import { join } from 'node:path';
import tls from 'node:tls';
import { HttpsProxyAgent } from 'https-proxy-agent';
import { getProxyForUrl } from 'proxy-from-env';

/** Connections kept towards one host. */
const MAX_SOCKETS = 50;

/** Hosts that no proxy may see: IMDS, and this machine. */
const NEVER_PROXIED = /^(169\.254\.169\.254|localhost|127(\.\d+){3}|\[::1\]|.+\.localhost)$/i;

/** Where certificates beyond Node's own come from: `SSL_CERT_FILE`, `SSL_CERT_DIR`, `NODE_EXTRA_CA_CERTS`. */
export interface TrustSources {
  readonly certFile: string | undefined;
  /** Directories, separated by `:`. */
  readonly certDir: string | undefined;
  readonly extraCaFile: string | undefined;
}

/**
 * Keep-alive connections shared by all clients: bounded sockets a host, proxies from the environment, one TLS trust for
 * all, names under `.localhost` on the loopback interface (RFC 6761 section 6.3).
 */
export class Agents {
  readonly #trust: TrustSources;
  readonly #http = new http.Agent({ keepAlive: true, maxSockets: MAX_SOCKETS });
  readonly #proxied = new Map<string, HttpsProxyAgent<string>>();
  #https: https.Agent | undefined;

  constructor(trust: TrustSources) {
    this.#trust = trust;
  }

  /** The agent for a URL. */
  for(url: string): http.Agent {
    const { protocol, hostname } = new URL(url);
    if (protocol === 'http:') return this.#http;
    const proxy = proxyFor(hostname, url);
    if (proxy === '') {
      this.#https ??= new https.Agent(this.#options());
      return this.#https;
    }
    const known = this.#proxied.get(proxy);
    if (known !== undefined) return known;
    const agent = new TunnelAgent(proxy, this.#options());
    this.#proxied.set(proxy, agent);
    return agent;
  }

  /** TLS trust of all connections; undefined: Node's own. */
  trust(): tls.SecureContext | undefined {
    const ca = readTrust(this.#trust);
    return ca.length === 0 ? undefined : tls.createSecureContext({ ca: [...tls.rootCertificates, ...ca] });
  }

  close(): void {
    this.#http.destroy();
    this.#https?.destroy();
    for (const agent of this.#proxied.values()) agent.destroy();
  }

  #options(): https.AgentOptions {
    const secureContext = this.trust();
    return {
      keepAlive: true,
      maxSockets: MAX_SOCKETS,
      scheduling: 'fifo',
      lookup: lookupLocalhost,
      ...(secureContext === undefined ? {} : { secureContext }),
    };
  }
}

/** The proxy agent keeps its TLS options for the proxy itself; the host behind the tunnel needs our trust as well. */
class TunnelAgent extends HttpsProxyAgent<string> {
  readonly #secureContext: tls.SecureContext | undefined;

  constructor(proxy: string, options: https.AgentOptions) {
    super(proxy, options);
    this.#secureContext = options.secureContext;
  }

  override connect(request: http.ClientRequest, options: Parameters<HttpsProxyAgent<string>['connect']>[1]) {
    const trust = this.#secureContext === undefined ? {} : { secureContext: this.#secureContext };
    return super.connect(request, { ...options, ...trust });
  }
}

/** `dns.lookup`, but for names under `.localhost`, which many resolvers do not know. */
export const lookupLocalhost: LookupFunction = (hostname, options, callback) => {
  if (!/(^|\.)localhost$/i.test(hostname)) {
    dns.lookup(hostname, options, callback);
    return;
  }
  const loopback = { address: '127.0.0.1', family: 4 };
  process.nextTick(() => {
    if (options.all === true) callback(null, [loopback]);
    else callback(null, loopback.address, loopback.family);
  });
};

/** The proxy of the environment; a name in `NO_PROXY` stands for its subdomains too, as Go reads it. */
function proxyFor(hostname: string, url: string): string {
  if (NEVER_PROXIED.test(hostname)) return '';
  const proxy = getProxyForUrl(url);
  const labels = hostname.split('.');
  const excepted = labels.some(
    (_, index) => index > 0 && getProxyForUrl(`https://${labels.slice(index).join('.')}/`) === '',
  );
  return excepted ? '' : proxy;
}

/** PEM texts of the trust sources; what cannot be read is left out, as OpenSSL does. */
function readTrust({ certFile, certDir, extraCaFile }: TrustSources): readonly string[] {
  if (!certFile && !certDir) return [];
  const directories = (certDir ?? '').split(':').filter((directory) => directory !== '');
  const inDirectories = directories.flatMap((directory) =>
    attempt<readonly string[]>(() => readdirSync(directory), []).map((name) => join(directory, name)),
  );
  const files = [certFile ?? '', extraCaFile ?? '', ...inDirectories].filter((file) => file !== '');
  const texts = [...new Set(files)].map((file) => attempt(() => readFileSync(file).toString('utf8'), ''));
  return [
    ...new Set(texts.flatMap((text) => text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [])),
  ];
}

function attempt<T>(read: () => T, fallback: T): T {
  try {
    return read();
  } catch {
    return fallback;
  }
}
