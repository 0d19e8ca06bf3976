/**
 * HTTP/2 frames (RFC 9113 section 4.1) in a stream of chunks cut anywhere. Frames are walked by their length; nothing is
 * held back but a frame header that is not complete and what the visitor asks to see as a whole.
 */

/** Length, type, flags and stream of a frame. */
export const FRAME_HEADER_BYTES = 9;
/** What an endpoint that does not say otherwise accepts (RFC 9113 section 6.5.2); Node does not say otherwise. */
export const MAX_FRAME_BYTES = 16_384;

/** Types of frames (RFC 9113 section 6). */
export const frameType = {
  data: 0,
  headers: 1,
  rstStream: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

/** Flags of frames; `ack` stands on SETTINGS and PING, `endStream` on DATA and HEADERS. */
export const frameFlag = { ack: 0x1, endStream: 0x1, endHeaders: 0x4, padded: 0x8, priority: 0x20 } as const;

/** The header of a frame. */
export interface FrameHead {
  /** Of the payload, in octets. */
  readonly length: number;
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
}

/** The frame header that `input` begins with; at least {@link FRAME_HEADER_BYTES} octets have to be there. */
export function readHead(input: Buffer): FrameHead {
  return {
    length: input.readUIntBE(0, 3),
    type: input.readUInt8(3),
    flags: input.readUInt8(4),
    streamId: input.readUInt32BE(5) & 0x7fff_ffff,
  };
}

/** A frame header. */
export function makeHead({ length, type, flags, streamId }: FrameHead): Buffer {
  const header = Buffer.allocUnsafe(FRAME_HEADER_BYTES);
  header.writeUIntBE(length, 0, 3);
  header.writeUInt8(type, 3);
  header.writeUInt8(flags, 4);
  header.writeUInt32BE(streamId, 5);
  return header;
}

/** A whole frame. */
export function makeFrame(head: Omit<FrameHead, 'length'>, payload: Buffer): Buffer {
  return Buffer.concat([makeHead({ ...head, length: payload.length }), payload]);
}

/** What becomes of the frame that `input` begins with. */
export type Visit =
  /** It passes as it came; its payload goes to `take`, piece by piece and without the header, where there is one. */
  | { readonly kind: 'pass'; readonly take?: (piece: Buffer) => void }
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
  /** Octets to pass on before the next frame header, and to whom if not to the other side. */
  #passing: number;
  #take: ((piece: Buffer) => void) | undefined;
  #gaveUp = false;

  /** `prefaceBytes` pass unread before the first frame. */
  constructor(prefaceBytes: number, visit: FrameVisitor) {
    this.#passing = prefaceBytes;
    this.#visit = visit;
  }

  /** Whether the input was not understood, and passes unread since. */
  get gaveUp(): boolean {
    return this.#gaveUp;
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
        if (this.#take === undefined) out.push(piece);
        else this.#take(piece);
        this.#passing -= piece.length;
        at += piece.length;
        continue;
      }
      const rest = input.subarray(at);
      const visit: Visit =
        rest.length < FRAME_HEADER_BYTES ? { kind: 'incomplete', bytes: FRAME_HEADER_BYTES } : this.#visit(rest);
      switch (visit.kind) {
        case 'pass':
          this.#take = visit.take;
          this.#passing = rest.readUIntBE(0, 3);
          if (visit.take === undefined) this.#passing += FRAME_HEADER_BYTES;
          else at += FRAME_HEADER_BYTES;
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
