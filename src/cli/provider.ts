/**
 * Puts the mount pipeline and the Azure client together. `serve`, `mount --direct` and `check --fetch` call it.
 */

import { connectAzure } from '../azure/azure.ts';
import { CloudFiles } from '../azure/cloud-files.ts';
import { caFileIn, SERVICE_ACCOUNT_DIR } from '../azure/cluster/service-account.ts';
import { readTrust } from '../azure/http/trust.ts';
import type { DeveloperTokens } from '../azure/login/identity-mode.ts';
import type { OfflineCacheOptions } from '../azure/offline-cache.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { MemoryBudget } from '../base/memory-budget.ts';
import { Sweeper } from '../base/sweeper.ts';
import type { Telemetry } from '../base/telemetry.ts';
import type { Tracer } from '../base/trace.ts';
import type { MountHandler } from '../mount/handler.ts';
import { createMount } from '../mount/mount.ts';
import type { ReadCloudFile } from '../spc/cloud.ts';
import type { DeveloperLogin } from '../spc/identities/developer.ts';
import { IDENTITY_ROWS } from '../spc/identities/table.ts';
import { GUARDED_NAMES, isAllowed } from '../spc/overrides.ts';
import { keptBytes } from './budget-size.ts';
import type { CloudOptions } from './cloud-options.ts';
import type { ServeOptions } from './serve-flags.ts';
import { VERSION } from './version.ts';

/** Settings of the provider, for `serve` and for a single Mount. */
export type ProviderSettings = Omit<
  ServeOptions,
  'endpoint' | 'version' | 'help' | 'offlineCacheDir' | 'offlineCacheKeyFile'
>;

/** The surroundings of the provider: its log, metrics, clock and environment. */
export interface ProviderSurroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Logger;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
  /** Default: a new one. The provider sweeps it while it runs. */
  readonly sweeper?: Sweeper;
  /** The memory of all Mounts under way. Default: one without limit. */
  readonly memory?: MemoryBudget | undefined;
  /** Called after each sweep that dropped something. */
  readonly swept?: () => void;
  /** Makes spans of Mounts. Default: there are none. */
  readonly tracer?: Tracer | undefined;
  /** Where last known values are kept for a restart; undefined: nowhere. */
  readonly offlineCache?: OfflineCacheOptions | undefined;
  /** The login of the person who runs a command, in place of the identities of classes. Default: none. */
  readonly developer?: { readonly login: DeveloperLogin; readonly tokens: DeveloperTokens } | undefined;
  /** Directory of the CA and token for the API server of the cluster. Default: that of every pod. */
  readonly serviceAccountDir?: string;
}

/** The options of a command that mounts in its own process. */
export interface DirectOptions extends CloudOptions {
  /** See {@link ProviderSurroundings.developer}. */
  readonly login?: DeveloperLogin | undefined;
}

/** Sets up the provider inside this process. */
export type DirectMount = (options: DirectOptions, log: Logger) => Promise<MountHandler>;

/** The provider without its server. */
export interface Provider {
  readonly mount: MountHandler;
  /** Does the work that the first Mount would wait for. It sends no requests. */
  warmUp(): void;
  close(): Promise<void>;
}

/** The interval of sweeps, and the longest time that an expired entry stays in memory. */
const SWEEP_MS = 10_000;
/** Go's names of processor architectures, as in the official provider's user agent. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386' };

/** Puts the mount pipeline and Azure together. */
export async function createProvider(
  settings: ProviderSettings,
  surroundings: ProviderSurroundings,
): Promise<Provider> {
  const { env, log, telemetry, clock, sweeper = new Sweeper(clock) } = surroundings;
  const { serviceAccountDir = SERVICE_ACCOUNT_DIR, swept = () => {}, offlineCache } = surroundings;
  const { identityModes: servedModes, allowVolumeAttributes: allowed } = settings;
  const azure = connectAzure({
    userAgent: userAgentOf(settings.customUserAgent),
    trust: await readTrust({
      certFile: env.SSL_CERT_FILE,
      certDir: env.SSL_CERT_DIR,
      extraCaFile: env.NODE_EXTRA_CA_CERTS,
    }),
    tokenProxy: {
      url: settings.tokenProxyUrl,
      sniName: settings.sniName,
      apiServer: { host: env.KUBERNETES_SERVICE_HOST ?? '', port: env.KUBERNETES_SERVICE_PORT ?? '' },
      caFile: caFileIn(serviceAccountDir),
    },
    serviceAccountDir: checksOverrides(settings, surroundings) ? serviceAccountDir : undefined,
    accountLookupDir: looksUpAccounts(settings, surroundings) ? serviceAccountDir : undefined,
    cacheTtlMs: settings.cacheTtlMs,
    pinnedCacheTtlMs: settings.pinnedCacheTtlMs,
    maxStaleMs: settings.maxStaleMs,
    keptBytes: keptBytes(surroundings.memory?.figures.limit),
    verifyTokensOffline: settings.verifyTokensOffline,
    offlineCache,
    developer: surroundings.developer?.tokens,
    telemetry,
    tracer: surroundings.tracer,
    log,
    clock,
    sweeper,
  });
  await azure.restore();
  const { cloudName, orderChain, split, certificatePolicy } = settings;
  const defaults = { cloudName, orderChain, split };
  const readCloudFile = cloudFilesOf(settings, env);
  const sweeping = setInterval(() => {
    if (sweeper.sweep() > 0) swept();
  }, SWEEP_MS).unref();
  return {
    mount: createMount({
      vaults: azure.vaults,
      defaults,
      readCloudFile,
      certificatePolicy,
      servedModes,
      developer: surroundings.developer?.login,
      overrides: azure.classes === undefined ? undefined : { allowed, classes: azure.classes },
      accounts: azure.accounts,
      telemetry,
      lastKnownServed: (cause) => azure.lastKnownServed(cause),
      clock,
      sweeper,
      budget: surroundings.memory,
      log,
      confidential: proxyPasswords(env),
    }),
    warmUp: () => azure.warmUp(),
    async close() {
      clearInterval(sweeping);
      await azure.close();
    },
  };
}

/**
 * Returns true if Mounts read their classes to find out what pods change: the node's own identity is served, pods may not
 * change every parameter, and there is a cluster. The kubelet gives every pod the address of the API server.
 */
function checksOverrides(
  { identityModes, allowVolumeAttributes }: ProviderSettings,
  { env, log }: Pick<ProviderSurroundings, 'env' | 'log'>,
): boolean {
  const servesNode = Object.values(IDENTITY_ROWS).some(
    ({ ofNode, kinds }) => ofNode && kinds.some((kind) => identityModes.includes(kind)),
  );
  if (!servesNode || GUARDED_NAMES.every((name) => isAllowed(name, allowVolumeAttributes))) return false;
  if ((env.KUBERNETES_SERVICE_HOST ?? '') !== '') return true;
  log.info('Pods can change every parameter, because KUBERNETES_SERVICE_HOST is not set: this is no pod of a cluster');
  return false;
}

/** Returns true if client IDs are looked up: the operator switched it on, and there is a cluster. */
function looksUpAccounts(
  { serviceAccountLookup }: ProviderSettings,
  { env, log }: Pick<ProviderSurroundings, 'env' | 'log'>,
): boolean {
  if (!serviceAccountLookup || (env.KUBERNETES_SERVICE_HOST ?? '') !== '') return serviceAccountLookup;
  log.warn('No client ID is looked up, because KUBERNETES_SERVICE_HOST is not set: this is no pod of a cluster');
  return false;
}

/** Returns the reader of custom cloud files; see {@link CloudFiles}. */
export function cloudFilesOf(
  { cloudFileDir }: Pick<ServeOptions, 'cloudFileDir'>,
  { AZURE_ENVIRONMENT_FILEPATH: ownFile = '' }: ProviderSurroundings['env'],
): ReadCloudFile {
  const files = new CloudFiles({ directory: cloudFileDir, ownFile });
  return (name) => files.read(name);
}

/** Returns the passwords in the proxy URLs of the environment. */
function proxyPasswords(env: ProviderSurroundings['env']): readonly string[] {
  const proxies = Object.entries(env).filter(([name]) => /^(https?|all)_proxy$/i.test(name));
  return proxies.flatMap(([, url = '']) => {
    const { password } = URL.canParse(url) ? new URL(url) : { password: '' };
    return [password, decodeURIComponentOf(password)];
  });
}

function decodeURIComponentOf(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function userAgentOf(custom: string): string {
  const arch = ARCHITECTURES[process.arch] ?? process.arch;
  return `csi-secrets-store/${VERSION} (${process.platform}/${arch})${custom === '' ? '' : ` ${custom}`}`;
}
