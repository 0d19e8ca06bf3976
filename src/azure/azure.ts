import type { Clock } from '../base/clock.ts';
import type { Telemetry } from '../base/telemetry.ts';
import { AzureVaults } from './access.ts';
import { Agents, type TrustSources } from './agents.ts';
import { connectionPolicy, metadataPolicy, userAgentPolicy } from './policies.ts';
import { TokenPool } from './token-pool.ts';
import { type TokenProxyOptions, tokenProxyPolicy } from './token-proxy.ts';

/** What the outbound half of the program needs. */
export interface AzureOptions {
  readonly userAgent: string;
  readonly trust: TrustSources;
  readonly tokenProxy: TokenProxyOptions;
  readonly cacheTtlMs: number;
  readonly pinnedCacheTtlMs: number;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
}

/** Azure as Mounts see it. */
export interface Azure {
  readonly vaults: AzureVaults;
  close(): void;
}

/** Connects to Azure: connections, logins and vaults, each shared by all Mounts. Asks nobody anything yet. */
export function connectAzure({ userAgent, trust, tokenProxy, telemetry, clock, ...ttls }: AzureOptions): Azure {
  const agents = new Agents(trust);
  const policies = [connectionPolicy(agents), userAgentPolicy(userAgent)];
  const transport = {
    policies: [metadataPolicy(() => clock.now()), ...policies],
    tokenProxy: tokenProxyPolicy(tokenProxy),
    userAgent,
  };
  const tokens = new TokenPool({ transport, telemetry, clock });
  const vaults = new AzureVaults({ tokens, policies, telemetry, clock, ...ttls });
  return {
    vaults,
    close() {
      vaults.close();
      agents.close();
    },
  };
}
