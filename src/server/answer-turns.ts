/**
 * Lets answers be encoded one after another: an answer exists several times while gRPC and HTTP/2 take it. `service.ts`
 * takes a turn for each Mount's answer. Small answers share a turn; nothing is refused.
 */

/** Answers up to this size together are encoded at the same time. */
const TURN_BYTES = 1024 * 1024;

interface Waiter {
  readonly bytes: number;
  readonly start: () => void;
}

/** The answers that are being encoded, and those that wait. */
export class AnswerTurns {
  readonly #waiting: Waiter[] = [];
  #bytes = 0;
  #running = 0;

  /** Resolves when an answer of this size may be encoded, in the order of the calls, with a function that ends the turn. */
  async enter(bytes: number): Promise<() => void> {
    if (this.#waiting.length > 0 || !this.#fits(bytes)) {
      await new Promise<void>((start) => this.#waiting.push({ bytes, start }));
    } else this.#start(bytes);
    let over = false;
    return () => {
      if (over) return;
      over = true;
      this.#running--;
      this.#bytes -= bytes;
      this.#next();
    };
  }

  #fits(bytes: number): boolean {
    return this.#running === 0 || this.#bytes + bytes <= TURN_BYTES;
  }

  #start(bytes: number): void {
    this.#running++;
    this.#bytes += bytes;
  }

  #next(): void {
    for (let next = this.#waiting[0]; next !== undefined && this.#fits(next.bytes); next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#start(next.bytes);
      next.start();
    }
  }
}
