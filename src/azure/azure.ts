/**
 * Creates the outbound part of the provider: connections, logins and vaults, which all Mounts share. Called once, when
 * the provider starts. Nothing is sent before the first Mount.
 */

import type { Agent } from 'node:https';
import type { HttpClient } from '@azure/core-rest-pipeline';
import type { Clock } from '../base/clock.ts';
import type { ProviderError } from '../base/errors.ts';
import { type Logger, silentLogger } from '../base/log.ts';
import type { Sweeper } from '../base/sweeper.ts';
import type { Telemetry } from '../base/telemetry.ts';
import type { Tracer } from '../base/trace.ts';
import type { AccountReader, ClassReader } from '../mount/ports.ts';
import { ApiServer } from './cluster/api-server.ts';
import { Classes } from './cluster/classes.ts';
import { ServiceAccounts } from './cluster/service-accounts.ts';
import { Agents } from './http/agents.ts';
import { MetadataCache } from './http/metadata-cache.ts';
import { Outages } from './http/outages.ts';
import type { Resolve } from './http/resolver.ts';
import { SilentHosts } from './http/silent-hosts.ts';
import { createTransport } from './http/transport.ts';
import type { DeveloperTokens } from './login/identity-mode.ts';
import { IssuerKeys, type IssuerWitness } from './login/issuer-keys.ts';
import { NMI_HOST } from './login/modes/pod-identity.ts';
import { noOfflineProof } from './login/offline-proof.ts';
import { DOCUMENT_BOUNDS } from './login/openid-documents.ts';
import { TokenPool } from './login/token-pool.ts';
import { TokenProxy, type TokenProxyOptions } from './login/token-proxy.ts';
import { Vouchers } from './login/vouchers.ts';
import { OfflineCache, type OfflineCacheOptions } from './offline-cache.ts';
import { LastKnownGood } from './vault/last-known-good.ts';
import { AzureVaults } from './vault/vaults.ts';

/** Bound of one HTTP request. */
const REQUEST_TIMEOUT_MS = 30_000;
/** Bound of one request to the API server of the cluster. */
const API_SERVER_TIMEOUT_MS = 5_000;
/** Bytes of cached values for one byte of last known values. */
const CACHED_PART = 3 / 8;

/** Settings of the outbound half of the provider. */
export interface AzureOptions {
  readonly userAgent: string;
  /** Certificates to trust beside Node's own: see `readTrust`. */
  readonly trust: readonly string[];
  readonly tokenProxy: TokenProxyOptions;
  /** Directory of the CA and token for the API server, from which SecretProviderClasses are read. Default: none are. */
  readonly serviceAccountDir?: string | undefined;
  /** The same directory, for reading ServiceAccounts. Default: none are. */
  readonly accountLookupDir?: string | undefined;
  readonly cacheTtlMs: number;
  readonly pinnedCacheTtlMs: number;
  /** How old a last known value may be that is served while its vault is away, in milliseconds; 0: none is served. */
  readonly maxStaleMs: number;
  /** Bytes of last known values that are kept; values that are cached take three eighths as much. Default: 8 MiB. */
  readonly keptBytes?: number | undefined;
  /** Service-account tokens are verified by the keys of their issuer while the login service is away. */
  readonly verifyTokensOffline: boolean;
  /** Where last known values are kept for a restart. Default: nowhere. */
  readonly offlineCache?: OfflineCacheOptions | undefined;
  /** Gets tokens of the person who runs a command. Default: there are none. */
  readonly developer?: DeveloperTokens | undefined;
  readonly telemetry: Telemetry;
  /** Makes spans of reads and requests. Default: there are none. */
  readonly tracer?: Tracer | undefined;
  /** Default: none. */
  readonly log?: Logger;
  readonly clock: Clock;
  /** Drops expired values, tokens and metadata from memory. */
  readonly sweeper: Sweeper;
  /** Bound of one HTTP request, in milliseconds. */
  readonly requestTimeoutMs?: number;
  /** How long a request hangs before it is sent a second time, in milliseconds; see `createTransport`. */
  readonly hedgeMs?: number | undefined;
  /** Resolves host names; default: by the files of the system. */
  readonly resolve?: Resolve;
  /** Host and port of pod identity's NMI, if it is not where every node has it. */
  readonly nmiHost?: string;
}

/** Azure as Mounts see it. */
export interface Azure {
  readonly vaults: AzureVaults;
  /** The SecretProviderClasses of the cluster. */
  readonly classes: ClassReader | undefined;
  /** The ServiceAccounts of the cluster. */
  readonly accounts: AccountReader | undefined;
  /** Records that a Mount was answered with last known values, since a host failed with this error. */
  lastKnownServed(cause: ProviderError): void;
  /** Creates what all connections share, which takes about ten milliseconds. Sends nothing. */
  warmUp(): void;
  /** Loads what an earlier process kept for outages. The caller waits for it before the first Mount. */
  restore(): Promise<void>;
  close(): Promise<void>;
}

/** Connects to Azure: connections, logins and vaults, each shared by all Mounts. Sends nothing yet. */
export function connectAzure(options: AzureOptions): Azure {
  const { userAgent, telemetry, tracer, clock, sweeper, cacheTtlMs, pinnedCacheTtlMs } = options;
  const { maxStaleMs, keptBytes, offlineCache, log = silentLogger } = options;
  const { requestTimeoutMs: timeoutMs = REQUEST_TIMEOUT_MS, nmiHost = NMI_HOST, resolve, hedgeMs } = options;
  const line = { userAgent, telemetry, tracer, ...(hedgeMs !== undefined && { hedgeMs }) };
  const agents = new Agents(options.trust, { sweeper, telemetry, ...(resolve !== undefined && { resolve }) });
  const transport = createTransport({ ...line, agents, timeoutMs });
  const metadata = new MetadataCache(sweeper);
  const transportBy = (agent: Agent, boundMs: number) =>
    createTransport({ ...line, agents: agents.only(agent), timeoutMs: boundMs });
  const proxy = new TokenProxy({ ...options.tokenProxy, lookup: agents.lookup }, (agent) =>
    metadata.clientOf(transportBy(agent, timeoutMs)),
  );
  const silent = new SilentHosts(sweeper);
  const outages = new Outages(sweeper, log);
  const offline = new OfflineCache();
  const issuers = issuerKeys(options, agents, offline.issuers);
  const known = new LastKnownGood({ sweeper, maxStaleMs, maxBytes: keptBytes, witness: offline.values });
  const offlineProof = issuers ?? noOfflineProof;
  const vouchers = new Vouchers({ sweeper, offlineProof, maxStaleMs, witness: offline.principals });
  const claim = (host: string, owner: string) => agents.claim(host, owner);
  const shared = { silent, outages, claim, telemetry, clock, sweeper };
  const tokens = new TokenPool({
    ...shared,
    transport: {
      client: metadata.clientOf(transport),
      tokenProxy: () => proxy.client(),
      tokenProxyHost: proxy.host,
      nmiHost,
      clock,
      developer: options.developer,
    },
    vouchers,
  });
  const vaults = new AzureVaults({
    ...shared,
    tokens,
    known,
    cacheBytes: keptBytes === undefined ? undefined : CACHED_PART * keptBytes,
    transport,
    traced: tracer !== undefined,
    prepare: (url) => agents.prepare(url),
    holdBack: (url) => agents.pending.holdBack(url),
    cacheTtlMs,
    pinnedCacheTtlMs,
  });
  return {
    vaults,
    ...clusterOf(options, agents, (agent) => transportBy(agent, API_SERVER_TIMEOUT_MS)),
    lastKnownServed: (cause) => outages.served(cause),
    warmUp: () => agents.warmUp(),
    async restore() {
      if (offlineCache === undefined) return;
      const readers = { values: known, principals: vouchers, issuers };
      await offline.open(offlineCache, { maxStaleMs, clock, sweeper, log, telemetry }, readers);
    },
    async close() {
      agents.close();
      await offline.close();
    },
  };
}

/** Returns the keys of issuers, or undefined if there are no last known values for them to open. */
function issuerKeys(options: AzureOptions, agents: Agents, witness: IssuerWitness): IssuerKeys | undefined {
  const { userAgent, sweeper, maxStaleMs, verifyTokensOffline, log = silentLogger } = options;
  if (!verifyTokensOffline || maxStaleMs <= 0) return undefined;
  const client = createTransport({ agents, userAgent, ...DOCUMENT_BOUNDS });
  return new IssuerKeys({ client, log, sweeper, maxStaleMs, witness });
}

/** Returns the readers of what the cluster says; undefined for what is not read. */
function clusterOf(
  { serviceAccountDir, accountLookupDir, tokenProxy, sweeper, log = silentLogger }: AzureOptions,
  { lookup }: Agents,
  transportBy: (agent: Agent) => HttpClient,
): Pick<Azure, 'classes' | 'accounts'> {
  const serverBy = (dir: string) =>
    new ApiServer({ address: tokenProxy.apiServer, serviceAccountDir: dir, lookup, transportBy });
  const options = { sweeper, log };
  return {
    classes: serviceAccountDir === undefined ? undefined : new Classes(serverBy(serviceAccountDir), options),
    accounts: accountLookupDir === undefined ? undefined : new ServiceAccounts(serverBy(accountLookupDir), options),
  };
}
