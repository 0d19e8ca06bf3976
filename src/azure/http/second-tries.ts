/**
 * Decides when a request is sent a second time: its connection or its answer hangs, or a kept connection was cut under
 * it. The transport keeps one for all of its requests. Refuses a second try to a host that is silent or asks for a
 * pause, and more than a few at a time to any host.
 */

import type { PipelineRequest } from '@azure/core-rest-pipeline';
import { Cache } from '../../base/cache.ts';

/** How long a connection, or the first byte of an answer, is waited for before the request is sent again. */
export const HEDGE_MS = 2_000;
/** Second tries under way to one host. */
const MAX_SECOND_TRIES = 4;
const MAX_HOSTS = 200;
const PAUSE_STATUS = new Set([429, 503]);

interface HostState {
  /** Second tries under way. */
  running: number;
  /** True if the last answer did not ask for a pause, and no request has been left without one since. */
  isWell: boolean;
}

/** The second tries to all hosts. */
export class SecondTries {
  readonly #hosts = new Cache<HostState>({ entries: MAX_HOSTS });

  /** True if a request to the host may be sent again while the first try is under way. */
  allows(host: string): boolean {
    const { isWell, running } = this.#stateOf(host);
    return isWell && running < MAX_SECOND_TRIES;
  }

  /** Counts a second try until the returned function is called. */
  begin(host: string): () => void {
    const state = this.#stateOf(host);
    state.running++;
    return () => void state.running--;
  }

  /** Notes an answer of the host. */
  answered(host: string, status: number): void {
    this.#stateOf(host).isWell = !PAUSE_STATUS.has(status);
  }

  /** Notes that neither of two tries was answered. */
  unanswered(host: string): void {
    this.#stateOf(host).isWell = false;
  }

  #stateOf(host: string): HostState {
    const known = this.#hosts.get(host);
    if (known !== undefined) return known;
    const state: HostState = { running: 0, isWell: true };
    this.#hosts.set(host, state);
    return state;
  }
}

/** True if it does no harm that the server sees the request twice: reads, and logins, which give another token. */
export function isRepeatable({ method, body }: Pick<PipelineRequest, 'method' | 'body'>): boolean {
  if (method === 'GET') return true;
  return (
    method === 'POST' && typeof body === 'string' && new URLSearchParams(body).has('grant_type', 'client_credentials')
  );
}
