import { readFileSync } from 'node:fs';
import { connectAzure } from '../azure/azure.ts';
import { CLUSTER_CA_FILE } from '../azure/token-proxy.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { Telemetry } from '../base/telemetry.ts';
import type { MountHandler } from '../mount/call.ts';
import { createMount } from '../mount/mount.ts';
import { warmUp } from '../mount/warm-up.ts';
import type { ParameterDefaults } from '../spc/parameter-reader.ts';
import type { ServeOptions } from './serve-flags.ts';
import { VERSION } from './version.ts';

/** Settings of the provider's work, whether it serves or mounts once. */
export type ProviderSettings = Omit<ServeOptions, 'endpoint' | 'version' | 'help'>;

/** What the provider reports to, and where it lives. */
export interface ProviderSurroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Logger;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
}

/** Sets up the provider inside this process. */
export type DirectMount = (cloudName: string, log: Logger) => Promise<MountHandler>;

/** The provider without its server. */
export interface Provider {
  readonly mount: MountHandler;
  /** Does now what the first Mount would have to wait for; asks nobody anything. */
  warmUp(): Promise<void>;
  close(): Promise<void>;
}

/** Go's names of processor architectures, which the official provider's user agent has. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386' };

/** Puts the mount pipeline and Azure together. */
export function createProvider(
  settings: ProviderSettings,
  { env, log, telemetry, clock }: ProviderSurroundings,
): Provider {
  const azure = connectAzure({
    userAgent: userAgentOf(settings.customUserAgent),
    trust: { certFile: env.SSL_CERT_FILE, certDir: env.SSL_CERT_DIR, extraCaFile: env.NODE_EXTRA_CA_CERTS },
    tokenProxy: { url: settings.tokenProxyUrl, sniName: settings.sniName, caFile: CLUSTER_CA_FILE },
    cacheTtlMs: settings.cacheTtlMs,
    pinnedCacheTtlMs: settings.pinnedCacheTtlMs,
    telemetry,
    clock,
  });
  const defaults = parameterDefaults(settings, env);
  const { certificatePolicy } = settings;
  return {
    mount: createMount({ vaults: azure.vaults, defaults, certificatePolicy, telemetry, clock, log }),
    async warmUp() {
      azure.warmUp();
      await warmUp(defaults);
    },
    close: async () => azure.close(),
  };
}

/** What flags and environment say where a manifest does not. */
export function parameterDefaults(
  { cloudName, orderChain, split }: Pick<ServeOptions, 'cloudName' | 'orderChain' | 'split'>,
  env: ProviderSurroundings['env'],
): ParameterDefaults {
  const readFile = (path: string) => readFileSync(path, 'utf8');
  return { cloudName, cloudFile: env.AZURE_ENVIRONMENT_FILEPATH ?? '', orderChain, split, readFile };
}

function userAgentOf(custom: string): string {
  const arch = ARCHITECTURES[process.arch] ?? process.arch;
  return `csi-secrets-store/${VERSION} (${process.platform}/${arch})${custom === '' ? '' : ` ${custom}`}`;
}
