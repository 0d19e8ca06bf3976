/**
 * Reads bodies of requests within bounds. Called by `server.ts`. Refuses a body that is too large, and one for which the
 * bodies under way leave no room; each is counted while it arrives.
 */

import type { IncomingMessage } from 'node:http';

/** Thrown for a body that is not read to its end; `status` is the HTTP status of the answer. */
export class BodyRefused extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** Limits of {@link Bodies}. */
export interface BodyLimits {
  /** Bytes of one body. */
  readonly bytes: number;
  /** Bytes of all bodies under way. A body counts from its first byte until its request is answered. */
  readonly allBytes: number;
}

/** A body, with the room that it takes. */
export interface Body {
  readonly text: string;
  /** Gives the room back. */
  release(): void;
}

/** The bodies under way. */
export class Bodies {
  readonly #limits: BodyLimits;
  #bytes = 0;

  constructor(limits: BodyLimits) {
    this.#limits = limits;
  }

  /** Reads a body. Throws: {@link BodyRefused}; the error of the connection. */
  async read(request: IncomingMessage): Promise<Body> {
    const { bytes: max } = this.#limits;
    const announced = Number(request.headers['content-length'] ?? 0);
    if (announced > max) throw new BodyRefused(413, `the body has ${announced} bytes, more than ${max}`);
    let taken = 0;
    let released = false;
    const release = () => {
      if (!released) this.#bytes -= taken;
      released = true;
    };
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request as AsyncIterable<Buffer>) {
        taken += chunk.length;
        this.#bytes += chunk.length;
        if (taken > max) throw new BodyRefused(413, `the body has more than ${max} bytes`);
        if (this.#bytes > this.#limits.allBytes) throw new BodyRefused(503, 'too many requests are under way');
        chunks.push(chunk);
      }
      return { text: Buffer.concat(chunks).toString('utf8'), release };
    } catch (error) {
      release();
      throw error;
    }
  }
}
