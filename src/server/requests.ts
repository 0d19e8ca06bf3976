/**
 * Counts requests that have begun and not ended, over all connections of a server, as they hold memory for as long as
 * their client likes. Where they hold more than there is room for, the connection that holds most is cut.
 */

/** What an unfinished request counts for beside its octets: the HTTP/2 stream and the call behind it. */
const REQUEST_BYTES = 8 * 1024;

/** The unfinished requests of all connections. */
export class RequestBudget {
  readonly #maxBytes: number;
  readonly #connections = new Set<UnfinishedRequests>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** For one connection; `cut` has to end it, and is called at most once. */
  connection(cut: () => void): UnfinishedRequests {
    const requests: UnfinishedRequests = new UnfinishedRequests((bytes) => this.#change(bytes), cut);
    this.#connections.add(requests);
    return requests;
  }

  /** The connection is gone. */
  forget(requests: UnfinishedRequests): void {
    if (this.#connections.delete(requests)) this.#bytes -= requests.bytes;
  }

  #change(bytes: number): void {
    this.#bytes += bytes;
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

  /** What they hold. */
  get bytes(): number {
    return this.#bytes;
  }

  /** A stream was opened whose request has not ended with that. */
  open(streamId: number): void {
    if (!this.#requests.has(streamId)) this.#set(streamId, REQUEST_BYTES);
  }

  /** So many octets came on a stream. */
  receive(streamId: number, bytes: number): void {
    const before = this.#requests.get(streamId);
    if (before !== undefined) this.#set(streamId, before + bytes);
  }

  /** The request is complete, or nobody waits for the rest of it. */
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
