/**
 * Holds all vaults of the node: one client and one gate for each vault, shared by all identities and Mounts, and the
 * cache of values. `connectAzure` makes it, and `mount()` opens a vault with it for each Mount.
 */

import type { HttpClient } from '@azure/core-rest-pipeline';
import type { Sweeper } from '../../base/sweeper.ts';
import type {
  FetchContext,
  FetchedObject,
  ListedObject,
  ListedVersion,
  VaultAccess,
  VaultReader,
  VaultVolume,
} from '../../mount/ports.ts';
import { vaultUrlOf } from '../../spc/vaults.ts';
import type { TokenPool } from '../login/token-pool.ts';
import { Fallbacks, type FallbackVault } from './fallbacks.ts';
import { VaultGate } from './gate.ts';
import { LastKnownGood } from './last-known-good.ts';
import { SharedReads } from './shared-reads.ts';
import { Tenants } from './tenants.ts';
import { judge } from './throttling.ts';
import { TracedReader } from './traced-reader.ts';
import { VaultClient } from './vault-client.ts';
import { bytesOfListing, bytesOfObject } from './vault-json.ts';
import { type ReaderOptions, SessionReader } from './vault-reader.ts';
import { startSession, type VaultHost, type VaultSession } from './vault-session.ts';

/** Vaults whose clients are kept; the least recently used one goes first. */
const MAX_VAULTS = 200;

/** Parts and settings of {@link AzureVaults}. */
export interface AzureVaultsOptions extends Omit<ReaderOptions, 'objects' | 'versions' | 'listings'> {
  readonly tokens: TokenPool;
  /** Sends requests over shared connections, with our user agent. */
  readonly transport: HttpClient;
  /** Holds back requests to a vault that wait for their connection; see `PendingConnections`. */
  readonly holdBack: (vaultUrl: string) => void;
  readonly sweeper: Sweeper;
  /** Reads are traced. Default: they are not. */
  readonly traced?: boolean;
  /** Bytes of cached values. Default: 3 MiB. */
  readonly cacheBytes?: number | undefined;
}

/**
 * Key Vault through the Azure SDK: one login for each principal, one gate for each vault, one request for equal reads
 * at a time.
 */
export class AzureVaults implements VaultAccess {
  readonly #options: AzureVaultsOptions;
  readonly #readerOptions: ReaderOptions;
  /** Readers of fallback vaults: the last known values are those of the first vault. */
  readonly #fallbackOptions: ReaderOptions;
  readonly #tenants: Tenants;
  readonly #hosts = new Map<string, VaultHost>();

  constructor(options: AzureVaultsOptions) {
    this.#options = options;
    const { sweeper, cacheBytes } = options;
    this.#tenants = new Tenants(options);
    const objects = new SharedReads<FetchedObject>(sweeper, bytesOfObject, { maxBytes: cacheBytes });
    const versions = new SharedReads<readonly ListedVersion[]>(sweeper, bytesOfListing);
    const listings = new SharedReads<readonly ListedObject[]>(sweeper, bytesOfListing);
    this.#readerOptions = { ...options, objects, versions, listings };
    this.#fallbackOptions = { ...this.#readerOptions, known: new LastKnownGood({ sweeper, maxStaleMs: 0 }) };
  }

  open(volume: VaultVolume): VaultReader {
    const session = startSession(volume, this.#host(volume.vaultUrl), this.#options.tokens);
    const vaults = (volume.fallbackVaults ?? []).map((name) => this.#fallback(volume, name));
    const fallbacks = vaults.length === 0 ? undefined : new Fallbacks(vaults, this.#options);
    return this.#reader(session, this.#readerOptions, fallbacks);
  }

  #reader(session: VaultSession, options: ReaderOptions, fallbacks?: Fallbacks): VaultReader {
    const reader = new SessionReader(session, options, fallbacks);
    return this.#options.traced ? new TracedReader(reader, session.vaultName) : reader;
  }

  tenantOf({ vaultName, vaultUrl, cloud }: VaultVolume, context: FetchContext): Promise<string> {
    return this.#tenants.learn({ host: this.#host(vaultUrl), vaultName, cloud }, context);
  }

  /** Describes a fallback vault of a volume. Its reader takes nothing from memory: `Fallbacks` keeps what it gives. */
  #fallback(volume: VaultVolume, vaultName: string): FallbackVault {
    const vaultUrl = vaultUrlOf(vaultName, volume.cloud);
    const open = () => {
      const place = { ...volume, vaultName, vaultUrl, maxAgeMs: 0 };
      return this.#reader(startSession(place, this.#host(vaultUrl), this.#options.tokens), this.#fallbackOptions);
    };
    return { vaultName, host: new URL(vaultUrl).host, open };
  }

  #host(vaultUrl: string): VaultHost {
    const { transport, clock, holdBack } = this.#options;
    const url = new URL(vaultUrl).origin;
    const host = this.#hosts.get(url) ?? {
      url,
      client: new VaultClient(url, transport),
      gate: new VaultGate({ clock, judge: (error) => judge(error, clock.wall()), onPause: () => holdBack(url) }),
      resource: undefined,
      trusted: undefined,
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
