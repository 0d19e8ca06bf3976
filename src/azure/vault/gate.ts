/**
 * Limits the requests to one vault, for all Mounts of the node: a bounded number at a time, fair turns between Mounts,
 * and one common pause when the vault answers 429. After a pause, requests start slowly again. The vault reader enters
 * each read here; a Mount for which a pause is too long is refused at once.
 */

import { type Clock, Lifetime, msUntil, type SteadyTime } from '../../base/clock.ts';
import { networkFailure } from '../http/network-error.ts';
import { HASTY_PAUSE_MS } from '../http/retry-after.ts';

/** Requests to one vault at the same time. */
const MAX_CONCURRENT = 32;
/**
 * First pause after a 429 without `Retry-After`; doubles with each further one. Key Vault counts requests in windows of
 * 10 s, in which two probes are enough.
 */
const BASE_PAUSE_MS = 2_000;
const MAX_PAUSE_MS = 16_000;
/**
 * Bounds of the wait that a vault may ask for. The lower one doubles with each further 429, up to the first pause
 * without `Retry-After`: a vault that asks for too little would get too many requests. Above the upper one, a single
 * wrong header would block the vault permanently.
 */
const MIN_RETRY_AFTER_MS = 250;
const MAX_RETRY_AFTER_MS = 5 * 60 * 1000;
/** The largest part by which a node extends the wait, so that nodes do not return at the same time. */
const SPREAD = 0.1;

/** Limits the pauses that a Mount waits for; see `FetchContext`. */
export interface PauseLimit {
  readonly deadlineAt: SteadyTime;
  readonly hasty: boolean;
}

/** The meaning of a failure for the vault's load: it still answers, it asks to wait, or undefined: none. */
export type Verdict = 'answered' | { readonly retryAfterMs: number | undefined } | undefined;

/** Settings of a {@link VaultGate}. */
export interface VaultGateOptions {
  readonly clock: Clock;
  /** Tells the meaning of a request's failure. */
  readonly judge: (error: unknown) => Verdict;
  /** Called when a pause begins. */
  readonly onPause?: () => void;
  readonly random?: () => number;
}

/** The turn of one try of a request. */
interface Turn {
  /** The number of pauses before it began; undefined while it waits. */
  pauses: number | undefined;
  begun: () => void;
  readonly begin: () => void;
}

/** One request over all of its tries. Its turn comes with the first turn of any of the Mounts that wait for it. */
export interface GateRequest {
  readonly key: string;
  /** The Mounts that wait for it. */
  readonly mounts: Set<number>;
  /** The time since which the vault owes it an answer, over all tries; undefined while it waits for its turn. */
  unansweredSince: SteadyTime | undefined;
  /** Set while it waits for its turn. */
  turn: Turn | undefined;
}

/** A Mount that waits for an answer; it leaves as soon as a pause is too long for it. */
interface Patient {
  readonly limit: PauseLimit;
  readonly leave: (refusal: unknown) => void;
}

/** The requests to one vault that run, wait, or are between two tries. */
export class VaultGate {
  readonly #options: Required<VaultGateOptions>;
  /** Waiting requests by Mount; Mounts take turns in the order of this map. */
  readonly #queues = new Map<number, Turn[]>();
  readonly #requests = new Map<string, GateRequest>();
  readonly #patients = new Set<Patient>();
  /** Requests under way. */
  #inFlight = 0;
  /** Those of them that started since the last pause. */
  #running = 0;
  #limit = MAX_CONCURRENT;
  /** Number of pauses so far: an answer to a request from before a pause does not count. */
  #pauses = 0;
  #pause: Lifetime | undefined;
  #cause: unknown;
  #strikes = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: VaultGateOptions) {
    this.#options = { random: Math.random, onPause: () => {}, ...options };
  }

  /** Milliseconds until requests may start again; 0 where there is no pause. */
  get pauseMs(): number {
    return this.#pause?.leftMs ?? 0;
  }

  /** True if there is no request, not even between two tries, and no pause. */
  get idle(): boolean {
    return this.#requests.size === 0 && this.#inFlight === 0 && this.pauseMs === 0;
  }

  /** Adds a request, known under `key` until it leaves. */
  enter(key: string, mountId: number): GateRequest {
    const request = { key, mounts: new Set([mountId]), turn: undefined, unansweredSince: undefined };
    this.#requests.set(key, request);
    return request;
  }

  /** Adds another Mount that waits for the request under `key`. Returns the request, if it has not left. */
  join(key: string, mountId: number): GateRequest | undefined {
    const request = this.#requests.get(key);
    if (request === undefined || request.mounts.has(mountId)) return request;
    request.mounts.add(mountId);
    if (request.turn !== undefined) this.#enqueue(mountId, request.turn);
    return request;
  }

  /** Forgets a request, which was answered or given up. */
  leave(request: GateRequest): void {
    if (this.#requests.get(request.key) === request) this.#requests.delete(request.key);
  }

  /**
   * Runs `work` when the turn of the request comes.
   * Throws: the errors of `work`; the reason of `signal` if it aborts before.
   */
  async pass<T>(request: GateRequest, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    const turn = this.#lineUp(request);
    if (turn.pauses === undefined) await this.#beginning(request, turn, signal);
    let verdict: Verdict = 'answered';
    try {
      const answer = await work();
      request.unansweredSince = undefined;
      return answer;
    } catch (error) {
      // The vault still owes the answer after tries that failed in the network, and if no Mount waits any more.
      if (!signal.aborted && networkFailure(error) === undefined) request.unansweredSince = undefined;
      verdict = this.#options.judge(error);
      if (typeof verdict === 'object' && turn.pauses === this.#pauses) this.#close(verdict.retryAfterMs, error);
      throw error;
    } finally {
      this.#inFlight--;
      if (turn.pauses === this.#pauses) {
        this.#running--;
        if (verdict === 'answered') this.#widen();
      }
      this.#next();
    }
  }

  /**
   * Returns the outcome of `work`. Throws: the refusal of the vault, as soon as a pause is too long; `work` itself goes
   * on.
   */
  patiently<T>(limit: PauseLimit, work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const patient = { limit, leave: reject };
      this.#patients.add(patient);
      work.then(
        (value) => {
          this.#patients.delete(patient);
          resolve(value);
        },
        (error: unknown) => {
          this.#patients.delete(patient);
          reject(error);
        },
      );
      this.#dismiss(patient);
    });
  }

  /** Throws the refusal of the vault if there is a pause that is too long. */
  refuseLongPause(limit: PauseLimit): void {
    if (this.outlasts(limit)) throw this.#cause;
  }

  /** True if there is a pause that is too long. */
  outlasts({ deadlineAt, hasty }: PauseLimit): boolean {
    const { pauseMs } = this;
    if (hasty && pauseMs > HASTY_PAUSE_MS) return true;
    return pauseMs > 0 && pauseMs >= msUntil(this.#options.clock, deadlineAt);
  }

  /** Puts a request in line for its turn, which may begin at once. */
  #lineUp(request: GateRequest): Turn {
    const turn: Turn = {
      pauses: undefined,
      begun: () => {},
      begin: () => {
        this.#stepOut(request, turn);
        request.unansweredSince ??= this.#options.clock.steady();
        this.#inFlight++;
        this.#running++;
        turn.pauses = this.#pauses;
        turn.begun();
      },
    };
    request.turn = turn;
    for (const mountId of request.mounts) this.#enqueue(mountId, turn);
    this.#next();
    return turn;
  }

  /** Waits until a turn begins. Throws: the reason of `signal` if it aborts before. */
  #beginning(request: GateRequest, turn: Turn, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const abort = () => {
        this.#stepOut(request, turn);
        reject(signal.reason);
      };
      signal.addEventListener('abort', abort, { once: true });
      turn.begun = () => {
        signal.removeEventListener('abort', abort);
        resolve();
      };
    });
  }

  #stepOut(request: GateRequest, turn: Turn): void {
    request.turn = undefined;
    for (const mountId of request.mounts) this.#forget(mountId, turn);
  }

  #dismiss({ limit, leave }: Patient): void {
    if (this.outlasts(limit)) leave(this.#cause);
  }

  #widen(): void {
    this.#strikes = 0;
    // One more for each answer, which doubles what is under way with each round.
    this.#limit = Math.min(MAX_CONCURRENT, this.#limit + 1);
  }

  /** Begins a pause. Requests that are under way do not count any more. */
  #close(retryAfterMs: number | undefined, cause: unknown): void {
    const { clock, random } = this.#options;
    const exponential = Math.min(MAX_PAUSE_MS, BASE_PAUSE_MS * 2 ** this.#strikes) * (0.75 + random() / 2);
    // The wait was too short if the vault refuses the next request too.
    const least = Math.min(BASE_PAUSE_MS, MIN_RETRY_AFTER_MS * 2 ** this.#strikes);
    const asked = Math.min(MAX_RETRY_AFTER_MS, Math.max(least, retryAfterMs ?? 0)) * (1 + SPREAD * random());
    this.#pause = new Lifetime(clock, retryAfterMs === undefined ? exponential : asked);
    this.#cause = cause;
    this.#pauses++;
    this.#strikes++;
    this.#limit = 1;
    this.#running = 0;
    this.#options.onPause();
    for (const patient of this.#patients) this.#dismiss(patient);
  }

  #enqueue(mountId: number, turn: Turn): void {
    const queue = this.#queues.get(mountId);
    if (queue === undefined) this.#queues.set(mountId, [turn]);
    else queue.push(turn);
  }

  #forget(mountId: number, turn: Turn): void {
    const queue = this.#queues.get(mountId);
    const index = queue?.indexOf(turn) ?? -1;
    if (index !== -1) queue?.splice(index, 1);
    if (queue?.length === 0) this.#queues.delete(mountId);
  }

  #next(): void {
    while (this.#running < this.#limit) {
      const next = this.#queues.entries().next().value;
      if (next === undefined) return;
      const pauseMs = this.pauseMs;
      if (pauseMs > 0) {
        this.#wake(pauseMs);
        return;
      }
      const [mountId, queue] = next;
      this.#queues.delete(mountId);
      this.#queues.set(mountId, queue);
      queue[0]?.begin();
    }
  }

  #wake(afterMs: number): void {
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#next();
    }, afterMs).unref();
  }
}
