/**
 * Charges one Mount for the memory that it uses, and makes it wait for its turn. `mount.ts` opens it, the vault reader
 * reserves each value in it. A Mount whose time ends while it waits here fails with ERR_NO_MEMORY.
 */

import { type Clock, msSince, type SteadyTime } from '../base/clock.ts';
import { ProviderError } from '../base/errors.ts';
import { BudgetFull, type Lease, type MemoryBudget } from '../base/memory-budget.ts';

/** A Mount that waits holds its request, as text and parsed, and its call. */
const CALL_BYTES = 8 * 1024;
const REQUEST_COPIES = 2;
/**
 * Memory of a Mount besides values: login, manifest, report. Each object has a request with its promises and timers.
 */
const MOUNT_BYTES = 128 * 1024;
const OBJECT_BYTES = 4 * 1024;
/** Copies of a value until its file is sent: the text, the file, the answer. */
const VALUE_COPIES = 3;
/** Reserved for a value before it is read: the largest that Key Vault holds is 25 KiB. The unused part is released. */
const READ_BYTES = VALUE_COPIES * 25 * 1024 + 8 * 1024;

/** The memory of one Mount, as the vault reader uses it. */
export interface ReadMemory {
  /**
   * Returns the value of `work`, which starts when the budget has enough memory for the largest value. `bytesOf`
   * returns the bytes that are kept of it.
   */
  during<T>(work: () => Promise<T>, bytesOf: (value: T) => number, signal: AbortSignal): Promise<T>;
}

/** The work that a Mount begins. */
export interface MountSize {
  /** Mounts of one vault share the budget. */
  readonly vaultUrl: string;
  readonly objects: number;
  /** Length of the request's texts. */
  readonly requestBytes: number;
}

/** The memory of one Mount. */
export class MountMemory implements ReadMemory {
  readonly #budget: MemoryBudget;
  readonly #clock: Clock;
  readonly #waits = new Set<{ readonly bytes: number; readonly since: SteadyTime }>();
  #lease: Lease | undefined;
  #closed = false;

  constructor(budget: MemoryBudget, clock: Clock) {
    this.#budget = budget;
    this.#clock = clock;
  }

  /** Waits until the Mount may begin. Throws: ERR_NO_MEMORY if too many wait already; the reason of `signal`. */
  async begin({ vaultUrl, objects, requestBytes }: MountSize, signal: AbortSignal): Promise<void> {
    const held = CALL_BYTES + REQUEST_COPIES * requestBytes;
    const bytes = MOUNT_BYTES + objects * OBJECT_BYTES;
    const opened = this.#budget.open({ owner: vaultUrl, held, bytes }, signal).catch((error: unknown) => {
      throw error instanceof BudgetFull
        ? noMemory(bytes, `the requests that wait fill half of the memory budget`)
        : error;
    });
    const lease = await this.#timed(bytes, opened);
    if (this.#closed) lease.close();
    this.#lease = lease;
  }

  /** Waits until the Mount may read so many objects more. Throws: the reason of `signal`. */
  async grow(objects: number, signal: AbortSignal): Promise<void> {
    const bytes = objects * OBJECT_BYTES;
    const waiting = bytes > 0 ? this.#lease?.reserve(bytes, signal) : undefined;
    if (waiting !== undefined) await this.#timed(bytes, waiting);
  }

  async during<T>(work: () => Promise<T>, bytesOf: (value: T) => number, signal: AbortSignal): Promise<T> {
    const lease = this.#lease;
    if (lease === undefined) return work();
    const reserved = lease.reserve(READ_BYTES, signal);
    if (reserved !== undefined) await this.#timed(READ_BYTES, reserved);
    let kept = 0;
    try {
      const value = await work();
      kept = VALUE_COPIES * bytesOf(value);
      return value;
    } finally {
      lease.add(kept - READ_BYTES);
      // A read leaves as much garbage as is kept of it: the answer, its text, the model of the SDK.
      this.#budget.discarded(kept);
    }
  }

  /** The values are files now, of so many bytes together, and their texts are garbage. */
  converted(bytes: number): void {
    this.#budget.discarded(bytes);
  }

  /** Returns the error of a Mount whose time ended, or undefined if it does not wait for memory. */
  refusal(): ProviderError | undefined {
    const [oldest] = this.#waits;
    if (oldest === undefined) return undefined;
    const seconds = Math.round(msSince(this.#clock, oldest.since) / 1000);
    return noMemory(oldest.bytes, `its time ended after it had waited ${seconds} s for its turn`);
  }

  /** Releases the memory of a Mount that has ended and whose answer is sent. */
  close(): void {
    this.#closed = true;
    this.#lease?.close();
  }

  #timed<T>(bytes: number, waiting: Promise<T>): Promise<T> {
    const wait = { bytes, since: this.#clock.steady() };
    this.#waits.add(wait);
    return waiting.finally(() => this.#waits.delete(wait));
  }
}

function noMemory(bytes: number, why: string): ProviderError {
  return new ProviderError(
    'ERR_NO_MEMORY',
    `failed to mount objects, error: the provider has no memory for this volume: it needs ${bytes} bytes more, and ${why}; ` +
      'raise its --memory-budget and memory limit (memoryBudget, linux.resources in its chart), or look for a vault that answers slowly',
  );
}
