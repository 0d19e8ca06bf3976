/**
 * Puts the outbound half of the provider together: connections, logins and vaults, each shared by all Mounts. The provider
 * makes it once, when it starts. Nothing is sent before the first Mount.
 */

import type { Clock } from '../base/clock.ts';
import type { Sweeper } from '../base/sweeper.ts';
import type { Telemetry } from '../base/telemetry.ts';
import { Agents } from './http/agents.ts';
import { MetadataCache } from './http/metadata-cache.ts';
import { SilentHosts } from './http/silent-hosts.ts';
import { createTransport } from './http/transport.ts';
import { NMI_HOST } from './login/modes/pod-identity.ts';
import { TokenPool } from './login/token-pool.ts';
import { TokenProxy, type TokenProxyOptions } from './login/token-proxy.ts';
import { AzureVaults } from './vault/vaults.ts';

/** Bound of one HTTP request. */
const REQUEST_TIMEOUT_MS = 30_000;

/** Settings of the outbound half of the provider. */
export interface AzureOptions {
  readonly userAgent: string;
  /** Certificates to trust beside Node's own: see `readTrust`. */
  readonly trust: readonly string[];
  readonly tokenProxy: TokenProxyOptions;
  readonly cacheTtlMs: number;
  readonly pinnedCacheTtlMs: number;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
  /** Drops expired values, tokens and metadata from memory. */
  readonly sweeper: Sweeper;
  /** Bound of one HTTP request, in milliseconds. */
  readonly requestTimeoutMs?: number;
  /** Host and port of pod identity's NMI, if it is not where every node has it. */
  readonly nmiHost?: string;
}

/** Azure as Mounts see it. */
export interface Azure {
  readonly vaults: AzureVaults;
  /** Makes what all connections share, which takes about ten milliseconds. Sends nothing. */
  warmUp(): void;
  /** From now on a request fails that waits two seconds for a name server; the others go on. */
  stop(): void;
  close(): void;
}

/** Connects to Azure: connections, logins and vaults, each shared by all Mounts. Sends nothing yet. */
export function connectAzure(options: AzureOptions): Azure {
  const { userAgent, telemetry, clock, sweeper, cacheTtlMs, pinnedCacheTtlMs } = options;
  const { requestTimeoutMs: timeoutMs = REQUEST_TIMEOUT_MS, nmiHost = NMI_HOST } = options;
  const agents = new Agents(options.trust);
  const transport = createTransport({ agents, userAgent, timeoutMs });
  const metadata = new MetadataCache(sweeper);
  const proxy = new TokenProxy({ ...options.tokenProxy, lookup: agents.lookup }, (agent) =>
    metadata.clientOf(createTransport({ agents: { for: () => ({ agent, proxy: '' }) }, userAgent, timeoutMs })),
  );
  const silent = new SilentHosts(sweeper);
  const tokens = new TokenPool({
    transport: {
      client: metadata.clientOf(transport),
      tokenProxy: () => proxy.client(),
      tokenProxyHost: proxy.host,
      nmiHost,
      clock,
    },
    silent,
    telemetry,
    clock,
    sweeper,
  });
  const vaults = new AzureVaults({
    tokens,
    silent,
    transport,
    prepare: (url) => agents.prepare(url),
    holdBack: (url) => agents.pending.holdBack(url),
    telemetry,
    clock,
    sweeper,
    cacheTtlMs,
    pinnedCacheTtlMs,
  });
  return {
    vaults,
    warmUp: () => agents.warmUp(),
    stop: () => agents.stopLookups(),
    close() {
      agents.close();
    },
  };
}
