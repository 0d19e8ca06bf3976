/**
 * Holds requests back from a host that asks for a pause: connections that are not up yet are given up, and so are requests
 * that wait for one. They have not reached the host, fail with a code of their own and wait for their turn again. The agents
 * note both here, and the gate of a vault gives them up when a pause begins.
 */

import { isRestError } from '@azure/core-rest-pipeline';
import { coded } from './network-error.ts';
import { keyOf, targetOf } from './target.ts';

const HELD_BACK = 'HELD_BACK';

/** The connections of all agents that are not up yet, and requests that wait for one. */
export class PendingConnections {
  readonly #giveUp = new Map<symbol, { readonly target: string; readonly giveUp: (error: Error) => void }>();

  /** Notes one, for `host:port`. Returns the function to call when the connection is up or failed, or the wait is over. */
  add(target: string, giveUp: (error: Error) => void): () => void {
    const key = Symbol(target);
    this.#giveUp.set(key, { target, giveUp });
    return () => this.#giveUp.delete(key);
  }

  /** Gives up those to the host of a URL; their requests fail with an error that {@link isHeldBack} recognizes. */
  holdBack(url: string): void {
    const host = keyOf(targetOf(new URL(url)));
    for (const { target, giveUp } of [...this.#giveUp.values()]) {
      if (target === host) giveUp(coded(HELD_BACK, 'held back'));
    }
  }
}

/** True if a request failed because it was held back. */
export function isHeldBack(error: unknown): boolean {
  return isRestError(error) && error.code === HELD_BACK;
}
