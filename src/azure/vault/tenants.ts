/**
 * Learns the tenant that a vault trusts from the challenge with which it refuses a request without a token. `AzureVaults`
 * calls it for volumes that name no tenant. Sends nothing to the host that a challenge names, and refuses a challenge
 * whose host is not the login host of the cloud.
 */

import { ProviderError } from '../../base/errors.ts';
import { isGuid } from '../../base/guid.ts';
import { SingleFlight } from '../../base/single-flight.ts';
import type { Telemetry } from '../../base/telemetry.ts';
import { clip, quote } from '../../base/words.ts';
import type { FetchContext } from '../../mount/ports.ts';
import type { Cloud } from '../../spc/cloud.ts';
import { isHeldBack } from '../http/held-back.ts';
import type { SilentHosts } from '../http/silent-hosts.ts';
import { FaultPauses } from './fault-pauses.ts';
import { awaitShared } from './shared-answer.ts';
import { describeQuestion, type VaultQuestion, vaultError } from './vault-error.ts';
import type { Authority, VaultHost } from './vault-session.ts';

/** Parts of {@link Tenants}. */
export interface TenantsOptions {
  readonly silent: SilentHosts;
  readonly telemetry: Pick<Telemetry, 'vaultAsked' | 'vaultRetry'>;
}

/** A vault whose tenant is asked for. */
export interface TenantPlace {
  readonly host: VaultHost;
  readonly vaultName: string;
  readonly cloud: Pick<Cloud, 'authorityHost' | 'name'>;
}

/** What stands in the place of a tenant where the login service of a custom cloud is AD FS. */
const ADFS = 'adfs';
/** The name of the request at the gate. No object has it. */
const REQUEST = 'tenant';

/** The tenants of vaults. Each is kept with its vault, and asked for once for all Mounts that need it. */
export class Tenants {
  readonly #options: TenantsOptions;
  readonly #flights = new SingleFlight<Authority>();

  constructor(options: TenantsOptions) {
    this.#options = options;
  }

  /**
   * Returns the ID of the tenant that the vault trusts.
   * Throws: ERR_AUTHENTICATION if the challenge names another login host than the cloud's, or no tenant; see `vaultError`
   * for a vault that gives no challenge; the reason of the Mount's signal.
   */
  async learn(place: TenantPlace, context: FetchContext): Promise<string> {
    const { host, vaultName, cloud } = place;
    const { host: hostName } = new URL(host.url);
    const question = { ...QUESTION, vaultName, host: hostName };
    try {
      host.trusted ??= await awaitShared(context, {
        question: { phase: 'vault', host: hostName, request: REQUEST, failed: () => describeQuestion(question) },
        gate: host.gate,
        silent: this.#options.silent,
        join: () => this.#flights.join(host.url, (signal) => this.#ask(place, context.mountId, signal), context.span),
      });
    } catch (error) {
      throw context.signal.aborted ? context.signal.reason : withRemedy(vaultError(question, error));
    }
    const { trusted } = host;
    const problem = authorityProblem(trusted, cloud);
    if (problem === undefined) return trusted.tenantId;
    // The next Mount asks again.
    host.trusted = undefined;
    throw withRemedy(
      new ProviderError('ERR_AUTHENTICATION', `${describeQuestion(question)}: ${problem}`, {
        details: { httpStatus: 401, host: hostName, phase: 'vault' },
      }),
    );
  }

  /** Sends the request when its turn comes, and again after faults. Returns whom the vault trusts. */
  async #ask({ host, vaultName }: TenantPlace, mountId: number, signal: AbortSignal): Promise<Authority> {
    const { gate, client } = host;
    const { telemetry } = this.#options;
    const request = gate.enter(REQUEST, mountId);
    const faults = new FaultPauses({ vaultName, telemetry, signal });
    telemetry.vaultAsked(vaultName);
    try {
      for (;;) {
        try {
          const { loginOrigin, tenantId } = await gate.pass(request, signal, () => client.challenge(signal));
          return { loginOrigin, tenantId };
        } catch (error) {
          signal.throwIfAborted();
          if (!isHeldBack(error)) await faults.after(error);
        }
      }
    } finally {
      gate.leave(request);
    }
  }
}

const QUESTION = {
  type: 'secret',
  name: '',
  version: '',
  operation: 'learn the tenant of',
  identity: 'a request without a token',
} as const satisfies Partial<VaultQuestion>;

/** Returns why the login cannot be at the authority of a challenge, or undefined. */
function authorityProblem(
  { loginOrigin, tenantId }: Authority,
  { authorityHost, name }: TenantPlace['cloud'],
): string | undefined {
  const own = new URL(authorityHost).origin;
  if (loginOrigin === '') return 'its answer names no login host; check proxies between node and vault';
  if (loginOrigin !== own)
    return `it names the login host ${clip(loginOrigin)}, and that of cloud ${name} is ${own}; nothing was sent there; check cloudName`;
  return isGuid(tenantId) || tenantId === ADFS
    ? undefined
    : `it names ${quote(tenantId)}, which is not the ID of a tenant`;
}

/** Returns an error in the official provider's words for a missing tenant, with the remedy that needs no learning. */
function withRemedy(error: ProviderError): ProviderError {
  const { code, details, cause } = error;
  const remedy = 'or name the tenant (tenantID, or keyVault.vault.directoryId)';
  const message = `failed to mount objects, error: tenantId is not provided: ${error.message}; ${remedy}`;
  return new ProviderError(code, message, { details, cause });
}
