/**
 * Bounds the number of connections of one listener. `server.ts` and `http.ts` call it. Above the limit, a connection
 * that is used less is closed for a new one, or the new one is refused, so that probes and drivers can always connect.
 */

/** A connection is `unused` before its first request, `busy` while it waits for an answer, else `idle`. */
export type ConnectionUse = 'unused' | 'idle' | 'busy';

/** The part of a connection that {@link ConnectionLimit} uses. */
export interface LimitedConnection {
  destroy(): unknown;
  once(event: 'close', gone: () => void): unknown;
}

/** The connections of one listener. */
export class ConnectionLimit {
  readonly #max: number;
  readonly #whenAllBusy: 'refuseNewest' | 'cutOldest';
  readonly #connections = new Map<LimitedConnection, () => ConnectionUse>();

  constructor(max: number, whenAllBusy: 'refuseNewest' | 'cutOldest') {
    this.#max = max;
    this.#whenAllBusy = whenAllBusy;
  }

  /** The number of open connections. */
  get size(): number {
    return this.#connections.size;
  }

  /** Admits `connection`. Above the limit, the oldest of the least used connections is closed. */
  admit(connection: LimitedConnection, use: () => ConnectionUse): void {
    const leaving = this.#connections.size < this.#max ? undefined : this.#leastUsed(connection);
    this.#connections.set(connection, use);
    connection.once('close', () => this.#connections.delete(connection));
    if (leaving === undefined) return;
    this.#connections.delete(leaving);
    leaving.destroy();
  }

  #leastUsed(newest: LimitedConnection): LimitedConnection {
    const connections = [...this.#connections].map(([connection, use]) => ({ connection, use: use() }));
    const found = connections.find(({ use }) => use === 'unused') ?? connections.find(({ use }) => use === 'idle');
    return found?.connection ?? (this.#whenAllBusy === 'cutOldest' ? (connections[0]?.connection ?? newest) : newest);
  }
}
