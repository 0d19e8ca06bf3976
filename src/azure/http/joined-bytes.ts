/**
 * Joins bytes that arrive in parts. `answer-reader.ts` uses it for the body of an answer and for what it cannot read yet.
 * Its work and memory grow with the bytes, and not with the number of parts: a host may send one byte at a time. It bounds
 * nothing: the caller counts.
 */

import { discard } from '../../base/discard.ts';

const NOTHING = Buffer.alloc(0);

/** Bytes of one or more parts. They may be values and tokens. */
export class JoinedBytes {
  /** One part as it came, or a copy of several, with room for more. */
  #buffer: Buffer = NOTHING;
  #isCopy = false;
  /** Number of bytes. */
  length = 0;

  /** Adds a part, which belongs to this object from now on: its memory may be freed. */
  add(part: Buffer): void {
    if (this.length === 0) {
      this.set(part);
      return;
    }
    const length = this.length + part.length;
    if (!this.#isCopy || length > this.#buffer.length) this.#grow(2 * length);
    part.copy(this.#buffer, this.length);
    this.length = length;
    discard(part);
  }

  /** Sets other bytes. Those before are not overwritten: they belong to somebody else now. */
  set(bytes: Buffer): void {
    this.#buffer = bytes;
    this.#isCopy = false;
    this.length = bytes.length;
  }

  /** Returns the bytes, not as a copy. */
  view(): Buffer {
    return this.length === this.#buffer.length ? this.#buffer : this.#buffer.subarray(0, this.length);
  }

  /** Overwrites the bytes and frees their memory. */
  discard(): void {
    discard(this.#buffer);
    this.set(NOTHING);
  }

  #grow(size: number): void {
    const larger = Buffer.allocUnsafeSlow(size);
    this.#buffer.copy(larger, 0, 0, this.length);
    discard(this.#buffer);
    this.#buffer = larger;
    this.#isCopy = true;
  }
}
