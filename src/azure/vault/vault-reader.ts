/**
 * Reads objects and listings from one vault, for one Mount. `AzureVaults` makes a reader for each Mount, and
 * `fetchObjects` asks it for all objects at the same time. No value is returned before the identity of this Mount is
 * proven, not even from memory.
 */

import { type Clock, msSince, type SteadyTime } from '../../base/clock.ts';
import type { ProviderError } from '../../base/errors.ts';
import { ALL_OBJECTS, type ObjectType } from '../../base/objects.ts';
import type { Telemetry } from '../../base/telemetry.ts';
import { inSpan } from '../../base/trace.ts';
import { nextTurn } from '../../base/turns.ts';
import type {
  FetchContext,
  FetchedObject,
  ListedObject,
  ListedVersion,
  ObjectListing,
  ObjectRef,
  Stamp,
  VaultReader,
} from '../../mount/ports.ts';
import type { Outages } from '../http/outages.ts';
import { outcomeOf } from '../http/outcome.ts';
import type { SilentHosts } from '../http/silent-hosts.ts';
import type { Standing } from '../login/standing.ts';
import type { Fallbacks } from './fallbacks.ts';
import type { KnownValues, Operation } from './known-request.ts';
import type { LastKnownGood } from './last-known-good.ts';
import { listedValue } from './listed-value.ts';
import { Listing, MORE_PAGES } from './listing.ts';
import type { Read } from './read.ts';
import { ReadTries } from './read-tries.ts';
import { awaitShared } from './shared-answer.ts';
import type { SharedReads } from './shared-reads.ts';
import { StandIn } from './stand-in.ts';
import type { VaultCall } from './vault-client.ts';
import { describeQuestion, describeQuestions, isVaultRefusal, vaultError } from './vault-error.ts';
import { fetchedFromWire, listedFromWire, objectsFromWire, objectsPath, versionsPath } from './vault-json.ts';
import { SessionQuestion, type VaultSession } from './vault-session.ts';

/** Parts and settings that all readers share. */
export interface ReaderOptions {
  readonly objects: SharedReads<FetchedObject>;
  readonly versions: SharedReads<readonly ListedVersion[]>;
  readonly listings: SharedReads<readonly ListedObject[]>;
  readonly silent: SilentHosts;
  readonly outages: Outages;
  readonly known: LastKnownGood;
  /** Opens a connection to a vault ahead of a read. Throws: errors of a proxy's URL. */
  readonly prepare: (vaultUrl: string) => void;
  /** Records that a host gave a principal a value; see `Lookups`. */
  readonly claim: (host: string, principal: string) => void;
  /** How long a current version answers repeated reads, in milliseconds; 0: never. */
  readonly cacheTtlMs: number;
  /** The same for versions that the manifest names. */
  readonly pinnedCacheTtlMs: number;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
}

/** The reader of one Mount. */
export class SessionReader implements VaultReader {
  readonly #session: VaultSession;
  readonly #options: ReaderOptions;
  readonly #fallbacks: Fallbacks | undefined;
  #identity: Promise<Standing> | undefined;
  #login: Promise<unknown> | undefined;

  constructor(session: VaultSession, options: ReaderOptions, fallbacks?: Fallbacks) {
    this.#session = session;
    this.#options = options;
    this.#fallbacks = fallbacks;
  }

  get vaultUrl(): string {
    return this.#session.host.url;
  }

  get(ref: ObjectRef, context: FetchContext, stamp?: Stamp | undefined): Promise<FetchedObject> {
    const { objects: shared, cacheTtlMs, pinnedCacheTtlMs } = this.#options;
    const { client } = this.#session.host;
    const asked = this.#ask(ref, 'read');
    return this.#read(context, {
      ...asked,
      shared,
      ttlMs: ref.version === '' ? cacheTtlMs : pinnedCacheTtlMs,
      choose: (kept) => (stamp === undefined ? kept : listedValue(this.#options, { ...asked, stamp }, kept)),
      send: (call) => client.get(ref, call),
      understand: (body) => fetchedFromWire(ref, body),
    });
  }

  listVersions({ type, name }: Omit<ObjectRef, 'version'>, context: FetchContext): Promise<readonly ListedVersion[]> {
    const { versions: shared } = this.#options;
    const listing = new Listing(versionsPath({ type, name }), (page) => listedFromWire({ type, name }, page));
    const asked = this.#ask({ type, name, version: '' }, 'list the versions of');
    return this.#read(context, { ...asked, shared, ...this.#pagesOf(listing) });
  }

  async list(type: ObjectType, context: FetchContext): Promise<ObjectListing> {
    const { listings: shared, known } = this.#options;
    const listing = new Listing(objectsPath(type), (page) => objectsFromWire(type, page));
    const asked = this.#ask({ type, name: ALL_OBJECTS, version: '' }, 'list');
    const objects = await this.#read(context, { ...asked, shared, ...this.#pagesOf(listing) });
    const { lastKnown, elsewhere } = context.snapshot;
    const isForeign = [...lastKnown, ...elsewhere].some(({ ref }) => ref === asked.request);
    return { objects, listedAt: isForeign ? undefined : known.find(asked.request)?.readAt };
  }

  #pagesOf<T>(listing: Listing<T>) {
    const { client } = this.#session.host;
    return {
      ttlMs: this.#options.cacheTtlMs,
      choose: (kept: readonly T[] | undefined) => kept,
      send: (call: VaultCall) => client.page(listing, call),
      understand: (entries: unknown) => entries as readonly T[],
    };
  }

  /**
   * Makes one read: prove the identity → wait for memory → look in memory → share the read → wait for a turn → send →
   * explain. If the vault or the login service is away, the last known value is served, once the identity is proven or
   * its proof was accepted before.
   */
  async #read<O extends Operation>(context: FetchContext, read: Read<O>): Promise<KnownValues[O]> {
    const startedAt = this.#options.clock.steady();
    let standIn: StandIn<O> | undefined;
    try {
      const identity = await this.#proveIdentity(context);
      standIn = new StandIn(this.#options, read);
      if (identity.standing === 'vouched') await this.#awaitLogin(context, identity.cause, standIn);
      const begun = standIn;
      return await this.#inMemory(context, read, async () => {
        const { kept, found } = await this.#lookInMemory(context, read);
        if (kept !== undefined) return begun.give(context, kept);
        this.#fallbacks?.refuseFirst(read);
        const limited = begun.begin(context, (own) => this.#shareRead(own, read));
        const value = await this.#shareRead(limited, read);
        begun.answered();
        if (found === 'miss') this.#report(read, startedAt);
        return begun.give(context, value);
      });
    } catch (error) {
      const { signal } = context;
      const explained: unknown = signal.aborted ? signal.reason : vaultError(read.question, error);
      const report = () => this.#report(read, startedAt, explained);
      if (standIn !== undefined) return this.#instead(context, { read, standIn, report }, explained);
      report();
      throw explained;
    }
  }

  /**
   * Returns what takes the place of an answer: the value of a fallback vault, or the last known one. `report` counts the
   * failure: that of a vault that was asked in any case, else only if nothing takes its place.
   * Throws: the error, if nothing does.
   */
  async #instead<O extends Operation>(
    context: FetchContext,
    { read, standIn, report }: { readonly read: Read<O>; readonly standIn: StandIn<O>; readonly report: () => void },
    explained: unknown,
  ): Promise<KnownValues[O]> {
    standIn.failed(explained);
    if (standIn.asked) report();
    const bounded = standIn.known !== undefined;
    const other = await this.#fallbacks?.instead(read, explained, { context, bounded });
    if (other?.value !== undefined) return other.value;
    const instead = standIn.insteadOf(explained, context);
    if (instead !== undefined) return this.#inMemory(context, read, async () => instead);
    if (!standIn.asked) report();
    throw standIn.unserved(other?.error ?? explained);
  }

  /** The value of `work`, which begins when the Mount has memory for it. */
  #inMemory<O extends Operation>(context: FetchContext, { shared }: Read<O>, work: () => Promise<KnownValues[O]>) {
    return context.memory.during(work, shared.bytesOf, context.signal);
  }

  /**
   * Proves the identity of this Mount, once for all of its reads; see `Login`. Many Mounts may wait for one token: each
   * continues in a separate turn of the event loop.
   */
  #proveIdentity({ signal, deadlineAt, progress, hasty, span: above }: FetchContext): Promise<Standing> {
    const { host, login } = this.#session;
    const prove = async () => {
      const use = { resource: this.#resource(), signal, deadlineAt, hasty };
      const proof = inSpan(above?.mount, 'log in', (span) => login.prove({ ...use, span }));
      const standing = await progress.during(login.place, proof);
      await nextTurn(signal);
      return standing;
    };
    // A read that waits for a login goes to the vault afterwards. Its connection can be opened meanwhile.
    if (!login.has(this.#resource())) this.#options.prepare(host.url);
    this.#identity ??= prove();
    return this.#identity;
  }

  /**
   * Waits for a token if there is no last known value to serve to an identity without one.
   * Throws: the cause, if there is such a value; see `Login` for others.
   */
  async #awaitLogin<O extends Operation>(context: FetchContext, cause: ProviderError, standIn: StandIn<O>) {
    if (standIn.known !== undefined) throw cause;
    const { signal, progress, hasty, span } = context;
    const { login } = this.#session;
    this.#login ??= login.token({ resource: this.#resource(), signal, hasty, span });
    await progress.during(login.place, this.#login);
  }

  #resource(): string {
    return this.#session.host.resource ?? this.#session.resource;
  }

  /** Returns the value in memory, and how the read is answered, as metrics count it. */
  async #lookInMemory<O extends Operation>(context: FetchContext, read: Read<O>) {
    const { key, shared, maxAgeMs, choose } = read;
    // A Mount asks for all its objects at the same time: each request begins in a separate turn.
    const find = () => shared.find(key, maxAgeMs);
    if (find() === undefined && !shared.flights.has(key)) await nextTurn(context.signal);
    const kept = choose(find()) ?? this.#fallbacks?.find(read, context);
    const found = kept !== undefined ? 'hit' : shared.flights.has(key) ? 'shared' : 'miss';
    this.#options.telemetry.cacheLookup(found);
    if (kept !== undefined) context.span?.set({ 'akv_csi.source': 'memory' });
    return { kept, found };
  }

  /** Joins the equal read under way, or starts it; see {@link awaitShared}. */
  async #shareRead<O extends Operation>(context: FetchContext, read: Read<O>): Promise<KnownValues[O]> {
    const { host, login } = this.#session;
    const value = await awaitShared(context, {
      question: this.#hostQuestion(read),
      gate: host.gate,
      silent: this.#options.silent,
      join: () =>
        read.shared.flights.join(read.key, (signal) => this.#waitAndSend(context, read, signal), context.span),
    });
    login.confirmed();
    return value;
  }

  /** Sends the request when its turn comes, again after faults and challenges, for all Mounts that share it. */
  async #waitAndSend<O extends Operation>(
    { mountId, span }: FetchContext,
    read: Read<O>,
    signal: AbortSignal,
  ): Promise<KnownValues[O]> {
    const session = this.#session;
    const { telemetry, known, claim } = this.#options;
    const { gate } = session.host;
    const request = gate.enter(read.key, mountId);
    const tries = new ReadTries({ session, telemetry, signal, span });
    try {
      for (;;) {
        const call = await tries.next();
        try {
          const body = await gate.pass(request, signal, () => read.send(call));
          tries.answered();
          if (body === MORE_PAGES) continue;
          const value = read.understand(body);
          read.shared.keep(read.key, value, { owner: session.login.principal, ttlMs: read.ttlMs });
          known.keep(read.request, value);
          claim(session.hostName, session.login.principal);
          return value;
        } catch (error) {
          await tries.recover(error);
        }
      }
    } catch (error) {
      if (isVaultRefusal(error)) known.erase(read.request);
      throw error;
    } finally {
      gate.leave(request);
    }
  }

  #report({ question }: Pick<Read<Operation>, 'question'>, startedAt: SteadyTime, error?: unknown): void {
    const { telemetry, clock } = this.#options;
    const seconds = msSince(clock, startedAt) / 1000;
    telemetry.keyVaultRequest(question.type, question.name, seconds, error === undefined ? 'ok' : outcomeOf(error));
  }

  #ask<O extends Operation>({ type, name, version }: ObjectRef, operation: O) {
    const { scope, login, host, maxAgeMs } = this.#session;
    const hasFallbacks = this.#fallbacks !== undefined;
    const question = new SessionQuestion(this.#session, { type, name, version }, operation);
    const request = { principal: login.principal, vaultUrl: host.url, operation, type, name, version };
    return { key: JSON.stringify([scope, type, name, version, operation]), request, question, maxAgeMs, hasFallbacks };
  }

  #hostQuestion({ key, question }: Pick<Read<Operation>, 'key' | 'question'>) {
    return {
      phase: 'vault',
      host: question.host,
      request: key,
      failed: () => describeQuestion(question),
      allFailed: () => describeQuestions(question),
    } as const;
  }
}
