/**
 * Asks the fallback vaults of one vault for what that vault does not give, for one Mount. The vault reader calls it if its
 * vault does not answer, throttles or fails. Refuses nothing itself: a refusal of the first vault never gets here.
 */

import type { Clock } from '../../base/clock.ts';
import { ProviderError, withReason } from '../../base/errors.ts';
import type { Telemetry } from '../../base/telemetry.ts';
import type { FetchContext, VaultReader } from '../../mount/ports.ts';
import { mayStandIn, type Outages } from '../http/outages.ts';
import { beginShortWait } from '../http/short-wait.ts';
import type { KnownRequest, KnownValues, Operation } from './known-request.ts';
import type { Read } from './read.ts';
import { lateError, unsentQuestion } from './stand-in.ts';
import { describeQuestion, describeQuestions } from './vault-error.ts';

/** One fallback vault. */
export interface FallbackVault {
  readonly vaultName: string;
  /** Host and port. */
  readonly host: string;
  /** Opens it for the same identity. Its reader gives no values from memory and no last known ones. */
  readonly open: () => VaultReader;
}

/** A read that the first vault did not answer. */
export type FallbackRead<O extends Operation> = Pick<Read<O>, 'question' | 'key' | 'request' | 'shared' | 'maxAgeMs'>;

/** Parts of {@link Fallbacks}. */
export interface FallbackParts {
  readonly outages: Outages;
  readonly telemetry: Pick<Telemetry, 'fallbackRead'>;
  readonly clock: Clock;
  /** How long a value of a fallback vault is used before the first vault is asked again, in milliseconds. */
  readonly cacheTtlMs: number;
}

/** The value of a fallback vault, or the error that names all of them. */
interface Outcome<T> {
  readonly value?: T;
  readonly error?: ProviderError;
}

/** The fallback vaults of one vault, in their order. */
export class Fallbacks {
  readonly #vaults: readonly FallbackVault[];
  readonly #parts: FallbackParts;
  readonly #readers = new Map<FallbackVault, VaultReader>();
  /** The fallback vault that answered for an object in this Mount. Its other versions come from there too. */
  readonly #answered = new Map<string, FallbackVault>();

  constructor(vaults: readonly FallbackVault[], parts: FallbackParts) {
    this.#vaults = vaults;
    this.#parts = parts;
  }

  /** Returns the value that a fallback vault gave a moment ago. */
  find<O extends Operation>(read: FallbackRead<O>, { snapshot }: FetchContext): KnownValues[O] | undefined {
    for (const vault of this.#vaults) {
      const value = read.shared.find(keyAt(read, vault), read.maxAgeMs);
      if (value === undefined) continue;
      this.#answered.set(objectOf(read), vault);
      snapshot.answeredElsewhere({ ref: read.request, vault: read.question.vaultName, fallback: vault.vaultName });
      return value;
    }
    return undefined;
  }

  /** Throws: ERR_UNREACHABLE if a fallback vault answered for the object in this Mount, so that the first is not asked. */
  refuseFirst<O extends Operation>(read: FallbackRead<O>): void {
    if (!this.#answered.has(objectOf(read))) return;
    const { question } = read;
    const text = `the vault at ${question.host} was away when the object was read first`;
    throw new ProviderError('ERR_UNREACHABLE', `${describeQuestion(question)}: ${text}`, {
      details: { phase: 'vault', host: question.host },
      reason: `${describeQuestions(question)}: ${text}`,
    });
  }

  /**
   * Asks one vault after another in place of the first, which failed by `cause`; undefined if that is no reason to.
   * `bounded`: there is a last known value, for which time must be left.
   * Throws: the reason of the signal of the Mount.
   */
  async instead<O extends Operation>(
    read: FallbackRead<O>,
    cause: unknown,
    { context, bounded }: { readonly context: FetchContext; readonly bounded: boolean },
  ): Promise<Outcome<KnownValues[O]> | undefined> {
    if (context.signal.aborted || !isAwayForFallbacks(cause)) return undefined;
    const { cacheTtlMs, telemetry } = this.#parts;
    const { question, request, shared } = read;
    const object = objectOf(read);
    const before = this.#answered.get(object);
    const vaults = before === undefined ? this.#vaults : [before];
    const failures: string[] = [];
    for (const vault of vaults) {
      try {
        const isLast = vault === vaults.at(-1);
        const value = await this.#ask(vault, read, { context, bounded: bounded || !isLast });
        this.#answered.set(object, vault);
        shared.keep(keyAt(read, vault), value, { owner: request.principal, ttlMs: cacheTtlMs });
        telemetry.fallbackRead(question.vaultName, vault.vaultName);
        context.span?.set({ 'akv_csi.source': 'fallback' });
        const { vaultName: fallback } = vault;
        context.snapshot.lacks(read.key, undefined);
        context.snapshot.answeredElsewhere({ ref: request, vault: question.vaultName, fallback, cause });
        return { value };
      } catch (error) {
        context.signal.throwIfAborted();
        if (!(error instanceof ProviderError)) throw error;
        failures.push(error.reason);
      }
    }
    return { error: withReason(cause, `and its fallback vaults gave no answer: ${failures.join('; ')}`) };
  }

  /** Asks one vault: within a short time, unless it is the last hope, and not at all if it is known to be away. */
  async #ask<O extends Operation>(
    vault: FallbackVault,
    read: FallbackRead<O>,
    { context, bounded }: { readonly context: FetchContext; readonly bounded: boolean },
  ): Promise<KnownValues[O]> {
    if (!bounded) return this.#send(vault, read, context);
    const { outages, clock } = this.#parts;
    const { type, name, version, operation } = read.request;
    const { vaultName, host } = vault;
    const question = { type, name, version, operation, vaultName, host, identity: read.question.identity };
    const away = outages.causeOf(host, '');
    if (away !== undefined && !outages.isDue(host, '')) throw unsentQuestion(away, question);
    const wait = beginShortWait(context, clock, (abort) => abort(lateError(question)));
    try {
      const { signal, deadlineAt } = wait;
      return await this.#send(vault, read, { ...context, signal, deadlineAt });
    } finally {
      wait.end();
    }
  }

  async #send<O extends Operation>(
    vault: FallbackVault,
    { request }: FallbackRead<O>,
    context: FetchContext,
  ): Promise<KnownValues[O]> {
    const reader = this.#readers.get(vault) ?? vault.open();
    this.#readers.set(vault, reader);
    const value = await ask(reader, request, context);
    // The operation decides on the type.
    return value as KnownValues[O];
  }
}

/**
 * Returns true if a vault is away for a read: it cannot be reached, does not answer in time, throttles, or answers 5xx.
 * Refusals, pages of proxies and failed logins are none of these.
 */
function isAwayForFallbacks(error: unknown): error is ProviderError {
  if (!mayStandIn(error) || error.details.phase !== 'vault') return false;
  const { httpStatus = 400 } = error.details;
  return error.code !== 'ERR_VAULT' || httpStatus >= 400;
}

async function ask(reader: VaultReader, request: KnownRequest, context: FetchContext) {
  switch (request.operation) {
    case 'read':
      return reader.get(request, context);
    case 'list the versions of':
      return reader.listVersions(request, context);
    case 'list':
      return (await reader.list(request.type, context)).objects;
  }
}

/** The key of a value of a fallback vault. Volumes that do not name the vault never find it. */
function keyAt({ key }: { readonly key: string }, { host }: FallbackVault): string {
  return JSON.stringify([key, host]);
}

function objectOf({ request: { type, name } }: { readonly request: KnownRequest }): string {
  return `${type}/${name}`;
}
