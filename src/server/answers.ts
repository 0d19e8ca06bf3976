/**
 * Holds the frames of each answer until the last is there, so that it leaves in one write, or, where the client's window
 * is too small for it, in as few as that allows, one such answer at a time. `connection.ts` hands in what the HTTP/2
 * server sends and writes what comes out. Frames that belong to no answer pass at once; nothing is refused.
 */

import { FRAME_HEADER_BYTES, type FrameHead, frameFlag, frameType, makeHead, readHead, type Visit } from './frames.ts';
import { finalReset } from './resets.ts';

/** Of a stream and of a connection, where the client says nothing else (RFC 9113 section 6.9.2). */
export const DEFAULT_WINDOW = 65_535;
/** No window is larger. */
export const MAX_WINDOW = 0x7fff_ffff;
/** What a header block begins with when the table of HPACK shrinks to nothing (RFC 7541 section 6.3). */
const EMPTY_TABLE = 0x20;

interface AnswerFrame {
  readonly head: FrameHead;
  /** In pieces as they came. */
  readonly payload: Buffer[];
}

/** One answer as far as it has been made, less what has left. */
interface Answer {
  readonly frames: AnswerFrame[];
  /** Octets of DATA in `frames`. */
  data: number;
  /** What the client gave this stream beyond the initial window, less what was sent. */
  credit: number;
  /** Whether the last header block or DATA frame of it has come. */
  ending: boolean;
}

/** Answers being made, answers that wait, and the room the client has for them. */
export class Answers {
  readonly #open = new Map<number, Answer>();
  /** Complete answers, in the order in which they became so. */
  readonly #ready = new Map<number, Answer>();
  #unsentBytes = 0;
  #newest = 0;
  /** Of DATA the client still takes on this connection, and the most it ever took at once. */
  #window = DEFAULT_WINDOW;
  #largestWindow = DEFAULT_WINDOW;
  #initialWindow = DEFAULT_WINDOW;
  /** The stream whose answer leaves in parts. */
  #parted: number | undefined;
  #made = 0;
  #emptyTable = false;
  readonly #answered: (streamId: number) => void;

  /** `answered` is told of each stream on which the HTTP/2 server has nothing more to say. */
  constructor(answered: (streamId: number) => void) {
    this.#answered = answered;
  }

  /** Calls whose answer has not left completely. */
  get calls(): number {
    return this.#open.size + this.#ready.size;
  }

  /** The last stream that was opened; 0 before there was one. */
  get newest(): number {
    return this.#newest;
  }

  /** Complete answers that have not left completely. */
  get unsent(): number {
    return this.#ready.size;
  }

  /** Octets of DATA of complete answers that have not left. */
  get unsentBytes(): number {
    return this.#unsentBytes;
  }

  /** The client opened a stream. */
  open(streamId: number): void {
    if (streamId <= this.#newest) return;
    this.#newest = streamId;
    this.#open.set(streamId, { frames: [], data: 0, credit: 0, ending: false });
  }

  /** The client wants no answer on this stream any more. */
  drop(streamId: number): void {
    this.#open.delete(streamId);
    this.#remove(streamId);
  }

  /** The client changed the window that streams begin with. */
  setInitialWindow(bytes: number): void {
    this.#initialWindow = bytes;
  }

  /** The client takes more on a stream, or on the whole connection where `streamId` is 0. */
  grant(streamId: number, bytes: number): void {
    if (streamId === 0) {
      this.#window = Math.min(MAX_WINDOW, this.#window + bytes);
      this.#largestWindow = Math.max(this.#largestWindow, this.#window);
      return;
    }
    const answer = this.#open.get(streamId) ?? this.#ready.get(streamId);
    if (answer !== undefined) answer.credit = Math.min(MAX_WINDOW, answer.credit + bytes);
  }

  /** Octets of DATA the HTTP/2 server has made since this was last asked for. */
  takeMade(): number {
    const made = this.#made;
    this.#made = 0;
    return made;
  }

  /** Takes the frames of answers from what the HTTP/2 server sends; see {@link FrameVisitor}. */
  visit(input: Buffer): Visit {
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
   * What is to leave now, as one write: a whole answer, or a part of one that is larger than the window. An answer that
   * waits for room in the connection's window is not overtaken.
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

  /** Whether a whole answer waits for the client to take what was sent before. */
  get waits(): boolean {
    return this.#ready.size > 0 && this.#parted === undefined;
  }

  /**
   * Whether the client has yet to tell of room it is bound to make: it tells when it took a quarter (Go) or half (nghttp2)
   * of the window, and says nothing of less.
   */
  get roomIsDue(): boolean {
    return this.#window < this.#largestWindow / 2;
  }

  /** Lets the answer that waits leave in parts. */
  partFirst(): void {
    const [first] = this.#ready.keys();
    this.#parted ??= first;
  }

  /** Whether the client is likely to make room for all of `answer` by itself. */
  #mayFit(answer: Answer): boolean {
    return answer.data <= Math.min(this.#largestWindow, this.#initialWindow + answer.credit);
  }

  /** Takes a frame that may be the last of its answer, once all of it is there. */
  #holdWhole(head: FrameHead, input: Buffer): Visit {
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
      this.#unsentBytes += answer.data;
      this.#answered(head.streamId);
    }
    return { kind: 'replace', bytes, by: [] };
  }

  #takeData(head: FrameHead): (piece: Buffer) => void {
    this.#made += head.length;
    const answer = this.#open.get(head.streamId);
    // The client has reset the stream, and the HTTP/2 server has yet to see it.
    if (answer === undefined) return () => {};
    const payload: Buffer[] = [];
    answer.frames.push({ head, payload });
    answer.data += head.length;
    return (piece) => payload.push(piece);
  }

  #takeHeaders(head: FrameHead, payload: Buffer): void {
    const shrinks = head.type === frameType.headers && payload[0] === EMPTY_TABLE;
    if (shrinks) this.#emptyTable = true;
    const kept = shrinks ? payload.subarray(1) : payload;
    this.#open.get(head.streamId)?.frames.push({ head: { ...head, length: kept.length }, payload: [kept] });
  }

  /** A reset follows an answer that is complete, and leaves in the place of one that is not. */
  #reset(head: FrameHead, frame: Buffer): readonly Buffer[] {
    const answer = this.#ready.get(head.streamId);
    if (answer !== undefined) {
      answer.frames.push({ head, payload: [frame.subarray(FRAME_HEADER_BYTES)] });
      return [];
    }
    this.#open.delete(head.streamId);
    this.#answered(head.streamId);
    return [frame];
  }

  #remove(streamId: number): void {
    this.#unsentBytes -= this.#ready.get(streamId)?.data ?? 0;
    this.#ready.delete(streamId);
    if (this.#parted === streamId) this.#parted = undefined;
  }

  /** The frames of `answer` up to and with `bytes` of its DATA, taken from it. */
  #send(answer: Answer, bytes: number): Buffer[] {
    this.#window -= bytes;
    this.#unsentBytes -= bytes;
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

  /** A frame that is no DATA; the first header block that leaves tells of the shrunken table, whichever was told to. */
  #written({ head, payload }: AnswerFrame): Buffer[] {
    if (!this.#emptyTable || head.type !== frameType.headers) return [makeHead(head), ...payload];
    this.#emptyTable = false;
    return [makeHead({ ...head, length: head.length + 1 }), Buffer.of(EMPTY_TABLE), ...payload];
  }
}

/** The first `bytes` of `pieces`, taken from them. */
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
