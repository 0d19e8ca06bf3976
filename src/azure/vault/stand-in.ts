/**
 * Serves the last known value of one read if the vault is away. The vault reader creates one for each read of an
 * identity that is proven, or whose proof was accepted before. Serves nothing if the vault has answered, whatever the
 * answer is.
 */

import { type Clock, later, msSince } from '../../base/clock.ts';
import { ProviderError, withReason } from '../../base/errors.ts';
import { hostHint, hostInWords } from '../../base/phases.ts';
import { Progress } from '../../mount/pending-waits.ts';
import type { FetchContext } from '../../mount/ports.ts';
import { Snapshot } from '../../mount/snapshot.ts';
import { isAway, mayStandIn, type Outages, type Trial, unsentError } from '../http/outages.ts';
import { beginShortWait, type ShortWait } from '../http/short-wait.ts';
import type { KnownValues, Operation } from './known-request.ts';
import type { Known, LastKnownGood } from './last-known-good.ts';
import type { Read } from './read.ts';
import { describeQuestion, describeQuestions, type VaultQuestion, vaultError } from './vault-error.ts';

/** Bound of a try in the background. */
const REFRESH_MS = 15_000;

/** Parts that all objects of {@link StandIn} share. */
export interface StandInParts {
  readonly known: LastKnownGood;
  readonly outages: Outages;
  readonly clock: Clock;
}

/** The read that a {@link StandIn} is made for. */
export type StandInRead<O extends Operation> = Pick<
  Read<O>,
  'request' | 'key' | 'question' | 'ttlMs' | 'maxAgeMs' | 'hasFallbacks'
>;

/** The last known value of one read, and the tries to replace it. */
export class StandIn<O extends Operation> {
  readonly #parts: StandInParts;
  readonly #read: StandInRead<O>;
  #trial: Trial | undefined;
  #wait: ShortWait | undefined;

  constructor(parts: StandInParts, read: StandInRead<O>) {
    this.#parts = parts;
    this.#read = read;
  }

  /** Returns the last known value, unless it is too old for the Mount. The error of the read decides if it is served. */
  get known(): Known<KnownValues[O]> | undefined {
    const known = this.#parts.known.find(this.#read.request);
    return known !== undefined && msSince(this.#parts.clock, known.readAt) < this.#read.maxAgeMs ? known : undefined;
  }

  /** True once the vault is asked. */
  get asked(): boolean {
    return this.#trial !== undefined;
  }

  /**
   * Begins to ask the vault, within a short time if there is a last known value or another vault. `share` asks it; it is
   * also called in the background, when a vault that is away is to be tried again.
   * Throws: the reason for which the vault need not be asked.
   */
  begin(context: FetchContext, share: (own: FetchContext) => Promise<unknown>): FetchContext {
    const { outages, clock } = this.#parts;
    const { key, question } = this.#read;
    const { known } = this;
    const hasOther = known !== undefined || this.#read.hasFallbacks;
    const away = hasOther ? outages.causeOf(question.host, key) : undefined;
    if (away !== undefined) {
      if (outages.isDue(question.host, key)) this.#tryAgain(context, share);
      throw unsentQuestion(away, question);
    }
    this.#trial = this.#beginTrial();
    if (known === undefined) context.snapshot.lacks(key, () => this.#whyNot);
    if (!hasOther) return context;
    this.#wait = beginShortWait(context, clock, (abort) => abort(lateError(question)));
    const { signal, deadlineAt } = this.#wait;
    return { ...context, signal, deadlineAt };
  }

  /** Records that the vault gave a value. */
  answered(): void {
    this.#wait?.end();
    this.#trial?.answered();
  }

  /** Records how the read failed. */
  failed(error: unknown): void {
    this.#wait?.end();
    if (this.#trial !== undefined) this.#report(this.#trial, error);
  }

  /** Returns the last known value in place of an error; undefined if the error is an answer, or there is no value. */
  insteadOf(error: unknown, context: FetchContext): KnownValues[O] | undefined {
    const { known } = this;
    return known === undefined || !mayStandIn(error) ? undefined : this.give(context, known.value, error);
  }

  /** Returns the error of a read without a last known value, which says why there is none where one could be served. */
  unserved(error: unknown): unknown {
    const why = this.#whyNot;
    return why !== undefined && mayStandIn(error) ? withReason(error, why) : error;
  }

  get #whyNot(): string | undefined {
    const { request, maxAgeMs } = this.#read;
    return this.#parts.known.whyNot(request, maxAgeMs);
  }

  /** Records a value that a Mount gets, and returns it. `cause`: the reason for a last known value. */
  give({ snapshot, span }: FetchContext, value: KnownValues[O], cause?: ProviderError): KnownValues[O] {
    if (cause !== undefined) span?.set({ 'akv_csi.source': 'last_known', 'akv_csi.cause': cause.code });
    const { request, key, ttlMs, maxAgeMs } = this.#read;
    snapshot.lacks(key, undefined);
    const now = this.#parts.clock.steady();
    const { since, readAt } = this.#parts.known.find(request) ?? { since: now, readAt: now };
    const keepMs = Math.min(this.#parts.known.maxStaleMs, maxAgeMs);
    snapshot.add({ ref: request, since, readAt, ttlMs: Math.min(ttlMs, maxAgeMs), keepMs, cause });
    return value;
  }

  #tryAgain({ mountId, memory }: FetchContext, share: (own: FetchContext) => Promise<unknown>): void {
    const { clock } = this.#parts;
    const { question } = this.#read;
    const trial = this.#beginTrial();
    const bound = new AbortController();
    const timer = setTimeout(() => bound.abort(lateError(question)), REFRESH_MS).unref();
    const own: FetchContext = {
      signal: bound.signal,
      deadlineAt: later(clock.steady(), REFRESH_MS),
      hasty: false,
      progress: new Progress(clock),
      snapshot: new Snapshot(clock),
      mountId,
      memory,
    };
    share(own)
      .then(
        () => trial.answered(),
        (error: unknown) => this.#report(trial, vaultError(question, error)),
      )
      .finally(() => clearTimeout(timer));
  }

  #beginTrial(): Trial {
    const { key, question, request } = this.#read;
    return this.#parts.outages.begin({ host: question.host, request: key, owner: request.principal });
  }

  /**
   * Reports how a try ended; one that its Mount gave up, or whose login failed, says nothing about the vault. The request
   * is remembered where a last known value, or another vault, can take its place.
   */
  #report(trial: Trial, error: unknown): void {
    if (!(error instanceof ProviderError) || error.details.phase !== 'vault') return;
    const { hasFallbacks, request } = this.#read;
    const hasOther = this.known !== undefined || hasFallbacks;
    if (!isAway(error)) trial.answered();
    else trial.failed(error, hasOther ? request.principal : undefined);
  }
}

/** Returns the error of a question to a vault that is away, which is not sent. `away`: see {@link Outages}. */
export function unsentQuestion(away: ProviderError, question: VaultQuestion): ProviderError {
  const [failed, allFailed] = [describeQuestion(question), describeQuestions(question)];
  return unsentError(away, { phase: 'vault', host: question.host, failed, allFailed });
}

/** Returns the error of a vault that takes too long for a Mount that has a last known value, or another vault. */
export function lateError(question: VaultQuestion): ProviderError {
  const { host } = question;
  const text = `${hostInWords('vault', host)} does not answer; ${hostHint('vault')}`;
  const reason = `${describeQuestions(question)}: ${text}`;
  const details = { phase: 'vault', host } as const;
  return new ProviderError('ERR_TIMEOUT', `${describeQuestion(question)}: ${text}`, { details, reason });
}
