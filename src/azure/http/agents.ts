/**
 * Selects the connections for a URL: direct, through the proxy of the environment, or plain HTTP on this node. The
 * transport asks it for each request. IMDS and this machine are never reached by a proxy.
 */

import { type Agent, setMaxIdleHTTPParsers } from 'node:http';
import { isIP, type LookupFunction } from 'node:net';
import tls from 'node:tls';
import { getProxyForUrl } from 'proxy-from-env';
import { Cache } from '../../base/cache.ts';
import { type BoundedAgentOptions, BoundedHttpAgent, BoundedHttpsAgent } from './bounded-agents.ts';
import { PendingConnections } from './held-back.ts';
import { type LookupOptions, Lookups } from './lookups.ts';
import { targetOf } from './target.ts';
import { TunnelAgent } from './tunnel.ts';

/** Connections to one host at the same time. */
const MAX_SOCKETS = 50;
/** Parsers of HTTP/1 that Node keeps for the next requests. Each has 10 KB, and Node would keep a thousand. */
const MAX_IDLE_PARSERS = 16;
/** How long idle connections are kept. `IdleConnections` bounds their number. */
const IDLE_MS = 150_000;
/** Bound of DNS, TCP and TLS together. */
const CONNECT_TIMEOUT_MS = 10_000;
/** The same for plain HTTP, which only services on this node use. */
const LOCAL_CONNECT_TIMEOUT_MS = 3_000;
/** How long one of several addresses is tried before the next is. */
const ATTEMPT_MS = 500;

/** Hosts that are never reached through a proxy: IMDS, and this machine. */
const NEVER_PROXIED = /^(169\.254\.169\.254|localhost|127(\.\d+){3}|\[::1\]|.+\.localhost)$/i;

const SHARED = {
  keepAlive: true,
  maxSockets: MAX_SOCKETS,
  maxFreeSockets: MAX_SOCKETS,
  timeout: IDLE_MS,
  // Node's default of 250 ms is less than a round trip by satellite.
  autoSelectFamilyAttemptTimeout: ATTEMPT_MS,
} as const;

/** Finds the connections for a URL, and the host of the proxy that they go through; empty: none. */
export interface AgentSource {
  for(url: URL): Route;
  /** Notes that a direct connection to an address of a host failed or hung; undefined: to none in particular. */
  doubt?(hostname: string, address: string | undefined): void;
}

/** The connections to a host. */
export interface Route {
  readonly agent: Agent;
  /** Host and port of the proxy in between; empty: none. */
  readonly proxy: string;
}

/** Settings of {@link Agents}. */
export interface AgentOptions extends LookupOptions {
  /** Bound of DNS, TCP and TLS together, in milliseconds. */
  readonly connectTimeoutMs?: number;
}

/** Hosts whose route is remembered. */
const MAX_ROUTES = 200;

/**
 * Keep-alive connections shared by all clients: bounded sockets a host, proxies from the environment, one TLS trust for
 * all, names under `.localhost` on the loopback interface (RFC 6761 section 6.3).
 */
export class Agents implements AgentSource {
  /** Certificates for the context of TLS; empty once that is made. */
  #trust: readonly string[];
  readonly #connectTimeoutMs: number;
  readonly #lookups: Lookups;
  /** Resolves names to addresses. */
  readonly lookup: LookupFunction;
  /** Connections to HTTPS hosts that are not up yet, and requests that wait for one. */
  readonly pending = new PendingConnections();
  readonly #http: BoundedHttpAgent;
  readonly #proxied = new Map<string, TunnelAgent>();
  /** By origin. The environment, which names the proxies, does not change. */
  readonly #routes = new Cache<Route>({ entries: MAX_ROUTES });
  #https: BoundedHttpsAgent | undefined;
  #secureContext: tls.SecureContext | undefined;

  /** `trust`: see `readTrust`. */
  constructor(trust: readonly string[], { connectTimeoutMs = CONNECT_TIMEOUT_MS, ...lookups }: AgentOptions = {}) {
    setMaxIdleHTTPParsers(MAX_IDLE_PARSERS);
    this.#trust = trust;
    this.#connectTimeoutMs = connectTimeoutMs;
    this.#lookups = new Lookups(lookups);
    this.lookup = this.#lookups.lookup;
    this.#http = new BoundedHttpAgent({ ...SHARED, connectTimeoutMs: LOCAL_CONNECT_TIMEOUT_MS, lookup: this.lookup });
  }

  /**
   * Creates what all requests share. Node tests host names with a regular expression. V8 compiles it at the first test,
   * and to machine code at the second: 8 ms and 1 ms. Node loads the `crypto` that the SDK takes ids of requests from when it
   * is first used: 1 ms, and less from Node's code cache, which V8 refuses after `heap.ts` has set its flags.
   */
  warmUp(): void {
    this.#options();
    globalThis.crypto.randomUUID();
    for (const name of ['localhost', 'localhost']) isIP(name);
  }

  /** Returns the route to a URL's host. */
  for(url: URL): Route {
    const known = this.#routes.get(url.origin);
    if (known !== undefined) return known;
    const route = this.#find(url);
    this.#routes.set(url.origin, route);
    return route;
  }

  /** Returns a source that gives one agent for all URLs. Names are resolved here. */
  only(agent: Agent): AgentSource {
    return { for: () => ({ agent, proxy: '' }), doubt: (hostname, address) => this.doubt(hostname, address) };
  }

  /** Opens a connection to a URL's host, ahead of a request, if none is in use and there is no proxy. */
  prepare(url: string): void {
    const target = new URL(url);
    const { agent } = this.for(target);
    if (agent === this.#https) this.#https.prepare(targetOf(target));
  }

  doubt(hostname: string, address: string | undefined): void {
    this.#lookups.doubt(hostname, address);
  }

  /** Records that a host gave `owner` a value or a token; see `Lookups`. */
  claim(host: string, owner: string): void {
    this.#lookups.claim(host, owner);
  }

  close(): void {
    this.#http.destroy();
    this.#https?.destroy();
    for (const agent of this.#proxied.values()) agent.destroy();
  }

  #find({ protocol, hostname, href }: URL): Route {
    if (protocol === 'http:') return { agent: this.#http, proxy: '' };
    const proxy = proxyFor(hostname, href);
    if (proxy === '') {
      this.#https ??= new BoundedHttpsAgent(this.#options());
      return { agent: this.#https, proxy };
    }
    const known = this.#proxied.get(proxy);
    const agent = known ?? new TunnelAgent(proxy, this.#options());
    if (known === undefined) this.#proxied.set(proxy, agent);
    return { agent, proxy: new URL(proxy).host };
  }

  #options(): BoundedAgentOptions {
    if (this.#secureContext === undefined) {
      const trust = this.#trust;
      this.#secureContext = tls.createSecureContext(
        trust.length === 0 ? {} : { ca: [...tls.rootCertificates, ...trust] },
      );
      // OpenSSL has them now; the texts need as much memory again.
      this.#trust = [];
    }
    return {
      ...SHARED,
      connectTimeoutMs: this.#connectTimeoutMs,
      lookup: this.lookup,
      pending: this.pending,
      secureContext: this.#secureContext,
    };
  }
}

/**
 * Returns the proxy of the environment. As in Go, a name in `NO_PROXY` includes its subdomains, and a proxy without a
 * scheme is one without TLS. Empty: none. Tests call it too.
 */
export function proxyFor(hostname: string, url: string): string {
  if (NEVER_PROXIED.test(hostname)) return '';
  const proxy = getProxyForUrl(url);
  const labels = hostname.split('.');
  const excepted = labels.some(
    (_, index) => index > 0 && getProxyForUrl(`https://${labels.slice(index).join('.')}/`) === '',
  );
  if (excepted || proxy === '') return '';
  // A proxy without a scheme gets that of the request.
  if (!url.startsWith('https:')) return proxy;
  const { env } = process;
  const named = env.https_proxy || env.HTTPS_PROXY || env.all_proxy || env.ALL_PROXY;
  return named === undefined || named.includes('://') ? proxy : `http://${named}`;
}
