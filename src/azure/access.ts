import { randomUUID } from 'node:crypto';
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
import { loginHost } from './acquire.ts';
import { challengePolicy } from './challenge.ts';
import { VaultGate } from './gate.ts';
import { outcomeOf } from './outcome.ts';
import { persist } from './persist.ts';
import { describeIdentity, principalKey } from './principal.ts';
import type { TokenPool } from './token-pool.ts';
import { VaultClients } from './vault.ts';
import { type VaultQuestion, vaultError } from './vault-error.ts';
import { fetchedFromWire, listedFromWire } from './wire.ts';

/** Vaults whose clients are kept; the one not used for longest goes first. */
const MAX_VAULTS = 200;

/** What {@link AzureVaults} works with. */
export interface AzureVaultsOptions {
  readonly tokens: TokenPool;
  /** Connections, user agent: what every request needs. */
  readonly policies: readonly PipelinePolicy[];
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
  readonly #gets = new SingleFlight<unknown>();
  readonly #lists = new SingleFlight<readonly unknown[]>();

  constructor(options: AzureVaultsOptions) {
    this.#options = options;
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
      const key = JSON.stringify([session.principal, session.volume.vaultUrl, ref.type, ref.name, ref.version]);
      const body = await this.#read(session, this.#gets, key, (authorization, signal) =>
        session.host.clients.get(ref, { authorization, clientRequestId: randomUUID(), signal }),
      );
      return fetchedFromWire(ref, body);
    });
  }

  async #list(session: Session, { type, name }: Omit<ObjectRef, 'version'>): Promise<readonly ListedVersion[]> {
    return this.#measured(session, { type, name, version: '', operation: 'list the versions of' }, async () => {
      const key = JSON.stringify([session.principal, session.volume.vaultUrl, type, name]);
      const pages = await this.#read(session, this.#lists, key, (authorization, signal) =>
        session.host.clients.listVersions(type, name, { authorization, clientRequestId: randomUUID(), signal }),
      );
      return pages.flatMap((page) => listedFromWire(type, page));
    });
  }

  /** One read for all of the same principal who ask at the same time; each of them proves itself first. */
  async #read<T>(
    session: Session,
    flights: SingleFlight<T>,
    key: string,
    call: (authorization: string, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const { volume, host, context } = session;
    const { identity, cloud } = volume;
    const login = {
      phase: identity.kind === 'managed-identity' ? 'imds' : identity.kind === 'pod-identity' ? 'nmi' : 'entra',
      host: loginHost(identity, cloud),
    } as const;
    const { tokens, telemetry } = this.#options;
    await context.progress.during(
      login,
      tokens.token({ identity, cloud, resource: host.resource, signal: context.signal }),
    );
    telemetry.cacheLookup(flights.has(key) ? 'shared' : 'miss');
    const wait = {
      phase: 'vault',
      host: new URL(volume.vaultUrl).host,
      state: () => (host.gate.pauseMs > 0 ? 'the vault answered 429 and has to be left alone for a while' : ''),
    } as const;
    return context.progress.during(
      wait,
      flights.run(key, context.signal, (signal) =>
        persist({ volume, host, tokens, telemetry, clock: this.#options.clock, context: { ...context, signal } }, call),
      ),
    );
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
