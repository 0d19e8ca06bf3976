/**
 * Sends the requests of one login, and keeps the answers, which the SDK's errors do not contain. Called by the identity
 * modes through the SDK's credentials. Ends a request when its signal aborts, and bounds the waits after a 429.
 */

import type { HttpClient, PipelineRequest, PipelineResponse } from '@azure/core-rest-pipeline';
import type { WallClock } from '../../base/clock.ts';
import { networkFailure } from '../http/network-error.ts';
import { HASTY_PAUSE_MS, RETRY_AFTER_MS_HEADERS, retryAfter } from '../http/retry-after.ts';

/** Longest wait that the SDK keeps; a longer one is kept by `TokenPool`. */
const MAX_WAIT_MS = HASTY_PAUSE_MS;
/** Shortest wait, and by what part waits are spread: all pods of a node may have been refused at the same time. */
const MIN_WAIT_MS = 500;
const SPREAD = 0.5;
/** First wait after a 429 that names none; doubles with each further one. */
const BASE_WAIT_MS = 1_000;

/** The outcome of the last request of a login. */
export interface LoginWitness {
  /** Host and port of the last request. */
  host: string;
  /** `body` is empty if the answer is a success, which holds a token. */
  answer: { readonly status: number; readonly body: string; readonly requestId: string | undefined } | undefined;
  failure: unknown;
  /** The wait after the last 429, in milliseconds. */
  retryAfterMs: number | undefined;
}

/** One login in progress. */
export interface LoginAttempt {
  readonly client: HttpClient;
  readonly witness: LoginWitness;
  readonly signal: AbortSignal;
  readonly clock: WallClock;
  /** See `LoginService`. */
  readonly proxiesEntra: boolean;
  /** Answers of 429 so far. */
  refusals: number;
}

/** Returns a client whose requests belong to one attempt. */
export function clientOf(attempt: LoginAttempt): HttpClient {
  return { sendRequest: (request) => sendFor(attempt, request) };
}

/** Sends a request of an attempt. Throws: errors of the transport. */
export async function sendFor(attempt: LoginAttempt, request: PipelineRequest): Promise<PipelineResponse> {
  const { client, witness, signal, clock } = attempt;
  request.abortSignal = signal;
  // A request to the token proxy has the name of Entra ID, but it is the proxy that does not answer.
  if (!attempt.proxiesEntra) witness.host = new URL(request.url).host;
  witness.answer = undefined;
  try {
    const response = await client.sendRequest(request);
    const { status, bodyAsText, headers } = response;
    const body = status === 200 ? '' : (bodyAsText ?? '');
    witness.answer = { status, body, requestId: headers.get('x-ms-request-id') };
    if (status === 429) witness.retryAfterMs = setWait(response, attempt.refusals++, clock.wall());
    return response;
  } catch (error) {
    witness.failure = error;
    // The SDK repeats a request for seconds, but not where the error carries no code.
    throw networkFailure(error)?.transient === false ? new Error('a failure that lasts') : error;
  }
}

/**
 * Makes the SDK wait after each 429 that names no wait, and not after a 429 that names a long one. Returns the wait.
 */
function setWait({ headers }: PipelineResponse, refusals: number, now: number): number {
  const asked = retryAfter((name) => headers.get(name), now);
  for (const name of [...RETRY_AFTER_MS_HEADERS, 'retry-after']) headers.delete(name);
  const least = Math.max(MIN_WAIT_MS, asked ?? BASE_WAIT_MS * 2 ** refusals);
  const waitMs = Math.ceil(least * (1 + SPREAD * Math.random()));
  if (waitMs <= MAX_WAIT_MS) headers.set('retry-after-ms', waitMs);
  return waitMs;
}
