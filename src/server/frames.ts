/**
 * Walks HTTP/2 frames (RFC 9113 section 4.1) in a stream of chunks of any size, by their length. The readers of both
 * directions of a connection use it. It refuses nothing, and holds only incomplete frame headers and frames that the
 * visitor wants to see as a whole.
 */

/** The size of a frame header: length, type, flags and stream. */
export const FRAME_HEADER_BYTES = 9;
/** The default limit of an endpoint (RFC 9113 section 6.5.2); Node sends no other one. */
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

/** Flags of frames; `ack` is for SETTINGS and PING, `endStream` for DATA and HEADERS. */
export const frameFlag = { ack: 0x1, endStream: 0x1, endHeaders: 0x4, padded: 0x8, priority: 0x20 } as const;

/** The header of a frame. */
export interface FrameHead {
  /** The length of the payload, in octets. */
  readonly length: number;
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
}

/** Reads the frame header at the start of `input`, which must have at least {@link FRAME_HEADER_BYTES} octets. */
export function readHead(input: Buffer): FrameHead {
  return {
    length: input.readUIntBE(0, 3),
    type: input.readUInt8(3),
    flags: input.readUInt8(4),
    streamId: input.readUInt32BE(5) & 0x7fff_ffff,
  };
}

/** Returns a frame header. */
export function makeHead({ length, type, flags, streamId }: FrameHead): Buffer {
  const header = Buffer.allocUnsafe(FRAME_HEADER_BYTES);
  header.writeUIntBE(length, 0, 3);
  header.writeUInt8(type, 3);
  header.writeUInt8(flags, 4);
  header.writeUInt32BE(streamId, 5);
  return header;
}

/** Returns a whole frame. */
export function makeFrame(head: Omit<FrameHead, 'length'>, payload: Buffer): Buffer {
  return Buffer.concat([makeHead({ ...head, length: payload.length }), payload]);
}

/** The decision of a visitor on the frame at the start of `input`. */
export type FrameDecision =
  /** The frame passes unchanged. If `take` is set, its payload goes there instead, in pieces and without the header. */
  | { readonly kind: 'pass'; readonly take?: (piece: Buffer) => void }
  /** The visitor decides once it has `bytes` octets of the input. */
  | { readonly kind: 'incomplete'; readonly bytes: number }
  /** `by` is sent instead of the first `bytes` octets of the input, which are whole frames. */
  | { readonly kind: 'replace'; readonly bytes: number; readonly by: readonly Buffer[] }
  /** The visitor does not understand the input; from here on everything passes unread. */
  | { readonly kind: 'giveUp' };

/** Decides on the frame at the start of the input. The header is complete; the payload may be incomplete. */
export type FrameVisitor = (input: Buffer) => FrameDecision;

/** Walks one direction of one connection. */
export class FrameWalk {
  readonly #visit: FrameVisitor;
  #held: Buffer[] = [];
  #heldBytes = 0;
  /** The size at which held input is looked at again. */
  #needed = 0;
  /** The octets that pass before the next frame header, and their receiver if it is not the other side. */
  #passing: number;
  #take: ((piece: Buffer) => void) | undefined;
  #gaveUp = false;

  /** `prefaceBytes` pass unread before the first frame. */
  constructor(prefaceBytes: number, visit: FrameVisitor) {
    this.#passing = prefaceBytes;
    this.#visit = visit;
  }

  /** True once the input was not understood and passes unread. */
  get gaveUp(): boolean {
    return this.#gaveUp;
  }

  /** Returns the output for the next chunk of input. */
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

  /** Moves decided frames from `input` to `out`; returns the offset of the rest. */
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
      const visit: FrameDecision =
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
