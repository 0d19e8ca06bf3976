/**
 * HTTP/2 frames (RFC 9113 section 4.1) in a stream of chunks cut anywhere. Frames are walked by their length; nothing is
 * held back but a frame header that is not complete and what the visitor asks to see as a whole.
 */

/** Length, type, flags and stream of a frame. */
export const FRAME_HEADER_BYTES = 9;

/** What becomes of the frame that `input` begins with. */
export type Visit =
  /** It passes as it came. */
  | { readonly kind: 'pass' }
  /** The visitor decides when it has seen `bytes` of the input. */
  | { readonly kind: 'incomplete'; readonly bytes: number }
  /** `by` goes out instead of the first `bytes` of the input, which end a frame. */
  | { readonly kind: 'replace'; readonly bytes: number; readonly by: readonly Buffer[] }
  /** This is not what the visitor knows; from here on everything passes unread. */
  | { readonly kind: 'giveUp' };

/** Looks at input that begins with a frame; the header is complete, the payload may not be. */
export type FrameVisitor = (input: Buffer) => Visit;

/** Walks one direction of one connection. */
export class FrameWalk {
  readonly #visit: FrameVisitor;
  #held: Buffer[] = [];
  #heldBytes = 0;
  /** Held input is looked at again once there is this much of it. */
  #needed = 0;
  /** Octets to pass on before the next frame header. */
  #passing: number;
  #gaveUp = false;

  /** `prefaceBytes` pass unread before the first frame. */
  constructor(prefaceBytes: number, visit: FrameVisitor) {
    this.#passing = prefaceBytes;
    this.#visit = visit;
  }

  /** What to hand on now that `chunk` has come. */
  walk(chunk: Buffer): Buffer[] {
    if (this.#gaveUp) return [chunk];
    this.#held.push(chunk);
    this.#heldBytes += chunk.length;
    if (this.#heldBytes < this.#needed) return [];
    const input = this.#held.length === 1 ? chunk : Buffer.concat(this.#held);
    const out: Buffer[] = [];
    const end = this.#walkInput(input, out);
    this.#held = end < input.length ? [input.subarray(end)] : [];
    this.#heldBytes = input.length - end;
    return out;
  }

  /** Moves what is decided from `input` to `out`; returns where the rest begins. */
  #walkInput(input: Buffer, out: Buffer[]): number {
    this.#needed = 0;
    for (let at = 0; at < input.length; ) {
      if (this.#passing > 0) {
        const piece = input.subarray(at, at + this.#passing);
        out.push(piece);
        this.#passing -= piece.length;
        at += piece.length;
        continue;
      }
      const rest = input.subarray(at);
      const visit: Visit =
        rest.length < FRAME_HEADER_BYTES ? { kind: 'incomplete', bytes: FRAME_HEADER_BYTES } : this.#visit(rest);
      switch (visit.kind) {
        case 'pass':
          this.#passing = FRAME_HEADER_BYTES + rest.readUIntBE(0, 3);
          break;
        case 'replace':
          out.push(...visit.by);
          at += visit.bytes;
          break;
        case 'incomplete':
          this.#needed = visit.bytes;
          return at;
        case 'giveUp':
          this.#gaveUp = true;
          out.push(rest);
          return input.length;
      }
    }
    return input.length;
  }
}
