/**
 * Bounds the number of connections of one listener. `server.ts` and `http.ts` call it. Above the limit, a connection
 * that is used less is closed for a new one, or the new one is refused, so that probes and drivers can always connect.
 */

/** A connection is `unused` before its first request, `busy` while it waits for an answer, else `idle`. */
export type ConnectionUse = 'unused' | 'idle' | 'busy';

/** The part of a connection that {@link ConnectionRoom} uses. */
export interface Guest {
  destroy(): unknown;
  once(event: 'close', gone: () => void): unknown;
}

/** The connections of one listener. */
export class ConnectionRoom {
  readonly #max: number;
  readonly #whenAllBusy: 'refuseNewest' | 'cutOldest';
  readonly #guests = new Map<Guest, () => ConnectionUse>();

  constructor(max: number, whenAllBusy: 'refuseNewest' | 'cutOldest') {
    this.#max = max;
    this.#whenAllBusy = whenAllBusy;
  }

  /** The number of open connections. */
  get size(): number {
    return this.#guests.size;
  }

  /** Admits `guest`. Above the limit, the oldest of the least used connections is closed. */
  admit(guest: Guest, use: () => ConnectionUse): void {
    const leaving = this.#guests.size < this.#max ? undefined : this.#leastUsed(guest);
    this.#guests.set(guest, use);
    guest.once('close', () => this.#guests.delete(guest));
    if (leaving === undefined) return;
    this.#guests.delete(leaving);
    leaving.destroy();
  }

  #leastUsed(newest: Guest): Guest {
    const guests = [...this.#guests].map(([guest, use]) => ({ guest, use: use() }));
    const found = guests.find(({ use }) => use === 'unused') ?? guests.find(({ use }) => use === 'idle');
    return found?.guest ?? (this.#whenAllBusy === 'cutOldest' ? (guests[0]?.guest ?? newest) : newest);
  }
}
