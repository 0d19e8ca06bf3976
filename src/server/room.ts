/**
 * Room for a bounded number of connections of one listener; `server.ts` and `http.ts` ask it. A new connection is let in,
 * and one that is used less makes room for it, so that a probe or a driver finds a way in however many others are open.
 */

/** `unused` has asked for nothing yet, `idle` was answered, `busy` waits for an answer. */
export type Use = 'unused' | 'idle' | 'busy';

/** What {@link ConnectionRoom} has to know of a connection. */
export interface Guest {
  destroy(): unknown;
  once(event: 'close', gone: () => void): unknown;
}

/** The connections of one listener. */
export class ConnectionRoom {
  readonly #max: number;
  readonly #whenAllBusy: 'refuseNewest' | 'cutOldest';
  readonly #guests = new Map<Guest, () => Use>();

  constructor(max: number, whenAllBusy: 'refuseNewest' | 'cutOldest') {
    this.#max = max;
    this.#whenAllBusy = whenAllBusy;
  }

  /** Connections that are open. */
  get size(): number {
    return this.#guests.size;
  }

  /** Lets `guest` in, at the cost of the oldest that is used least where there is no room. */
  admit(guest: Guest, use: () => Use): void {
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
