/**
 * Reads objects and version listings from one vault, for one Mount. `AzureVaults` makes a reader for each Mount, and
 * `fetchObjects` asks it for all objects at the same time. Nothing is answered before the identity of this Mount is
 * proven, not even from memory.
 */

import { abortable } from '../../base/abort.ts';
import { type Clock, msSince, type SteadyTime } from '../../base/clock.ts';
import type { Telemetry } from '../../base/telemetry.ts';
import { nextTurn } from '../../base/turns.ts';
import type { FetchContext, FetchedObject, ListedVersion, ObjectRef, VaultReader } from '../../mount/ports.ts';
import { outcomeOf } from '../http/outcome.ts';
import type { SilentHosts } from '../http/silent-hosts.ts';
import type { GateRequest } from './gate.ts';
import { ReadTries } from './read-tries.ts';
import type { SharedReads } from './shared-reads.ts';
import { isThrottling } from './throttling.ts';
import type { VaultCall } from './vault-client.ts';
import { describeQuestion, describeQuestions, type VaultQuestion, vaultError } from './vault-error.ts';
import { fetchedFromWire, listedFromWire } from './vault-json.ts';
import type { VaultSession } from './vault-session.ts';

/** Parts and settings that all readers share. */
export interface ReaderOptions {
  readonly objects: SharedReads<FetchedObject>;
  readonly listings: SharedReads<readonly ListedVersion[]>;
  readonly silent: SilentHosts;
  /** Opens a connection to a vault that has none. */
  readonly prepare: (vaultUrl: string) => void;
  /** How long a current version answers repeats, in milliseconds; 0: never. */
  readonly cacheTtlMs: number;
  /** The same for versions that the manifest names. */
  readonly pinnedCacheTtlMs: number;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
}

/** One read: the question, how it is sent, and how its answer is understood and kept. */
interface Read<T> {
  readonly question: VaultQuestion;
  /** Equal reads of one principal have equal keys. */
  readonly key: string;
  readonly shared: SharedReads<T>;
  readonly ttlMs: number;
  readonly send: (call: VaultCall) => Promise<unknown>;
  readonly understand: (body: unknown) => T;
}

/** The reader of one Mount. */
export class SessionReader implements VaultReader {
  readonly #session: VaultSession;
  readonly #options: ReaderOptions;
  #login: Promise<void> | undefined;

  constructor(session: VaultSession, options: ReaderOptions) {
    this.#session = session;
    this.#options = options;
  }

  get(ref: ObjectRef, context: FetchContext): Promise<FetchedObject> {
    const { objects: shared, cacheTtlMs, pinnedCacheTtlMs } = this.#options;
    const { client } = this.#session.host;
    return this.#read(context, {
      ...this.#ask(ref, 'read'),
      shared,
      ttlMs: ref.version === '' ? cacheTtlMs : pinnedCacheTtlMs,
      send: (call) => client.get(ref, call),
      understand: (body) => fetchedFromWire(ref, body),
    });
  }

  listVersions({ type, name }: Omit<ObjectRef, 'version'>, context: FetchContext): Promise<readonly ListedVersion[]> {
    const { listings: shared, cacheTtlMs: ttlMs } = this.#options;
    const { client } = this.#session.host;
    return this.#read(context, {
      ...this.#ask({ type, name, version: '' }, 'list the versions of'),
      shared,
      ttlMs,
      send: (call) => client.listVersions({ type, name }, call),
      understand: (pages) => (pages as readonly unknown[]).flatMap((page) => listedFromWire({ type, name }, page)),
    });
  }

  /** One read: prove the identity → look in memory → share the read → wait for a turn → send → explain. */
  async #read<T>(context: FetchContext, read: Read<T>): Promise<T> {
    const startedAt = this.#options.clock.steady();
    try {
      await this.#proveIdentity(context);
      const { kept, found } = await this.#lookInMemory(context, read);
      if (kept !== undefined) return kept;
      const value = await this.#shareRead(context, read);
      if (found === 'miss') this.#report(read, startedAt);
      return value;
    } catch (error) {
      const explained = this.#explain(context, read, error);
      this.#report(read, startedAt, explained);
      throw explained;
    }
  }

  /**
   * Gets a token of this Mount's own, once for all of its reads; see `Login`. Many Mounts may wait for one token: each
   * goes on in a separate turn of the event loop.
   */
  #proveIdentity({ signal, progress, hasty }: FetchContext): Promise<void> {
    const { host, login, resource: first } = this.#session;
    const prove = async () => {
      const resource = host.resource ?? first;
      // A Mount that has to log in will read from the vault after it; the connection can be opened meanwhile.
      if (!login.has(resource)) this.#options.prepare(host.url);
      await progress.during(login.place, login.token({ resource, signal, hasty }));
      await nextTurn(signal);
    };
    this.#login ??= prove();
    return this.#login;
  }

  /** The value in memory, and how the read is answered, as metrics count it. */
  async #lookInMemory<T>({ signal }: FetchContext, { key, shared }: Read<T>) {
    // A Mount asks for all its objects at the same time: each request begins in a separate turn.
    if (shared.find(key) === undefined && !shared.flights.has(key)) await nextTurn(signal);
    const kept = shared.find(key);
    const found = kept !== undefined ? 'hit' : shared.flights.has(key) ? 'shared' : 'miss';
    this.#options.telemetry.cacheLookup(found);
    return { kept, found };
  }

  /**
   * Joins the equal read under way, or starts it, and again after each pause that the vault asks for. The Mount leaves it
   * when its time ends, at once when a pause is too long for it, and without a deadline when the vault is silent.
   */
  async #shareRead<T>(context: FetchContext, read: Read<T>): Promise<T> {
    const { signal: whole, hasty, mountId, progress } = context;
    const { host, hostName } = this.#session;
    const { gate } = host;
    const state = () => (gate.pauseMs > 0 ? 'the vault answered 429 and is left alone for a while' : '');
    for (;;) {
      let request: GateRequest | undefined;
      const asker = { hasty, signal: whole, unansweredSince: () => request?.unansweredSince };
      const wait = this.#options.silent.listen(this.#hostQuestion(read), asker);
      try {
        wait.signal.throwIfAborted();
        gate.refuseLongPause(context);
        const flight = read.shared.flights.join(read.key, (signal) => this.#waitAndSend(context, read, signal));
        request = gate.join(read.key, mountId);
        const outcome = gate.patiently(context, abortable(flight.outcome, wait.signal)).finally(flight.leave);
        const value = await progress.during({ phase: 'vault', host: hostName, state }, outcome);
        wait.answered();
        return value;
      } catch (error) {
        wait.failed(error);
        if (whole.aborted || !isThrottling(error) || gate.outlasts(context)) throw error;
      }
    }
  }

  /** Sends the request when its turn comes, again after faults and challenges, for all Mounts that share it. */
  async #waitAndSend<T>({ mountId }: FetchContext, read: Read<T>, signal: AbortSignal): Promise<T> {
    const session = this.#session;
    const { gate } = session.host;
    const request = gate.enter(read.key, mountId);
    const tries = new ReadTries({ session, telemetry: this.#options.telemetry, signal });
    try {
      for (;;) {
        const call = await tries.next();
        try {
          const body = await gate.pass(request, signal, () => read.send(call));
          tries.answered();
          const value = read.understand(body);
          read.shared.keep(read.key, value, { owner: session.login.principal, ttlMs: read.ttlMs });
          return value;
        } catch (error) {
          await tries.recover(error);
        }
      }
    } finally {
      gate.leave(request);
    }
  }

  /** The error of a read in words; the reason of the Mount's signal where that has aborted. */
  #explain({ signal }: FetchContext, { question }: Pick<Read<unknown>, 'question'>, error: unknown): unknown {
    return signal.aborted ? signal.reason : vaultError(question, error);
  }

  #report({ question }: Pick<Read<unknown>, 'question'>, startedAt: SteadyTime, error?: unknown): void {
    const { telemetry, clock } = this.#options;
    const seconds = msSince(clock, startedAt) / 1000;
    telemetry.keyVaultRequest(question.type, question.name, seconds, error === undefined ? 'ok' : outcomeOf(error));
  }

  #ask({ type, name, version }: ObjectRef, operation: VaultQuestion['operation']) {
    const { scope, vaultName, hostName: host, identity } = this.#session;
    const question: VaultQuestion = {
      ...{ type, name, version, operation, vaultName, host },
      get identity() {
        return identity();
      },
    };
    return { key: JSON.stringify([scope, type, name, version, operation]), question };
  }

  #hostQuestion({ key, question }: Pick<Read<unknown>, 'key' | 'question'>) {
    return {
      phase: 'vault',
      host: question.host,
      request: key,
      failed: () => describeQuestion(question),
      allFailed: () => describeQuestions(question),
    } as const;
  }
}
