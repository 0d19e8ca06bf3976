/**
 * Puts the mount pipeline and the Azure client together. `serve`, `mount --direct` and `check --fetch` call it.
 */

import { connectAzure } from '../azure/azure.ts';
import { CloudFiles } from '../azure/cloud-files.ts';
import { readTrust } from '../azure/http/trust.ts';
import { CLUSTER_CA_FILE } from '../azure/login/token-proxy.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import { Sweeper } from '../base/sweeper.ts';
import type { Telemetry } from '../base/telemetry.ts';
import type { MountHandler } from '../mount/handler.ts';
import { createMount } from '../mount/mount.ts';
import { warmUp } from '../mount/warm-up.ts';
import type { ReadCloudFile } from '../spc/cloud.ts';
import type { CloudOptions } from './cloud-options.ts';
import type { ServeOptions } from './serve-flags.ts';
import { VERSION } from './version.ts';

/** Settings of the provider, for `serve` and for a single Mount. */
export type ProviderSettings = Omit<ServeOptions, 'endpoint' | 'version' | 'help'>;

/** The surroundings of the provider: its log, metrics, clock and environment. */
export interface ProviderSurroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Logger;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
  /** Default: a new one. The provider sweeps it while it runs. */
  readonly sweeper?: Sweeper;
  /** Called after each sweep that dropped something. */
  readonly swept?: () => void;
}

/** Sets up the provider inside this process. */
export type DirectMount = (cloud: CloudOptions, log: Logger) => Promise<MountHandler>;

/** The provider without its server. */
export interface Provider {
  readonly mount: MountHandler;
  /** Does the work that the first Mount would wait for. It sends no requests. */
  warmUp(): Promise<void>;
  /** From this call on, a Mount that waits two seconds for a name server fails. The others go on. */
  stop(): void;
  close(): Promise<void>;
}

/** The interval of sweeps, and the longest time that an expired entry stays in memory. */
const SWEEP_MS = 10_000;
/** Go's names of processor architectures, as in the official provider's user agent. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386' };

/** Puts the mount pipeline and Azure together. */
export async function createProvider(
  settings: ProviderSettings,
  { env, log, telemetry, clock, sweeper = new Sweeper(clock), swept = () => {} }: ProviderSurroundings,
): Promise<Provider> {
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
      caFile: CLUSTER_CA_FILE,
    },
    cacheTtlMs: settings.cacheTtlMs,
    pinnedCacheTtlMs: settings.pinnedCacheTtlMs,
    telemetry,
    clock,
    sweeper,
  });
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
      telemetry,
      clock,
      sweeper,
      log,
      confidential: proxyPasswords(env),
    }),
    async warmUp() {
      azure.warmUp();
      await warmUp(defaults);
    },
    stop: () => azure.stop(),
    async close() {
      clearInterval(sweeping);
      azure.close();
    },
  };
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
