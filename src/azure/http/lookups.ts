/**
 * Resolves names to addresses, for every outbound connection of the provider. Lookups are shared and limited in number
 * and time, and their answers are cached. While name servers fail, earlier answers are used. Refuses a lookup if too
 * many are in progress.
 */

import type { LookupAddress } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { Cache } from '../../base/cache.ts';
import { Lifetime, systemClock } from '../../base/clock.ts';
import { systemCodeOf } from '../../base/errors.ts';
import { Sweeper } from '../../base/sweeper.ts';
import { silentTelemetry, type Telemetry } from '../../base/telemetry.ts';
import { coded } from './network-error.ts';
import { type Resolve, resolverBy } from './resolver.ts';

/** Lookups under way at the same time. Each holds up to twelve sockets. */
const MAX_LOOKUPS = 64;
/** The same for names that name servers did not answer for in the last minute: other names can still be looked up. */
const MAX_SILENT_LOOKUPS = 32;
const SILENT_MS = 60_000;
/** Names whose answers are kept. When they are too many, the owner with most of them loses its oldest one. */
const MAX_NAMES = 500;
/** The owner of names of which nobody is known to get anything: a pod can name as many as it likes. */
const NOBODY = '';
/** Bounds of the time for which an answer is used without asking again, whatever its TTL. */
const MIN_FRESH_MS = 1_000;
const MAX_FRESH_MS = 60_000;
/** How long an answer is used if name servers fail. */
const STALE_MS = 3_600_000;
/** How long the servers have to refresh an answer before the old one is used. */
const REFRESH_MS = 1_500;
/** How long an old answer is used without asking again after a lookup that failed. */
const RECHECK_MS = 10_000;
/** How long an address is tried after all others once a connection to it has failed. */
const DOUBT_MS = 60_000;
/** Codes of answers about a name, after which its old addresses are not used any more. */
const NO_SUCH_NAME = new Set(['ENOTFOUND', 'EAI_NODATA']);

/** Settings of {@link Lookups}. */
export interface LookupOptions {
  /** Default: by the files of the system. */
  readonly resolve?: Resolve;
  /** Drops old answers; default: one of its own, on the clock of the machine. */
  readonly sweeper?: Sweeper;
  readonly telemetry?: Pick<Telemetry, 'nameLookup'>;
}

interface Known {
  readonly addresses: readonly LookupAddress[];
  readonly owner: string;
  /** The time in which no server is asked again. */
  fresh: Lifetime;
}

/** The lookups of a process. */
export class Lookups {
  readonly #resolve: Resolve;
  readonly #sweeper: Sweeper;
  readonly #telemetry: Pick<Telemetry, 'nameLookup'>;
  readonly #known: Cache<Known>;
  /** Names that name servers did not answer for. */
  readonly #silent: Cache<true>;
  /** For each name the address that a connection last failed with. */
  readonly #doubted: Cache<string>;
  readonly #running = new Map<string, Promise<readonly LookupAddress[]>>();

  constructor({ resolve = resolverBy(), sweeper, telemetry = silentTelemetry }: LookupOptions = {}) {
    this.#resolve = resolve;
    this.#sweeper = sweeper ?? new Sweeper(systemClock);
    this.#telemetry = telemetry;
    this.#known = new Cache({ entries: MAX_NAMES, sweeper: this.#sweeper });
    this.#silent = new Cache({ entries: MAX_NAMES, sweeper: this.#sweeper });
    this.#doubted = new Cache({ entries: MAX_NAMES, sweeper: this.#sweeper });
  }

  /**
   * Resolves a name for `node:net`. Fails with the errors of {@link Resolve}, and `TOO_MANY_LOOKUPS`.
   */
  readonly lookup: LookupFunction = (hostname, options, callback) => {
    // What the callback throws is not an error of this promise.
    const end: typeof callback = (...found) => process.nextTick(callback, ...found);
    this.#addressesOf(hostname).then(
      (addresses) => {
        const family = { IPv4: 4, IPv6: 6 }[String(options.family)] ?? options.family ?? 0;
        const wanted = this.#doubtedLast(hostname, addresses).filter((one) => family === 0 || one.family === family);
        const [first] = wanted;
        if (first === undefined) end(coded('EAI_NODATA', 'the name has no address of the family'), '');
        else if (options.all === true) end(null, wanted);
        else end(null, first.address, first.family);
      },
      (error: Error) => end(error, ''),
    );
  };

  /**
   * Notes that a connection to an address of the name failed or hung: the name is resolved again for the next one, and
   * for a minute this address is tried last.
   */
  doubt(hostname: string, address: string | undefined): void {
    if (address !== undefined) this.#doubted.set(hostname, address, { ttlMs: DOUBT_MS });
    const known = this.#known.peek(hostname);
    if (known !== undefined) known.fresh = new Lifetime(this.#sweeper.clock, 0);
  }

  /**
   * Records that a host (with or without a port) gave `owner` a value or a token: from now on, its name is charged to
   * this owner, and names of hosts that gave nothing do not push it out.
   */
  claim(host: string, owner: string): void {
    const hostname = host.replace(/:\d+$/, '');
    const known = this.#known.peek(hostname);
    if (known?.owner !== NOBODY) return;
    this.#known.set(hostname, { ...known, owner }, { ttlMs: this.#known.leftMs(hostname), owner });
  }

  #doubtedLast(hostname: string, addresses: readonly LookupAddress[]): LookupAddress[] {
    const doubted = this.#doubted.peek(hostname);
    return addresses.toSorted((a, b) => Number(a.address === doubted) - Number(b.address === doubted));
  }

  async #addressesOf(hostname: string): Promise<readonly LookupAddress[]> {
    const known = this.#known.get(hostname);
    if (known?.fresh.over === false) return known.addresses;
    const asked = this.#running.get(hostname) ?? this.#ask(hostname);
    if (known === undefined) return asked;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), REFRESH_MS);
    });
    try {
      const answer = await Promise.race([asked, late]);
      if (answer !== undefined) return answer;
    } catch (error) {
      if (isAboutName(error)) throw error;
    } finally {
      clearTimeout(timer);
    }
    this.#telemetry.nameLookup('stale');
    return known.addresses;
  }

  /** Starts one lookup for all callers that need the name. */
  #ask(hostname: string): Promise<readonly LookupAddress[]> {
    const limit = this.#silent.peek(hostname) === undefined ? MAX_LOOKUPS : MAX_SILENT_LOOKUPS;
    if (this.#running.size >= limit) {
      this.#telemetry.nameLookup('refused');
      return Promise.reject(coded('TOO_MANY_LOOKUPS', `${limit} names or more are being looked up`));
    }
    const asked = this.#askNow(hostname).finally(() => this.#running.delete(hostname));
    this.#running.set(hostname, asked);
    // A caller that uses an old answer meanwhile does not wait for this lookup.
    asked.catch(() => {});
    return asked;
  }

  async #askNow(hostname: string): Promise<readonly LookupAddress[]> {
    const { clock } = this.#sweeper;
    try {
      const { addresses, ttlMs } = await this.#resolve(hostname);
      const fresh = new Lifetime(clock, Math.max(MIN_FRESH_MS, Math.min(MAX_FRESH_MS, ttlMs)));
      const owner = this.#known.peek(hostname)?.owner ?? NOBODY;
      this.#known.set(hostname, { addresses, owner, fresh }, { ttlMs: STALE_MS, owner });
      this.#silent.delete(hostname);
      this.#telemetry.nameLookup('ok');
      return addresses;
    } catch (error) {
      if (isAboutName(error)) {
        this.#known.delete(hostname);
        this.#silent.delete(hostname);
        this.#telemetry.nameLookup('not_found');
      } else {
        const known = this.#known.peek(hostname);
        if (known !== undefined) known.fresh = new Lifetime(clock, RECHECK_MS);
        this.#silent.set(hostname, true, { ttlMs: SILENT_MS });
        this.#telemetry.nameLookup('failed');
      }
      throw error;
    }
  }
}

function isAboutName(error: unknown): boolean {
  return NO_SUCH_NAME.has(systemCodeOf(error));
}
