/**
 * Remembers which hosts are away: those that do not answer, or answer with faults. Readers and the token pool ask it if
 * they have a last known value to answer with, so that a Mount does not wait for a host that did not answer others. One
 * caller at a time may try such a host again, with growing pauses.
 */

import { Cache } from '../../base/cache.ts';
import { type Clock, Lifetime, msSince, type SteadyTime } from '../../base/clock.ts';
import { ProviderError } from '../../base/errors.ts';
import { type Logger, silentLogger } from '../../base/log.ts';
import { hostHint, hostInWords, type Phase } from '../../base/phases.ts';
import type { Sweeper } from '../../base/sweeper.ts';

/** Pause before a host that is away is tried again, at first and at most; doubles with each further failure. */
const FIRST_PAUSE_MS = 5_000;
const MAX_PAUSE_MS = 60_000;
/** After this time beyond the pause, a host that was not tried again is no longer considered away. */
const FORGET_MS = 60_000;
/** Hosts and requests remembered. When they are too many, the principal with most of them loses its oldest one. */
const MAX_HOSTS = 200;
const MAX_REQUESTS = 1000;

/** One try to get an answer. Its owner reports how it ended, or drops it. */
export interface Trial {
  /** Records that the host answered. A refusal is an answer. */
  answered(): void;
  /**
   * Records that the host did not answer. `owner`: the principal that is charged for remembering this request. Without
   * one, only the host is remembered.
   */
  failed(cause: ProviderError, owner?: string): void;
}

/** A request that is tried. */
export interface TriedRequest {
  readonly host: string;
  /** Equal requests have equal names. */
  readonly request: string;
  /** The principal that is charged for remembering the host. Default: none, for hosts that the operator chooses. */
  readonly owner?: string;
}

interface Away {
  readonly cause: ProviderError;
  /** Number of failures in a row; a try that is under way counts. */
  times: number;
  /** Nobody tries again before it is over. */
  pause: Lifetime;
  readonly life: Lifetime;
  /** See `Host`. */
  readonly recoveries: number;
}

interface Host {
  away: Away | undefined;
  /** Number of answers so far. */
  answers: number;
  /** Number of times that it answered again. Failures of its requests from before do not count. */
  recoveries: number;
  /** From the first try that failed to the next answer, however long nobody tries. */
  outage: { readonly since: SteadyTime; lastKnownMounts: number } | undefined;
}

/** The hosts that are away, and the single requests that get no answer from a host that answers others. */
export class Outages {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #hosts = new Cache<Host>({ entries: MAX_HOSTS });
  readonly #requests = new Cache<Away>({ entries: MAX_REQUESTS });

  constructor(sweeper: Sweeper, log: Logger = silentLogger) {
    this.#clock = sweeper.clock;
    this.#log = log;
  }

  /** Returns the reason why a request need not be tried now: its host, or the host for this request, is away. */
  causeOf(host: string, request: string): ProviderError | undefined {
    return this.#find(host, request)?.cause;
  }

  /**
   * True if a host that is away should be tried again now. The caller has to try it: for others the result is false
   * meanwhile.
   */
  isDue(host: string, request: string): boolean {
    const away = this.#find(host, request);
    if (away?.pause.over !== true) return false;
    away.times++;
    away.pause = this.#pauseAfter(away.times);
    return true;
  }

  /** Begins a try. The host counts as away if it fails and the host has answered nothing else meanwhile. */
  begin({ host, request, owner = '' }: TriedRequest): Trial {
    const state = this.#hostOf(host, owner);
    const { answers } = state;
    const since = this.#clock.steady();
    return {
      answered: () => {
        state.answers++;
        if (this.#requests.size > 0) this.#requests.delete(keyOf(host, request));
        this.#tellEnd(host, state);
        if (state.away === undefined) return;
        state.away = undefined;
        state.recoveries++;
      },
      failed: (cause, by) => {
        if (by !== undefined) {
          const key = keyOf(host, request);
          this.#requests.set(key, this.#noted(this.#requests.peek(key), state, cause), { owner: by });
        }
        if (answers !== state.answers) return;
        state.away = this.#noted(state.away, state, cause);
        state.outage ??= { since, lastKnownMounts: 0 };
      },
    };
  }

  /** Records that a Mount was answered with last known values, since a host failed with this error. */
  served({ details: { host = '' } }: ProviderError): void {
    const outage = this.#hosts.peek(host)?.outage;
    if (outage !== undefined) outage.lastKnownMounts++;
  }

  /** Writes one line when an outage ends. */
  #tellEnd(host: string, state: Host): void {
    if (state.outage === undefined) return;
    const { since, lastKnownMounts } = state.outage;
    state.outage = undefined;
    const seconds = Math.round(msSince(this.#clock, since) / 1000);
    this.#log.info('A host answers again', { host, awaySeconds: seconds, lastKnownMounts });
  }

  #find(host: string, request: string): Away | undefined {
    const state = this.#hosts.get(host);
    if (state === undefined) return undefined;
    if (state.away?.life.over === true) state.away = undefined;
    if (state.away !== undefined) return state.away;
    const away = this.#requests.get(keyOf(host, request));
    return away === undefined || away.life.over || away.recoveries !== state.recoveries ? undefined : away;
  }

  #hostOf(host: string, owner: string): Host {
    const known = this.#hosts.get(host);
    if (known !== undefined) return known;
    const state = { away: undefined, answers: 0, recoveries: 0, outage: undefined };
    this.#hosts.set(host, state, { owner });
    return state;
  }

  /** Failures within one pause count once: requests that were sent together fail together. */
  #noted(before: Away | undefined, { recoveries }: Host, cause: ProviderError): Away {
    const known = before?.life.over === false && before.recoveries === recoveries ? before : undefined;
    const times = known === undefined ? 1 : known.times + (known.pause.over ? 1 : 0);
    const pause = known?.pause.over === false ? known.pause : this.#pauseAfter(times);
    const life = new Lifetime(this.#clock, pauseMsAfter(times) + FORGET_MS);
    return { cause, times, pause, life, recoveries };
  }

  #pauseAfter(times: number): Lifetime {
    return new Lifetime(this.#clock, pauseMsAfter(times));
  }
}

/**
 * True if a failure means that a host is away: no answer, one that tells of its own fault, or one that cannot be the
 * host's, such as a success or a redirect with a page of a proxy. A refusal is never one of these.
 */
export function isAway(error: unknown): error is ProviderError {
  if (!(error instanceof ProviderError)) return false;
  const { code, details } = error;
  if (code === 'ERR_UNREACHABLE' || code === 'ERR_TIMEOUT') return true;
  const { httpStatus = 400 } = details;
  return code === 'ERR_VAULT' && (httpStatus < 400 || httpStatus >= 500 || httpStatus === 408);
}

/** True if a last known value may stand in for an answer: the host is away, or asks to wait, which refuses nobody. */
export function mayStandIn(error: unknown): error is ProviderError {
  return isAway(error) || (error instanceof ProviderError && error.code === 'ERR_THROTTLED');
}

/** A request that is not sent, in the words of its own error. */
export interface UnsentRequest {
  readonly phase: Phase;
  readonly host: string;
  readonly failed: string;
  /** The same without the object. Default: `failed`. */
  readonly allFailed?: string;
}

/**
 * Returns the error of a request that is not sent because its host is away. The cause may belong to a request of
 * another principal: the message names its kind, but neither the object nor the identity.
 */
export function unsentError(
  { code, details: { httpStatus, remoteCode } }: ProviderError,
  { phase, host, failed, allFailed = failed }: UnsentRequest,
): ProviderError {
  const [how, remedy] =
    httpStatus === undefined
      ? ['did not answer', hostHint(phase)]
      : httpStatus < 400
        ? [`answered ${httpStatus}, and not what was asked for, to`, 'check proxies between the node and the host']
        : [`answered ${httpStatus} to`, 'the service, or a proxy before it, has a fault'];
  const text = `${hostInWords(phase, host)} ${how} an earlier request of this node; ${remedy}`;
  const details = {
    phase,
    host,
    ...(httpStatus === undefined ? {} : { httpStatus }),
    ...(remoteCode === undefined ? {} : { remoteCode }),
  };
  return new ProviderError(code, `${failed}: ${text}`, { details, reason: `${allFailed}: ${text}` });
}

function pauseMsAfter(times: number): number {
  return Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (times - 1));
}

function keyOf(host: string, request: string): string {
  return JSON.stringify([host, request]);
}
