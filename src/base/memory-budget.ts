/**
 * Bounds the memory of everything under way by one number of bytes: Mounts, their values, requests and answers. Mounts
 * wait here in fair turns; `mount/memory.ts` and `server/` charge what they hold. It refuses Mounts if those that wait
 * hold half of the budget themselves.
 *
 * No deadlock: at any time one lease may go beyond the budget, and it keeps this right until it is closed. The oldest
 * lease that waits gets the right as soon as nobody has it. The holder never waits for memory, so it ends, at its
 * deadline at the latest, and the next oldest follows. A lease that has not begun waits for leases that have begun only.
 */

/** What a lease is opened for. */
export interface LeaseRequest {
  /** Leases of one owner share: together they take at most as much as is left free for all others. */
  readonly owner: string;
  /** Bytes that the caller holds already, also while it waits. */
  readonly held: number;
  /** Bytes that it needs to begin. */
  readonly bytes: number;
}

/** The state of a budget, in bytes and leases. */
export interface BudgetFigures {
  readonly limit: number;
  readonly used: number;
  /** The number of leases that wait, for their beginning or for more. */
  readonly waiting: number;
}

/** One caller's part of the budget. */
export interface Lease {
  /**
   * Takes `bytes` more, at once if they are free for it. Otherwise returns a promise that resolves when they are. Throws: the
   * reason of `signal` if it aborts before.
   */
  reserve(bytes: number, signal: AbortSignal): Promise<void> | undefined;
  /** Adds bytes that are there already, or gives back, with a negative number. */
  add(bytes: number): void;
  /** Gives everything back. Further calls have no effect. */
  close(): void;
}

/** Thrown if the leases that wait hold too much themselves. */
export class BudgetFull extends Error {}

/** Options of {@link MemoryBudget}. */
export interface BudgetOptions {
  /** Called when a quarter of the budget was discarded since the last call: a garbage collection is worth its time. */
  readonly onDiscarded?: () => void;
}

/** Part of the free bytes up to which the leases of one owner begin; the rest is for those that have begun. */
const BEGIN_SHARE = 0.5;
/** Part of the budget that leases may hold which have not begun. */
const ARRIVING_SHARE = 0.5;
/** Part of the budget that is discarded between two reports. */
const DISCARDED_SHARE = 0.25;

interface Waiter {
  readonly bytes: number;
  readonly grant: () => void;
}

/** The leases of one owner. */
interface Owner {
  held: number;
  /** The reservations of `begun` that wait. */
  waiting: number;
  /** Leases that have begun, the oldest first. */
  readonly begun: Set<OpenLease>;
  /** Leases that have not begun, the oldest first. */
  readonly arriving: Map<OpenLease, Waiter>;
}

/** The memory of everything under way. */
export class MemoryBudget {
  readonly #limit: number;
  readonly #onDiscarded: (() => void) | undefined;
  readonly #owners = new Map<string, Owner>();
  #used = 0;
  #begun = 0;
  /** Bytes held by leases that have not begun. */
  #heldByArriving = 0;
  /** The one lease that may go beyond the budget. */
  #exempt: OpenLease | undefined;
  #discarded = 0;
  #leases = 0;

  /** `limit` is a number of bytes. */
  constructor(limit: number, { onDiscarded }: BudgetOptions = {}) {
    this.#limit = limit;
    this.#onDiscarded = onDiscarded;
  }

  get figures(): BudgetFigures {
    let waiting = 0;
    for (const { arriving, begun } of this.#owners.values()) {
      waiting += arriving.size + [...begun].filter(({ pending }) => pending.size > 0).length;
    }
    return { limit: this.#limit, used: this.#used, waiting };
  }

  /** Adds bytes that are there already and belong to no lease, or gives them back, with a negative number. */
  charge(bytes: number): void {
    this.#used += bytes;
    if (bytes < 0) this.#serve();
  }

  /** Counts bytes that nobody uses any more, and that V8 has not collected. Leases that close count by themselves. */
  discarded(bytes: number): void {
    this.#discarded += bytes;
    if (this.#discarded < this.#limit * DISCARDED_SHARE) return;
    this.#discarded = 0;
    this.#onDiscarded?.();
  }

  /**
   * Opens a lease when its turn comes. An owner's leases begin in the order of their calls, and not before the waiting
   * ones that have begun. Throws: `BudgetFull`; the reason of `signal` if it aborts before.
   */
  async open({ owner: name, held, bytes }: LeaseRequest, signal: AbortSignal): Promise<Lease> {
    signal.throwIfAborted();
    const owner = this.#owners.get(name) ?? { held: 0, waiting: 0, begun: new Set(), arriving: new Map() };
    this.#owners.set(name, owner);
    const lease = new OpenLease(++this.#leases, (change) => this.#change(owner, change), {
      wait: (waited, abort) => this.#wait(lease, owner, waited, abort),
      close: () => this.#close(lease, name, owner),
    });
    lease.add(held);
    if (owner.arriving.size === 0 && this.#mayBegin(owner, bytes)) this.#begin(lease, owner, bytes);
    else if (this.#heldByArriving + held > this.#limit * ARRIVING_SHARE) {
      lease.close();
      throw new BudgetFull('the waiting leases hold half of the budget');
    } else await this.#arrive(lease, owner, { held, bytes, signal });
    return lease;
  }

  async #arrive(
    lease: OpenLease,
    owner: Owner,
    { held, bytes, signal }: { readonly held: number; readonly bytes: number; readonly signal: AbortSignal },
  ): Promise<void> {
    this.#heldByArriving += held;
    try {
      await turn(signal, (grant) => {
        owner.arriving.set(lease, { bytes, grant });
        return () => owner.arriving.delete(lease);
      });
    } catch (error) {
      lease.close();
      throw error;
    } finally {
      this.#heldByArriving -= held;
    }
  }

  #mayBegin(owner: Owner, bytes: number): boolean {
    if (this.#begun === 0) return true;
    return owner.waiting === 0 && owner.held + bytes <= this.#free * BEGIN_SHARE;
  }

  #begin(lease: OpenLease, owner: Owner, bytes: number): void {
    owner.begun.add(lease);
    this.#begun++;
    lease.add(bytes);
  }

  get #free(): number {
    return this.#limit - this.#used;
  }

  #mayReserve(lease: OpenLease, owner: Owner, bytes: number): boolean {
    return this.#exempt === lease || owner.held + bytes <= this.#free;
  }

  #wait(lease: OpenLease, owner: Owner, bytes: number, signal: AbortSignal): Promise<void> | undefined {
    if (this.#exempt === lease || (owner.waiting === 0 && this.#mayReserve(lease, owner, bytes))) {
      lease.add(bytes);
      return undefined;
    }
    return turn(signal, (grant) => {
      const waiter = { bytes, grant };
      lease.pending.add(waiter);
      owner.waiting++;
      // An older lease goes first, and it may be this one.
      queueMicrotask(() => this.#serve());
      return () => {
        if (lease.pending.delete(waiter)) owner.waiting--;
      };
    });
  }

  #change(owner: Owner, bytes: number): void {
    owner.held += bytes;
    this.#used += bytes;
    if (bytes < 0) this.#serve();
  }

  #close(lease: OpenLease, name: string, owner: Owner): void {
    if (owner.begun.delete(lease)) this.#begun--;
    if (this.#exempt === lease) this.#exempt = undefined;
    owner.waiting -= lease.pending.size;
    lease.pending.clear();
    owner.held -= lease.bytes;
    this.#used -= lease.bytes;
    if (owner.begun.size === 0 && owner.arriving.size === 0 && owner.held === 0) this.#owners.delete(name);
    this.discarded(lease.bytes);
    this.#serve();
  }

  /** Grants what may be granted: to leases that have begun, the oldest first; then to those that arrive. */
  #serve(): void {
    let oldest: OpenLease | undefined;
    for (const owner of this.#owners.values()) {
      const blocked = this.#serveBegun(owner);
      if (blocked !== undefined && blocked.age < (oldest?.age ?? Infinity)) oldest = blocked;
    }
    if (oldest !== undefined && this.#exempt === undefined) {
      this.#exempt = oldest;
      this.#serve();
      return;
    }
    for (const owner of this.#owners.values()) {
      for (const [lease, { bytes, grant }] of owner.arriving) {
        if (!this.#mayBegin(owner, bytes)) break;
        owner.arriving.delete(lease);
        this.#begin(lease, owner, bytes);
        grant();
      }
    }
  }

  /** Returns the oldest lease of `owner` that still waits. */
  #serveBegun(owner: Owner): OpenLease | undefined {
    if (owner.waiting === 0) return undefined;
    for (const lease of owner.begun) {
      if (lease.pending.size === 0) continue;
      for (const waiter of lease.pending) {
        if (!this.#mayReserve(lease, owner, waiter.bytes)) return lease;
        lease.pending.delete(waiter);
        owner.waiting--;
        lease.add(waiter.bytes);
        waiter.grant();
      }
    }
    return undefined;
  }
}

interface Handles {
  readonly wait: (bytes: number, signal: AbortSignal) => Promise<void> | undefined;
  readonly close: () => void;
}

class OpenLease implements Lease {
  readonly age: number;
  /** Reservations that wait, in the order of their calls. */
  readonly pending = new Set<Waiter>();
  bytes = 0;
  closed = false;
  readonly #change: (bytes: number) => void;
  readonly #handles: Handles;

  constructor(age: number, change: (bytes: number) => void, handles: Handles) {
    this.age = age;
    this.#change = change;
    this.#handles = handles;
  }

  reserve(bytes: number, signal: AbortSignal): Promise<void> | undefined {
    signal.throwIfAborted();
    return this.closed ? undefined : this.#handles.wait(bytes, signal);
  }

  add(bytes: number): void {
    if (this.closed) return;
    this.bytes += bytes;
    this.#change(bytes);
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.#handles.close();
  }
}

/** Resolves when `grant` is called, which `enter` gets; `enter` returns how to leave. Throws: the reason of `signal`. */
function turn(signal: AbortSignal, enter: (grant: () => void) => () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = () => {
      leave();
      reject(signal.reason);
    };
    signal.addEventListener('abort', abort, { once: true });
    const leave = enter(() => {
      signal.removeEventListener('abort', abort);
      resolve();
    });
  });
}
