import type { HttpClient } from '@azure/core-rest-pipeline';
import { type Clock, msSince } from '../../base/clock.ts';
import type { Sweeper } from '../../base/sweeper.ts';
import type { Telemetry } from '../../base/telemetry.ts';
import { nextTurn } from '../../base/turns.ts';
import type {
  FetchContext,
  FetchedObject,
  ListedVersion,
  ObjectRef,
  VaultAccess,
  VaultReader,
} from '../../mount/ports.ts';
import { outcomeOf } from '../http/outcome.ts';
import type { SilentHosts } from '../http/silent-hosts.ts';
import type { TokenPool } from '../login/token-pool.ts';
import { type Party, VaultGate } from './gate.ts';
import { persist } from './read-with-retries.ts';
import { type SharedRead, SharedReads } from './shared-reads.ts';
import { isThrottling, judge } from './throttling.ts';
import { VaultClient } from './vault-client.ts';
import { describeQuestion, describeQuestions, type VaultQuestion, vaultError } from './vault-error.ts';
import { startSession, type VaultHost, type VaultSession } from './vault-host.ts';
import { bytesOfObject, fetchedFromWire, listedFromWire } from './vault-json.ts';
import { Visit } from './visit.ts';

/** Vaults whose clients are kept; the one not used for longest goes first. */
const MAX_VAULTS = 200;
/** What an entry of a listing takes in memory. */
const LISTED_BYTES = 200;

/** What {@link AzureVaults} works with. */
export interface AzureVaultsOptions {
  readonly tokens: TokenPool;
  readonly silent: SilentHosts;
  /** Connections, user agent: what every request needs. */
  readonly transport: HttpClient;
  /** Opens a connection to a vault that has none. */
  readonly prepare: (vaultUrl: string) => void;
  /** Keeps requests from a vault that wait for their connection. */
  readonly holdBack: (vaultUrl: string) => void;
  /** How long a current version answers repeats, in milliseconds; 0: never. */
  readonly cacheTtlMs: number;
  /** The same for versions that the manifest names. */
  readonly pinnedCacheTtlMs: number;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
  readonly sweeper: Sweeper;
}

type Volume = Parameters<VaultAccess['open']>[0];

/** Key Vault through the Azure SDK: one login a principal, one gate a vault, one request for equal reads at a time. */
export class AzureVaults implements VaultAccess {
  readonly #options: AzureVaultsOptions;
  readonly #hosts = new Map<string, VaultHost>();
  readonly #objects: SharedReads<FetchedObject>;
  readonly #listings: SharedReads<readonly ListedVersion[]>;

  constructor(options: AzureVaultsOptions) {
    this.#options = options;
    this.#objects = new SharedReads(options.sweeper, bytesOfObject);
    this.#listings = new SharedReads(options.sweeper, (versions) => (versions.length + 1) * LISTED_BYTES);
  }

  open(volume: Volume): VaultReader {
    const session = startSession(volume, this.#host(volume.vaultUrl), this.#options.tokens);
    let visit: Visit | undefined;
    const visitOf = (context: FetchContext) => {
      visit ??= new Visit(session, context, this.#options.prepare);
      return visit;
    };
    return {
      get: (ref, context) => this.#get(visitOf(context), ref),
      listVersions: (ref, context) => this.#list(visitOf(context), ref),
    };
  }

  #get(visit: Visit, ref: ObjectRef): Promise<FetchedObject> {
    const { cacheTtlMs, pinnedCacheTtlMs, telemetry, clock } = this.#options;
    const { session } = visit;
    const question = { ...ref, operation: 'read' } as const;
    return this.#read(visit, question, {
      shared: this.#objects,
      ttlMs: ref.version === '' ? cacheTtlMs : pinnedCacheTtlMs,
      read: async (party, signal) => {
        const body = await persist({ session, telemetry, party, signal, clock }, (options) =>
          session.host.client.get(ref, options),
        );
        return fetchedFromWire(ref, body);
      },
    });
  }

  #list(visit: Visit, { type, name }: Omit<ObjectRef, 'version'>): Promise<readonly ListedVersion[]> {
    const { cacheTtlMs, telemetry, clock } = this.#options;
    const { session } = visit;
    const question = { type, name, version: '', operation: 'list the versions of' } as const;
    return this.#read(visit, question, {
      shared: this.#listings,
      ttlMs: cacheTtlMs,
      read: async (party, signal) => {
        const pages = await persist({ session, telemetry, party, signal, clock }, (options) =>
          session.host.client.listVersions({ type, name }, options),
        );
        return pages.flatMap((page) => listedFromWire({ type, name }, page));
      },
    });
  }

  /**
   * What the vault answers, from memory where it was read a moment ago, and one request for all of the same principal
   * who ask at the same time. Each caller proves itself first: without a token of its own nobody gets anything.
   */
  async #read<T>(visit: Visit, question: Asked, plan: Plan<T>): Promise<T> {
    const { telemetry, clock } = this.#options;
    const { session, context } = visit;
    const startedAt = clock.steady();
    const report = (error?: unknown) => {
      const seconds = msSince(clock, startedAt) / 1000;
      telemetry.keyVaultRequest(question.type, question.name, seconds, error === undefined ? 'ok' : outcomeOf(error));
    };
    const key = keyOf(session, question);
    try {
      await visit.login();
      // A Mount asks for all its objects at the same time: each request begins in a turn of its own.
      if (plan.shared.kept(key) === undefined && !plan.shared.has(key)) await nextTurn(context.signal);
      const kept = plan.shared.kept(key);
      const lookup = kept !== undefined ? 'hit' : plan.shared.has(key) ? 'shared' : 'miss';
      telemetry.cacheLookup(lookup);
      if (kept !== undefined) return kept;
      const value = await this.#wait(visit, question, plan);
      if (lookup === 'miss') report();
      return value;
    } catch (error) {
      // Why the caller goes is the caller's to say.
      const { aborted, reason } = context.signal;
      const explained = aborted ? reason : vaultError({ ...question, ...whereabouts(session) }, error);
      report(explained);
      throw explained;
    }
  }

  /** The read itself, again after each pause that the vault asks for; a pause that is too long for this Mount ends it at once. */
  async #wait<T>(visit: Visit, asked: Asked, { shared, ttlMs, read }: Plan<T>): Promise<T> {
    const { session, context } = visit;
    const { gate } = session.host;
    const { mountId, progress, hasty } = context;
    const key = keyOf(session, asked);
    const failed = {
      failed: () => describeQuestion({ ...asked, ...whereabouts(session) }),
      allFailed: () => describeQuestions({ ...asked, ...whereabouts(session) }),
    };
    const question = { phase: 'vault', host: session.hostName, request: key, ...failed } as const;
    const state = () => (gate.pauseMs > 0 ? 'the vault answered 429 and is left alone for a while' : '');
    const join = (party: Party) => gate.join(party, mountId);
    for (;;) {
      try {
        return await visit.patiently((whole) => {
          let party: Party | undefined;
          const asker = { hasty, signal: whole, unansweredSince: () => party?.unansweredSince };
          return this.#options.silent.listen(question, asker, (signal) => {
            const flight = shared.run(key, { mountId, signal, owner: session.login.principal, ttlMs, join, read });
            party = shared.party(key);
            return progress.during({ phase: 'vault', host: session.hostName, state }, flight);
          });
        });
      } catch (error) {
        if (context.signal.aborted || !isThrottling(error) || gate.outlasts(context)) throw error;
      }
    }
  }

  #host(vaultUrl: string): VaultHost {
    const { transport, clock, holdBack } = this.#options;
    const url = new URL(vaultUrl).origin;
    const host = this.#hosts.get(url) ?? {
      url,
      client: new VaultClient(url, transport),
      gate: new VaultGate({ clock, judge: (error) => judge(error, clock.wall()), onPause: () => holdBack(url) }),
      resource: undefined,
    };
    this.#hosts.delete(url);
    this.#hosts.set(url, host);
    for (const [oldest, { gate }] of this.#hosts) {
      if (this.#hosts.size <= MAX_VAULTS) break;
      if (gate.idle) this.#hosts.delete(oldest);
    }
    return host;
  }
}

type Asked = Pick<VaultQuestion, 'type' | 'name' | 'version' | 'operation'>;

interface Plan<T> {
  readonly shared: SharedReads<T>;
  readonly ttlMs: number;
  readonly read: SharedRead<T>['read'];
}

/** Names what was asked by whom; equal reads are shared under it. */
function keyOf({ scope }: VaultSession, { type, name, version, operation }: Asked): string {
  return JSON.stringify([scope, type, name, version, operation]);
}

function whereabouts({ vaultName, hostName, identity }: VaultSession) {
  return { vaultName, host: hostName, identity: identity() };
}
