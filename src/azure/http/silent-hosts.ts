/**
 * Remembers requests that got no answer, so that Mounts without a deadline do not wait for them one after another. Such
 * Mounts are the rotation of drivers up to v1.5, which has one worker for all pods of a node. The vault reader and the
 * token pool wait for answers through it. A Mount with a deadline is never refused here.
 */

import { isRestError } from '@azure/core-rest-pipeline';
import { Cache } from '../../base/cache.ts';
import { type Clock, Lifetime, msSince, type SteadyTime } from '../../base/clock.ts';
import { ProviderError } from '../../base/errors.ts';
import { hostHint, hostInWords, type Phase } from '../../base/phases.ts';
import type { Sweeper } from '../../base/sweeper.ts';
import { AnsweredError } from './answered.ts';
import { networkFailure } from './network-error.ts';

/** Without an answer for this long, a request counts as unanswered; Azure answers in less than a second. */
const SILENCE_MS = 2_000;
/** The same for a request that was unanswered before, at most; doubles with each further time. */
const MAX_SILENCE_MS = 16_000;
/** How long an unanswered request is refused at first, and at most; doubles with each further time. */
const FIRST_PAUSE_MS = 30_000;
const MAX_PAUSE_MS = 120_000;
/** How long a host is suspected: other requests to it wait for {@link SILENCE_MS} only. */
const SUSPICION_MS = 60_000;
/** Unanswered requests remembered; the one not asked for longest goes first. */
const MAX_REQUESTS = 1000;
const MAX_HOSTS = 200;

/** A request to a host. */
export interface HostQuestion {
  readonly phase: Phase;
  readonly host: string;
  /** Equal requests have equal names. */
  readonly request: string;
  /** Returns the beginning of the message for a request without an answer. */
  readonly failed: () => string;
  /**
   * Returns the same for all requests that fail by the same silence, see `reason` of `ProviderError`; default: as
   * {@link failed}.
   */
  readonly allFailed?: () => string;
}

/** The Mount that waits for the answer. */
export interface Asker {
  /** See `FetchContext`. */
  readonly hasty: boolean;
  readonly signal: AbortSignal;
  /**
   * Since when the host owes an answer; undefined while the request waits for its turn. Default: from the beginning.
   */
  readonly unansweredSince?: () => SteadyTime | undefined;
}

interface Unanswered {
  /** A Mount without a deadline does not ask before it is over. */
  pause: Lifetime;
  /** Number of times in a row. */
  readonly times: number;
}

/** One wait for an answer. Its owner reports how it ended, by one of the two methods. */
export interface Listening {
  /** Aborts with that of the asker, or with ERR_UNREACHABLE in place of a longer wait. */
  readonly signal: AbortSignal;
  answered(): void;
  failed(error: unknown): void;
}

/** Hosts that accepted a request and did not answer. */
export class SilentHosts {
  readonly #clock: Clock;
  readonly #unanswered = new Cache<Unanswered>({ entries: MAX_REQUESTS });
  readonly #suspected: Cache<true>;

  constructor(sweeper: Sweeper) {
    this.#clock = sweeper.clock;
    this.#suspected = new Cache({ entries: MAX_HOSTS, sweeper });
  }

  /**
   * Begins to wait for an answer, and later records whether there was one. A Mount without a deadline gets a short time
   * if the host was silent before, and none in the pause after a request that was not answered. The first such Mount
   * after the pause tries the request again; the others are refused meanwhile.
   * Throws: ERR_UNREACHABLE in place of a wait.
   */
  listen(question: HostQuestion, asker: Asker): Listening {
    const patienceMs = asker.hasty ? this.#patienceMs(question) : undefined;
    const startedAt = this.#clock.steady();
    const { unansweredSince = () => startedAt } = asker;
    const silentMs = () => {
      const since = unansweredSince();
      return since === undefined ? 0 : msSince(this.#clock, since);
    };
    const { signal, end } = this.#bound(patienceMs, question, silentMs);
    return {
      signal: signal === undefined ? asker.signal : AbortSignal.any([asker.signal, signal]),
      answered: () => {
        end();
        this.#forget(question);
      },
      failed: (error) => {
        end();
        const { aborted, reason } = asker.signal;
        const cause = aborted ? reason : error;
        if (isAnswer(cause)) this.#forget(question);
        else if (isSilence(cause) && silentMs() >= SILENCE_MS) this.#note(question);
      },
    };
  }

  /**
   * Returns how long a Mount without a deadline may wait, or undefined if only its own limit counts. Throws: see {@link
   * listen}.
   */
  #patienceMs(question: HostQuestion): number | undefined {
    const unanswered = this.#unanswered.get(keyOf(question));
    if (unanswered === undefined) return this.#isSuspected(question) ? SILENCE_MS : undefined;
    if (!unanswered.pause.over) throw refusal(question);
    unanswered.pause = new Lifetime(this.#clock, FIRST_PAUSE_MS);
    return Math.min(MAX_SILENCE_MS, SILENCE_MS * 2 ** (unanswered.times - 1));
  }

  #isSuspected({ host }: HostQuestion): boolean {
    return this.#suspected.peek(host) === true;
  }

  /**
   * Returns a signal that aborts when the host has owed an answer for too long: not for requests that wait for their
   * turn, nor when the suspicion is over.
   */
  #bound(patienceMs: number | undefined, question: HostQuestion, silentMs: () => number) {
    if (patienceMs === undefined) return { signal: undefined, end: () => {} };
    const bound = new AbortController();
    const lookAgain = (ms: number) => {
      timer = setTimeout(() => {
        if (this.#unanswered.peek(keyOf(question)) === undefined && !this.#isSuspected(question)) return;
        const leftMs = patienceMs - silentMs();
        if (leftMs > 0) lookAgain(leftMs);
        else bound.abort(refusal(question));
      }, ms);
    };
    let timer: NodeJS.Timeout | undefined;
    lookAgain(patienceMs);
    return { signal: bound.signal, end: () => clearTimeout(timer) };
  }

  #note(question: HostQuestion): void {
    const key = keyOf(question);
    const times = (this.#unanswered.peek(key)?.times ?? 0) + 1;
    const pauseMs = Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (times - 1));
    this.#unanswered.set(key, { pause: new Lifetime(this.#clock, pauseMs), times });
    this.#suspected.set(question.host, true, { ttlMs: SUSPICION_MS });
  }

  #forget(question: HostQuestion): void {
    if (this.#unanswered.size > 0) this.#unanswered.delete(keyOf(question));
    this.#suspected.delete(question.host);
  }
}

/** Returns the refusal. It has no figures: Kubernetes counts equal texts as one event of the pod. */
function refusal({ phase, host, failed, allFailed = failed }: HostQuestion): ProviderError {
  const text =
    `${hostInWords(phase, host)} does not answer; ${hostHint(phase)}; this mount has no deadline, as in the rotation of ` +
    'drivers up to v1.5, and does not hold up the others: it is tried again in a while';
  const reason = `${allFailed()}: ${text}`;
  return new ProviderError('ERR_UNREACHABLE', `${failed()}: ${text}`, { details: { phase, host }, reason });
}

/** True if a failure is an answer of the host. */
function isAnswer(error: unknown): boolean {
  if (error instanceof AnsweredError) return true;
  if (error instanceof ProviderError) return error.details.httpStatus !== undefined;
  return isRestError(error) && error.statusCode !== undefined;
}

/** Codes that come after a wait for a host that does not answer. Others, such as ECONNREFUSED, come at once. */
const SILENT_CODES = new Set(['NO_ANSWER', 'ETIMEDOUT', 'TLS_TIMEOUT', 'EAI_AGAIN', 'EHOSTUNREACH']);

function isSilence(error: unknown): boolean {
  if (!(error instanceof ProviderError)) return SILENT_CODES.has(networkFailure(error)?.code ?? '');
  const { code, details } = error;
  if (code === 'ERR_UNREACHABLE') return details.remoteCode === undefined || SILENT_CODES.has(details.remoteCode);
  return code === 'ERR_TIMEOUT';
}

function keyOf({ host, request }: HostQuestion): string {
  return JSON.stringify([host, request]);
}
