/**
 * Counts the unfinished requests of all connections of a server: the client decides how long they hold memory.
 * `server.ts` makes the budget, the connections report to it. Above the budget, the connection that holds most is cut.
 */

import type { MemoryBudget } from '../base/memory-budget.ts';

/** The cost of an unfinished request besides its octets: its HTTP/2 stream and its call. */
const REQUEST_BYTES = 8 * 1024;

/** The unfinished requests of all connections. */
export class RequestBudget {
  readonly #maxBytes: number;
  readonly #connections = new Set<UnfinishedRequests>();
  readonly #memory: MemoryBudget | undefined;
  #bytes = 0;

  /** The requests are charged to `memory`, if it is given. */
  constructor(maxBytes: number, memory?: MemoryBudget) {
    this.#maxBytes = maxBytes;
    this.#memory = memory;
  }

  /** Adds a connection; `cut` must end it and is called at most once. */
  connection(cut: () => void): UnfinishedRequests {
    const requests: UnfinishedRequests = new UnfinishedRequests((bytes) => this.#change(bytes), cut);
    this.#connections.add(requests);
    return requests;
  }

  /** The connection has ended. */
  forget(requests: UnfinishedRequests): void {
    if (this.#connections.delete(requests)) this.#charge(-requests.bytes);
  }

  #charge(bytes: number): void {
    this.#bytes += bytes;
    this.#memory?.charge(bytes);
  }

  #change(bytes: number): void {
    this.#charge(bytes);
    if (this.#bytes <= this.#maxBytes) return;
    const largest = [...this.#connections].reduce((most, other) => (other.bytes > most.bytes ? other : most));
    this.forget(largest);
    largest.cut();
  }
}

/** The unfinished requests of one connection. */
export class UnfinishedRequests {
  readonly #requests = new Map<number, number>();
  readonly #change: (bytes: number) => void;
  /** Ends the connection. */
  readonly cut: () => void;
  #bytes = 0;

  constructor(change: (bytes: number) => void, cut: () => void) {
    this.#change = change;
    this.cut = cut;
  }

  /** The memory that they hold. */
  get bytes(): number {
    return this.#bytes;
  }

  /** A stream was opened, and its request has not ended. */
  open(streamId: number): void {
    if (!this.#requests.has(streamId)) this.#set(streamId, REQUEST_BYTES);
  }

  /** Octets of a request have come on a stream. */
  receive(streamId: number, bytes: number): void {
    const before = this.#requests.get(streamId);
    if (before !== undefined) this.#set(streamId, before + bytes);
  }

  /** The request is complete, or its rest is no longer expected. */
  end(streamId: number): void {
    if (!this.#requests.has(streamId)) return;
    this.#set(streamId, 0);
    this.#requests.delete(streamId);
  }

  #set(streamId: number, bytes: number): void {
    const change = bytes - (this.#requests.get(streamId) ?? 0);
    this.#requests.set(streamId, bytes);
    this.#bytes += change;
    this.#change(change);
  }
}
