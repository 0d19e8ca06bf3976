/**
 * Holds the frames of each answer until its last frame is made, so that the answer leaves in one write. If the window
 * of the client is too small, the answer leaves in as few writes as the window allows, one such answer at a time.
 * `connection.ts` passes the output of the HTTP/2 server through it. Other frames pass at once; nothing is refused.
 */

import {
  FRAME_HEADER_BYTES,
  type FrameDecision,
  type FrameHead,
  frameFlag,
  frameType,
  makeHead,
  readHead,
} from './frames.ts';
import { finalReset } from './resets.ts';

/** The window of a stream and of a connection, unless the client sets another one (RFC 9113 section 6.9.2). */
export const DEFAULT_WINDOW = 65_535;
/** The largest window. */
export const MAX_WINDOW = 0x7fff_ffff;
/** The first octet of a header block that sets the size of the HPACK table to 0 (RFC 7541 section 6.3). */
const EMPTY_TABLE = 0x20;

interface AnswerFrame {
  readonly head: FrameHead;
  /** The payload in the pieces in which it came. */
  readonly payload: Buffer[];
}

/** The part of one answer that is made and has not been sent. */
interface Answer {
  readonly frames: AnswerFrame[];
  /** Octets of DATA in `frames`. */
  data: number;
  /** The window updates of this stream, less the octets that were sent. */
  credit: number;
  /** True if the last header block or DATA frame has come. */
  ending: boolean;
}

/** The answers that are being made or wait to be sent, and the windows of the client. */
export class Answers {
  readonly #open = new Map<number, Answer>();
  /** Complete answers, in the order of their completion. */
  readonly #ready = new Map<number, Answer>();
  #heldBytes = 0;
  #newest = 0;
  /** The octets of DATA that the client accepts on this connection now, and the most that it ever accepted at once. */
  #window = DEFAULT_WINDOW;
  #largestWindow = DEFAULT_WINDOW;
  #initialWindow = DEFAULT_WINDOW;
  /** The stream whose answer is sent in parts. */
  #parted: number | undefined;
  #made = 0;
  #emptyTable = false;
  readonly #answered: (streamId: number) => void;

  /** `answered` is called for each stream on which the HTTP/2 server sends no more frames. */
  constructor(answered: (streamId: number) => void) {
    this.#answered = answered;
  }

  /** The number of calls whose answer has not been sent completely. */
  get calls(): number {
    return this.#open.size + this.#ready.size;
  }

  /** The stream that was opened last; 0 before the first. */
  get newest(): number {
    return this.#newest;
  }

  /** The octets of DATA that were made and not sent. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** The client opened a stream. */
  open(streamId: number): void {
    if (streamId <= this.#newest) return;
    this.#newest = streamId;
    this.#open.set(streamId, { frames: [], data: 0, credit: 0, ending: false });
  }

  /** The HTTP/2 server has ended: it makes no more answers. */
  endOpen(): void {
    for (const streamId of this.#open.keys()) this.drop(streamId);
  }

  /** The client no longer wants an answer on this stream. */
  drop(streamId: number): void {
    this.#heldBytes -= this.#open.get(streamId)?.data ?? 0;
    this.#open.delete(streamId);
    this.#remove(streamId);
  }

  /** The client changed the window that streams begin with. */
  setInitialWindow(bytes: number): void {
    this.#initialWindow = bytes;
  }

  /** The client accepts more on a stream, or on the whole connection if `streamId` is 0. */
  grant(streamId: number, bytes: number): void {
    if (streamId === 0) {
      this.#window = Math.min(MAX_WINDOW, this.#window + bytes);
      this.#largestWindow = Math.max(this.#largestWindow, this.#window);
      return;
    }
    const answer = this.#open.get(streamId) ?? this.#ready.get(streamId);
    if (answer !== undefined) answer.credit = Math.min(MAX_WINDOW, answer.credit + bytes);
  }

  /** The octets of DATA that the HTTP/2 server has made since the last call of this method. */
  takeMade(): number {
    const made = this.#made;
    this.#made = 0;
    return made;
  }

  /** Takes the frames of answers from what the HTTP/2 server sends; see {@link FrameVisitor}. */
  visit(input: Buffer): FrameDecision {
    const head = readHead(input);
    const bytes = FRAME_HEADER_BYTES + head.length;
    switch (head.type) {
      case frameType.data:
        if (head.flags & frameFlag.endStream) return this.#holdWhole(head, input);
        return { kind: 'pass', take: this.#takeData(head) };
      case frameType.headers:
      case frameType.continuation:
        return this.#holdWhole(head, input);
      case frameType.rstStream:
        if (input.length < bytes) return { kind: 'incomplete', bytes };
        return { kind: 'replace', bytes, by: this.#reset(head, finalReset(input.subarray(0, bytes))) };
      default:
        return { kind: 'pass' };
    }
  }

  /**
   * The next write: a whole answer, or a part of an answer that is larger than the window. No answer overtakes one that
   * waits for the window of the connection.
   */
  next(): Buffer[] | undefined {
    for (const [streamId, answer] of this.#ready) {
      const room = Math.min(this.#window, this.#initialWindow + answer.credit);
      if (answer.data === 0 || answer.data <= room) {
        const whole = this.#send(answer, answer.data);
        this.#remove(streamId);
        return whole;
      }
      if (this.#parted === undefined) {
        if (this.#mayFit(answer)) return undefined;
        this.#parted = streamId;
      }
      if (this.#parted === streamId && room > 0) return this.#send(answer, room);
    }
    return undefined;
  }

  /** True if a whole answer waits until the client has read earlier ones. */
  get waits(): boolean {
    return this.#ready.size > 0 && this.#parted === undefined;
  }

  /**
   * True if the client still owes a window update. A client sends one after it has read a quarter (Go) or half
   * (nghttp2) of the window, and none before.
   */
  get roomIsDue(): boolean {
    return this.#window < this.#largestWindow / 2;
  }

  /** Allows the waiting answer to be sent in parts. */
  partFirst(): void {
    const [first] = this.#ready.keys();
    this.#parted ??= first;
  }

  /** True if the client will probably accept all of `answer` without a ping. */
  #mayFit(answer: Answer): boolean {
    return answer.data <= Math.min(this.#largestWindow, this.#initialWindow + answer.credit);
  }

  /** Takes a complete frame that may be the last of its answer. */
  #holdWhole(head: FrameHead, input: Buffer): FrameDecision {
    const bytes = FRAME_HEADER_BYTES + head.length;
    if (input.length < bytes) return { kind: 'incomplete', bytes };
    const payload = input.subarray(FRAME_HEADER_BYTES, bytes);
    if (head.type === frameType.data) this.#takeData(head)(payload);
    else this.#takeHeaders(head, payload);
    const answer = this.#open.get(head.streamId);
    if (answer === undefined) return { kind: 'replace', bytes, by: [] };
    if (head.type !== frameType.continuation && head.flags & frameFlag.endStream) answer.ending = true;
    if (answer.ending && (head.type === frameType.data || head.flags & frameFlag.endHeaders)) {
      this.#open.delete(head.streamId);
      this.#ready.set(head.streamId, answer);
      this.#answered(head.streamId);
    }
    return { kind: 'replace', bytes, by: [] };
  }

  #takeData(head: FrameHead): (piece: Buffer) => void {
    this.#made += head.length;
    const answer = this.#open.get(head.streamId);
    // The client has reset the stream; the HTTP/2 server does not know it yet.
    if (answer === undefined) return () => {};
    const payload: Buffer[] = [];
    answer.frames.push({ head, payload });
    answer.data += head.length;
    this.#heldBytes += head.length;
    return (piece) => payload.push(piece);
  }

  #takeHeaders(head: FrameHead, payload: Buffer): void {
    const shrinks = head.type === frameType.headers && payload[0] === EMPTY_TABLE;
    if (shrinks) this.#emptyTable = true;
    const kept = shrinks ? payload.subarray(1) : payload;
    this.#open.get(head.streamId)?.frames.push({ head: { ...head, length: kept.length }, payload: [kept] });
  }

  /** A reset is sent after a complete answer, and instead of an incomplete one. */
  #reset(head: FrameHead, frame: Buffer): readonly Buffer[] {
    const answer = this.#ready.get(head.streamId);
    if (answer !== undefined) {
      answer.frames.push({ head, payload: [frame.subarray(FRAME_HEADER_BYTES)] });
      return [];
    }
    this.drop(head.streamId);
    this.#answered(head.streamId);
    return [frame];
  }

  #remove(streamId: number): void {
    this.#heldBytes -= this.#ready.get(streamId)?.data ?? 0;
    this.#ready.delete(streamId);
    if (this.#parted === streamId) this.#parted = undefined;
  }

  /** Removes the first frames of `answer`, up to `bytes` octets of DATA, and returns them. */
  #send(answer: Answer, bytes: number): Buffer[] {
    this.#window -= bytes;
    this.#heldBytes -= bytes;
    answer.credit -= bytes;
    answer.data -= bytes;
    const out: Buffer[] = [];
    for (let left = bytes; left > 0 || answer.data === 0; ) {
      const frame = answer.frames.shift();
      if (frame === undefined) break;
      const { head, payload } = frame;
      if (head.type !== frameType.data) {
        out.push(...this.#written(frame));
      } else if (head.length <= left) {
        left -= head.length;
        out.push(makeHead(head), ...payload);
      } else {
        out.push(makeHead({ ...head, flags: 0, length: left }), ...taken(payload, left));
        answer.frames.unshift({ head: { ...head, length: head.length - left }, payload });
        left = 0;
      }
    }
    return out;
  }

  /** A frame other than DATA. The first header block that is sent carries the new size of the HPACK table. */
  #written({ head, payload }: AnswerFrame): Buffer[] {
    if (!this.#emptyTable || head.type !== frameType.headers) return [makeHead(head), ...payload];
    this.#emptyTable = false;
    return [makeHead({ ...head, length: head.length + 1 }), Buffer.of(EMPTY_TABLE), ...payload];
  }
}

/** Removes the first `bytes` octets of `pieces` and returns them. */
function taken(pieces: Buffer[], bytes: number): Buffer[] {
  const out: Buffer[] = [];
  for (let left = bytes; left > 0; ) {
    const piece = pieces.shift();
    if (piece === undefined) break;
    out.push(piece.subarray(0, left));
    if (piece.length > left) pieces.unshift(piece.subarray(left));
    left -= Math.min(left, piece.length);
  }
  return out;
}
