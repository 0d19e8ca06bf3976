import type { PipelinePolicy } from '@azure/core-rest-pipeline';
import type { Clock } from '../base/clock.ts';
import { SingleFlight } from '../base/single-flight.ts';
import type { Telemetry } from '../base/telemetry.ts';
import type {
  FetchContext,
  FetchedObject,
  ListedVersion,
  ObjectRef,
  VaultAccess,
  VaultReader,
} from '../mount/ports.ts';
import type { VolumeSpec } from '../spc/model.ts';
import { challengePolicy } from './challenge.ts';
import { VaultGate } from './gate.ts';
import { loginHost, loginPhase } from './login.ts';
import { outcomeOf } from './outcome.ts';
import { persist, type VaultCall } from './persist.ts';
import { describeIdentity, principalKey } from './principal.ts';
import type { TokenPool } from './token-pool.ts';
import { ValueCache } from './value-cache.ts';
import { type RawBodies, VaultClients } from './vault.ts';
import { type VaultQuestion, vaultError } from './vault-error.ts';
import { fetchedFromWire, listedFromWire } from './wire.ts';

/** Vaults whose clients are kept; the one not used for longest goes first. */
const MAX_VAULTS = 200;
/** How often values past their time are dropped. */
const SWEEP_MS = 60_000;
/** What an entry costs besides its JSON. */
const ENTRY_BYTES = 500;

/** What {@link AzureVaults} works with. */
export interface AzureVaultsOptions {
  readonly tokens: TokenPool;
  /** Connections, user agent: what every request needs. */
  readonly policies: readonly PipelinePolicy[];
  /** How long a current version answers repeats, in milliseconds; 0: never. */
  readonly cacheTtlMs: number;
  /** The same for versions that the manifest names. */
  readonly pinnedCacheTtlMs: number;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
}

type Volume = Parameters<VaultAccess['open']>[0];

/** What all identities share of one vault. */
export interface VaultHost {
  readonly clients: VaultClients;
  readonly gate: VaultGate;
  /** Resource its tokens are for: the cloud's, until the vault's challenge names another. */
  resource: string;
}

/** Key Vault through the Azure SDK: one login a principal, one gate a vault, one request for equal reads at a time. */
export class AzureVaults implements VaultAccess {
  readonly #options: AzureVaultsOptions;
  readonly #hosts = new Map<string, VaultHost>();
  readonly #reads = new SingleFlight<readonly unknown[]>();
  readonly #cache: ValueCache<readonly unknown[]>;
  readonly #sweeper: NodeJS.Timeout;

  constructor(options: AzureVaultsOptions) {
    this.#options = options;
    this.#cache = new ValueCache(options.clock);
    this.#sweeper = setInterval(() => this.#cache.sweep(), SWEEP_MS).unref();
  }

  close(): void {
    clearInterval(this.#sweeper);
  }

  open(volume: Volume): VaultReader {
    const host = this.#host(volume);
    const principal = principalKey(volume.identity, volume.cloud);
    return {
      get: (ref, context) => this.#get({ volume, host, principal, context }, ref),
      listVersions: (ref, context) => this.#list({ volume, host, principal, context }, ref),
    };
  }

  async #get(session: Session, ref: ObjectRef): Promise<FetchedObject> {
    return this.#measured(session, { ...ref, operation: 'read' }, async () => {
      const ttlMs = ref.version === '' ? this.#options.cacheTtlMs : this.#options.pinnedCacheTtlMs;
      const [body] = await this.#read(
        session,
        { key: `${ref.type}/${ref.name}/${ref.version}`, ttlMs },
        async (options) => [await session.host.clients.get(ref, options)],
      );
      return fetchedFromWire(ref, body);
    });
  }

  async #list(session: Session, { type, name }: Omit<ObjectRef, 'version'>): Promise<readonly ListedVersion[]> {
    return this.#measured(session, { type, name, version: '', operation: 'list the versions of' }, async () => {
      const { cacheTtlMs: ttlMs } = this.#options;
      const pages = await this.#read(session, { key: `${type}/${name}/versions`, ttlMs }, (options) =>
        session.host.clients.listVersions(type, name, options),
      );
      return pages.flatMap((page) => listedFromWire(type, page));
    });
  }

  /**
   * What the vault answers, from memory where it was read a moment ago, and one request for all of the same principal
   * who ask at the same time. Each caller proves itself first: without a token of its own nobody gets anything.
   */
  async #read(session: Session, { key, ttlMs }: CacheRule, call: VaultCall<RawBodies>): Promise<RawBodies> {
    const { volume, host, context } = session;
    const { identity, cloud } = volume;
    const { tokens, telemetry, clock } = this.#options;
    const login = { phase: loginPhase(identity), host: loginHost(identity, cloud) };
    const proof = tokens.token({ identity, cloud, resource: host.resource, signal: context.signal });
    await context.progress.during(login, proof);
    const fullKey = JSON.stringify([session.principal, volume.vaultUrl, key]);
    const kept = this.#cache.get(fullKey);
    telemetry.cacheLookup(kept !== undefined ? 'hit' : this.#reads.has(fullKey) ? 'shared' : 'miss');
    if (kept !== undefined) return kept;
    const flight = this.#reads.run(fullKey, context.signal, async (signal) => {
      const bodies = await persist({ volume, host, tokens, telemetry, clock, context: { ...context, signal } }, call);
      this.#cache.set(fullKey, bodies, { ttlMs, bytes: sizeOf(bodies) });
      return bodies;
    });
    const state = () => (host.gate.pauseMs > 0 ? 'the vault answered 429 and is left alone for a while' : '');
    return context.progress.during({ phase: 'vault', host: new URL(volume.vaultUrl).host, state }, flight);
  }

  async #measured<T>(
    { volume }: Session,
    asked: Pick<VaultQuestion, 'type' | 'name' | 'version' | 'operation'>,
    work: () => Promise<T>,
  ): Promise<T> {
    const { telemetry, clock } = this.#options;
    const startedAt = clock.now();
    const report = (error?: unknown) =>
      telemetry.keyVaultRequest(
        asked.type,
        asked.name,
        (clock.now() - startedAt) / 1000,
        error === undefined ? 'ok' : outcomeOf(error),
      );
    try {
      const result = await work();
      report();
      return result;
    } catch (error) {
      const explained = vaultError({ ...asked, ...whereabouts(volume) }, error);
      report(explained);
      throw explained;
    }
  }

  #host({ vaultUrl, cloud }: Volume): VaultHost {
    const known = this.#hosts.get(vaultUrl);
    const host = known ?? {
      clients: new VaultClients(vaultUrl, [...this.#options.policies, challengePolicy]),
      gate: new VaultGate(this.#options.clock),
      resource: cloud.vaultResource,
    };
    this.#hosts.delete(vaultUrl);
    this.#hosts.set(vaultUrl, host);
    for (const [oldest, { gate }] of this.#hosts) {
      if (this.#hosts.size <= MAX_VAULTS) break;
      if (gate.idle) this.#hosts.delete(oldest);
    }
    return host;
  }
}

interface CacheRule {
  readonly key: string;
  readonly ttlMs: number;
}

interface Session {
  readonly volume: Volume;
  readonly host: VaultHost;
  readonly principal: string;
  readonly context: FetchContext;
}

/** Vault and identity of a volume, in the words of an error message. */
export function whereabouts({
  vaultName,
  vaultUrl,
  identity,
}: Pick<VolumeSpec, 'vaultName' | 'vaultUrl' | 'identity'>) {
  return { vaultName, host: new URL(vaultUrl).host, identity: describeIdentity(identity) };
}

function sizeOf(bodies: RawBodies): number {
  return ENTRY_BYTES + JSON.stringify(bodies).length;
}
