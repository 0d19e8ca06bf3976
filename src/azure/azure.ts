/**
 * Puts the outbound half of the provider together: connections, logins and vaults, each shared by all Mounts. The provider
 * makes it once, when it starts. Nothing is sent before the first Mount.
 */

import type { Agent } from 'node:https';
import type { Clock } from '../base/clock.ts';
import { type Logger, silentLogger } from '../base/log.ts';
import type { Sweeper } from '../base/sweeper.ts';
import type { Telemetry } from '../base/telemetry.ts';
import type { ClassReader } from '../mount/ports.ts';
import { ApiServer } from './cluster/api-server.ts';
import { Classes } from './cluster/classes.ts';
import { Agents } from './http/agents.ts';
import { MetadataCache } from './http/metadata-cache.ts';
import { Outages } from './http/outages.ts';
import type { Resolve } from './http/resolver.ts';
import { SilentHosts } from './http/silent-hosts.ts';
import { createTransport } from './http/transport.ts';
import { IssuerKeys, type IssuerWitness } from './login/issuer-keys.ts';
import { NMI_HOST } from './login/modes/pod-identity.ts';
import { noOfflineProof } from './login/offline-proof.ts';
import { DOCUMENT_BOUNDS } from './login/openid-documents.ts';
import { TokenPool } from './login/token-pool.ts';
import { TokenProxy, type TokenProxyOptions } from './login/token-proxy.ts';
import { Vouchers } from './login/vouchers.ts';
import { type KnownWitness, LastKnownGood } from './vault/last-known-good.ts';
import { AzureVaults } from './vault/vaults.ts';

/** Bound of one HTTP request. */
const REQUEST_TIMEOUT_MS = 30_000;

/** Bound of one request to the API server of the cluster. */
const API_SERVER_TIMEOUT_MS = 5_000;

/** Settings of the outbound half of the provider. */
export interface AzureOptions {
  readonly userAgent: string;
  /** Certificates to trust beside Node's own: see `readTrust`. */
  readonly trust: readonly string[];
  readonly tokenProxy: TokenProxyOptions;
  /** Directory of the CA and token for the API server, from which SecretProviderClasses are read. Default: none are. */
  readonly serviceAccountDir?: string | undefined;
  readonly cacheTtlMs: number;
  readonly pinnedCacheTtlMs: number;
  /** How old a value may be that stands in for a vault that is away, in milliseconds; 0: none does. */
  readonly maxStaleMs: number;
  /** Service-account tokens are verified by the keys of their issuer while the login service is away. */
  readonly verifyTokensOffline: boolean;
  /** Is told which values are kept and erased. Default: nobody is. */
  readonly witness?: KnownWitness;
  /** Is told which keys of issuers were read. Default: nobody is. */
  readonly issuerWitness?: IssuerWitness;
  readonly telemetry: Telemetry;
  /** Default: none. */
  readonly log?: Logger;
  readonly clock: Clock;
  /** Drops expired values, tokens and metadata from memory. */
  readonly sweeper: Sweeper;
  /** Bound of one HTTP request, in milliseconds. */
  readonly requestTimeoutMs?: number;
  /** Resolves host names; default: by the files of the system. */
  readonly resolve?: Resolve;
  /** Host and port of pod identity's NMI, if it is not where every node has it. */
  readonly nmiHost?: string;
}

/** Azure as Mounts see it. */
export interface Azure {
  readonly vaults: AzureVaults;
  /** The last known values; the values of an earlier process are loaded into it. */
  readonly known: LastKnownGood;
  /** The keys of issuers; those of an earlier process are loaded into it. Undefined: tokens are not verified offline. */
  readonly issuers: IssuerKeys | undefined;
  /** The SecretProviderClasses of the cluster. */
  readonly classes: ClassReader | undefined;
  /** Makes what all connections share, which takes about ten milliseconds. Sends nothing. */
  warmUp(): void;
  /** From now on a request fails that waits two seconds for a name server; the others go on. */
  stop(): void;
  close(): void;
}

/** Connects to Azure: connections, logins and vaults, each shared by all Mounts. Sends nothing yet. */
export function connectAzure(options: AzureOptions): Azure {
  const { userAgent, telemetry, clock, sweeper, cacheTtlMs, pinnedCacheTtlMs } = options;
  const { maxStaleMs, witness, log = silentLogger } = options;
  const { requestTimeoutMs: timeoutMs = REQUEST_TIMEOUT_MS, nmiHost = NMI_HOST, resolve } = options;
  const agents = new Agents(options.trust, { sweeper, telemetry, ...(resolve !== undefined && { resolve }) });
  const transport = createTransport({ agents, userAgent, timeoutMs, telemetry });
  const metadata = new MetadataCache(sweeper);
  const transportBy = (agent: Agent, boundMs: number) =>
    createTransport({ agents: agents.only(agent), userAgent, timeoutMs: boundMs, telemetry });
  const proxy = new TokenProxy({ ...options.tokenProxy, lookup: agents.lookup }, (agent) =>
    metadata.clientOf(transportBy(agent, timeoutMs)),
  );
  const silent = new SilentHosts(sweeper);
  const outages = new Outages(sweeper);
  const issuers = issuerKeys(options, agents);
  const known = new LastKnownGood({ sweeper, maxStaleMs, ...(witness === undefined ? {} : { witness }) });
  const tokens = new TokenPool({
    transport: {
      client: metadata.clientOf(transport),
      tokenProxy: () => proxy.client(),
      tokenProxyHost: proxy.host,
      nmiHost,
      clock,
    },
    silent,
    outages,
    vouchers: new Vouchers({ sweeper, offlineProof: issuers ?? noOfflineProof, maxStaleMs }),
    telemetry,
    clock,
    sweeper,
  });
  const vaults = new AzureVaults({
    tokens,
    silent,
    outages,
    known,
    transport,
    prepare: (url) => agents.prepare(url),
    holdBack: (url) => agents.pending.holdBack(url),
    telemetry,
    clock,
    sweeper,
    cacheTtlMs,
    pinnedCacheTtlMs,
  });
  const { serviceAccountDir, tokenProxy } = options;
  const apiServer = (directory: string) =>
    new ApiServer({
      address: tokenProxy.apiServer,
      serviceAccountDir: directory,
      lookup: agents.lookup,
      transportBy: (agent) => transportBy(agent, API_SERVER_TIMEOUT_MS),
    });
  return {
    vaults,
    known,
    issuers,
    classes: serviceAccountDir === undefined ? undefined : new Classes(apiServer(serviceAccountDir), { sweeper, log }),
    warmUp: () => agents.warmUp(),
    stop: () => agents.stopLookups(),
    close() {
      agents.close();
    },
  };
}

/** The keys of issuers; undefined if there are no last known values for them to open. */
function issuerKeys(options: AzureOptions, agents: Agents): IssuerKeys | undefined {
  const { userAgent, sweeper, maxStaleMs, verifyTokensOffline, issuerWitness: witness, log = silentLogger } = options;
  if (!verifyTokensOffline || maxStaleMs <= 0) return undefined;
  const client = createTransport({ agents, userAgent, ...DOCUMENT_BOUNDS });
  return new IssuerKeys({ client, log, sweeper, maxStaleMs, ...(witness === undefined ? {} : { witness }) });
}
