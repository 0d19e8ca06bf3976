/**
 * Assembles the emulator: state, services, faults and listeners. Tests, the benchmark and `akv-csi emulator` start it.
 * Refuses a seed that cannot be used.
 */

import type { KeyObject } from 'node:crypto';
import { systemClock, type WallClock } from '../base/clock.ts';
import { type Logger, silentLogger } from '../base/log.ts';
import { type Controls, createControls } from './controls.ts';
import { handleClusterIssuer, issuerAt } from './entra/cluster-issuer.ts';
import { handleEntra } from './entra/entra.ts';
import { APP_SERVICE_PATH, handleManagedIdentity, isPodIdentityPath } from './entra/imds.ts';
import { type ServiceAccountTokenRequest, serviceAccountToken } from './entra/service-account.ts';
import { FaultList, type Faults } from './host/faults.ts';
import { type ListenerParts, listen, type Service, urlHost } from './host/listener.ts';
import { createServerCertificate } from './host/server-certificate.ts';
import type { HttpRequest, ServiceKind } from './http/http.ts';
import { createRequestLog, type RequestLog, type RequestRecord } from './http/request-log.ts';
import { LOGIN_HOST, routeHost, VAULT_SUFFIX } from './http/routing.ts';
import { parseSeed } from './seed/seed.ts';
import { buildWorld } from './seed/seed-world.ts';
import { handleVault } from './vault/vault-api.ts';
import type { World } from './world/model.ts';
import { type Summary, summaryOf } from './world/summary.ts';

/** Delay of the responses of each service, in milliseconds. */
export interface Latency {
  readonly vaultMs?: number | undefined;
  readonly entraMs?: number | undefined;
  readonly imdsMs?: number | undefined;
}

/** Options of {@link startEmulator}. */
export interface EmulatorOptions {
  /** YAML text of the initial state. */
  readonly seed: string;
  /** Port of the HTTPS listener. 0 or absent: a free port. */
  readonly port?: number;
  /** Port of the managed-identity listener. 0 or absent: a free port. */
  readonly imdsPort?: number;
  /** Address to listen on; default 127.0.0.1. */
  readonly host?: string;
  /** Overrides the latency of the seed. */
  readonly latency?: Latency;
  readonly clock?: WallClock;
  readonly log?: Logger;
  /** Called for each request when its response is sent. */
  readonly onRequest?: (record: RequestRecord) => void;
  /** PEM of a CA and its private key, which signs the certificate of the listener. Absent: a new CA. */
  readonly ca?: string;
  /** RSA private key that signs tokens. Absent: a new key. */
  readonly tokenKey?: KeyObject | undefined;
  /** Additional DNS names to serve, such as `*.vault.azure.net` and `login.microsoftonline.com`. */
  readonly hosts?: readonly string[];
}

/** A running emulator. */
export interface Emulator extends Controls {
  /** Port of the HTTPS listener: all vaults and the authority. */
  readonly port: number;
  /** Base URL of the managed-identity listener (IMDS and NMI), without a trailing slash. */
  readonly imdsUrl: string;
  /** Names of the vaults. */
  readonly vaults: readonly string[];
  /** The root certificate that clients must trust. */
  readonly caPem: string;
  /** The root certificate with its private key, for {@link EmulatorOptions.ca} of the next start. */
  readonly caWithKeyPem: string;
  /**
   * Value of `IDENTITY_HEADER` for the App Service form of the managed-identity endpoint; its URL is
   * `identityEndpoint`.
   */
  readonly identityHeader: string;
  readonly identityEndpoint: string;
  /** Authority URL with a trailing slash. */
  readonly authorityHost: string;
  /** JSON text of a custom cloud environment file for the provider. */
  readonly cloudFile: string;
  readonly requests: RequestLog;
  readonly faults: Faults;
  vaultUrl(name: string): string;
  /** Returns the current identities and objects. */
  summary(): Summary;
  /** Returns lines for a hosts file that resolve the emulator's names. */
  hostsLines(): string[];
  setLatency(latency: Latency): void;
  /** `iss` of the tokens that {@link issueServiceAccountToken} makes. */
  readonly serviceAccountIssuer: string;
  /** Issues a service account token as a JWT, for federated credentials. */
  issueServiceAccountToken(request: ServiceAccountTokenRequest): string;
  close(): Promise<void>;
}

/**
 * Starts the emulator in this process: Key Vault and Entra ID on one HTTPS listener, selected by the Host header, and
 * the managed-identity endpoints on one HTTP listener. Throws: ERR_BAD_PARAMETERS for a seed that cannot be used.
 */
export async function startEmulator(options: EmulatorOptions): Promise<Emulator> {
  const { clock = systemClock, log = silentLogger, host = '127.0.0.1', hosts = [] } = options;
  const seed = parseSeed(options.seed);
  // Clients check the certificate of the listener by the machine's clock, not by the clock of the emulated world.
  const [world, certificate] = await Promise.all([
    buildWorld(seed, { clock, hosts, tokenKey: options.tokenKey }),
    createServerCertificate(
      { vaults: seed.vaults.map(({ name }) => name), hosts, listen: host },
      { now: systemClock.wall(), ca: options.ca },
    ),
  ]);
  const faults = new FaultList();
  for (const fault of seed.faults ?? []) faults.add(fault);
  let latency: Latency = { ...seed.latency, ...options.latency };
  const { log: requests, add } = createRequestLog();
  const parts: Omit<ListenerParts, 'route'> = {
    clock,
    log,
    faults,
    latencyMs: (kind) => latencyOf(latency, kind),
    record: (record) => {
      add(record);
      options.onRequest?.(record);
    },
  };
  const tls = await listen({ host, port: options.port ?? 0 }, certificate, { ...parts, route: routeTo(world) });
  world.cluster.issuer = issuerAt(world.cluster.issuer, tls.port);
  const imds = await listen({ host, port: options.imdsPort ?? 0 }, undefined, {
    ...parts,
    route: routeImds(world),
  }).catch(async (error: unknown) => {
    await tls.close();
    throw error;
  });
  return {
    ...createControls(world),
    ...addresses(world, { host, port: tls.port, imdsPort: imds.port }),
    caPem: certificate.caPem,
    caWithKeyPem: certificate.caWithKeyPem,
    identityHeader: world.identityHeader,
    summary: () => summaryOf(world),
    requests,
    faults,
    setLatency: (change) => {
      latency = change;
    },
    serviceAccountIssuer: world.cluster.issuer,
    issueServiceAccountToken: (request) => serviceAccountToken(world, request),
    close: async () => {
      await Promise.all([tls.close(), imds.close()]);
    },
  };
}

type Addresses = Pick<
  Emulator,
  'port' | 'vaults' | 'imdsUrl' | 'identityEndpoint' | 'authorityHost' | 'cloudFile' | 'vaultUrl' | 'hostsLines'
>;

function addresses(world: World, at: { host: string; port: number; imdsPort: number }): Addresses {
  const { host, port } = at;
  const authorityHost = `https://${LOGIN_HOST}:${port}/`;
  const address = { '0.0.0.0': '127.0.0.1', '::': '::1' }[host] ?? host;
  const imdsUrl = `http://${urlHost(address)}:${at.imdsPort}`;
  const vaults = [...world.vaults.keys()];
  const extra = world.hosts.flatMap((name) =>
    name.startsWith('*.vault.') ? vaults.map((vault) => name.replace('*', vault)) : name.startsWith('*') ? [] : [name],
  );
  const cloud = {
    name: 'AzureStackCloud',
    activeDirectoryEndpoint: authorityHost,
    keyVaultEndpoint: `https://${VAULT_SUFFIX}:${port}/`,
    keyVaultDNSSuffix: `${VAULT_SUFFIX}:${port}`,
  };
  return {
    port,
    vaults: [...world.vaults.values()].map(({ name }) => name),
    authorityHost,
    imdsUrl,
    identityEndpoint: `${imdsUrl}${APP_SERVICE_PATH}`,
    cloudFile: `${JSON.stringify(cloud, null, 2)}\n`,
    vaultUrl: (name) => `https://${name}.${VAULT_SUFFIX}:${port}`,
    hostsLines: () =>
      [LOGIN_HOST, ...vaults.map((vault) => `${vault}.${VAULT_SUFFIX}`), ...extra].map((name) => `${address} ${name}`),
  };
}

function routeTo(world: World): (request: HttpRequest) => Service {
  return (request) => {
    const route = routeHost(request.host);
    switch (route.kind) {
      case 'vault':
        return { ...route, handle: (inner) => handleVault(world, route.vault, inner) };
      case 'issuer':
        return { ...route, vault: undefined, handle: (inner) => handleClusterIssuer(world, inner) };
      case 'entra':
        return { ...route, vault: undefined, handle: (inner) => handleEntra(world, inner) };
    }
  };
}

function routeImds(world: World): (request: HttpRequest) => Service {
  return ({ path }) => ({
    kind: isPodIdentityPath(path) ? 'nmi' : 'imds',
    vault: undefined,
    handle: (request) => handleManagedIdentity(world, request),
  });
}

function latencyOf(latency: Latency, kind: ServiceKind): number {
  const { vaultMs: vault, entraMs: entra, imdsMs: imds } = latency;
  const byKind: Partial<Record<ServiceKind, number | undefined>> = { vault, entra, imds, nmi: imds };
  return byKind[kind] ?? 0;
}
