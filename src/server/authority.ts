/**
 * The authority pin. Drivers up to v1.5.6 dial the bare socket path, so their calls carry it as `:authority`; nghttp2
 * refuses a `/` there and resets the stream before any handler runs. So the authority of each request is replaced
 * before nghttp2 sees it.
 *
 * Only header blocks are changed. A header block is held until it is complete. A block without a literal `:authority`
 * passes unchanged; a rewritten block is sent in new frames, without padding.
 *
 * This file raises no error. Input that it does not understand (a broken frame sequence, a block that is not HPACK or
 * too large) passes unchanged, and so does all input after it. nghttp2 then ends the connection or the stream with the
 * error of the protocol.
 */

import {
  FRAME_HEADER_BYTES,
  type FrameDecision,
  type FrameHead,
  type FrameVisitor,
  frameFlag,
  frameType,
  MAX_FRAME_BYTES,
  makeFrame,
  readHead,
} from './frames.ts';
import { AuthorityRewriter } from './hpack.ts';

/** Longer header blocks pass unread; a driver sends less than 500 octets. */
const MAX_BLOCK_BYTES = 65_536;
/** nghttp2 allows 8 CONTINUATION frames after one HEADERS frame. */
const MAX_BLOCK_FRAMES = 16;

const PRIORITY_BYTES = 5;

/** Replaces the authority of every request in the client's half of a connection. */
export function authorityPin(): FrameVisitor {
  const rewriter = new AuthorityRewriter();
  return (input) => {
    const { type } = readHead(input);
    if (type !== frameType.headers && type !== frameType.continuation) return { kind: 'pass' };
    const block = readBlock(input);
    return block.kind === 'block' ? pinned(input, block, rewriter) : block;
  };
}

/** One header block of the input. */
interface HeaderBlock {
  readonly kind: 'block';
  /** The length of its frames, in octets. */
  readonly bytes: number;
  readonly flags: number;
  readonly streamId: number;
  readonly priority: Buffer;
  readonly fragments: readonly Buffer[];
}

function pinned(input: Buffer, block: HeaderBlock, rewriter: AuthorityRewriter): FrameDecision {
  const { bytes, fragments } = block;
  const before = Buffer.concat(fragments);
  const after = rewriter.rewrite(before);
  if (after === undefined) return { kind: 'giveUp' };
  const by = after === before ? [input.subarray(0, bytes)] : writeBlock(block, after);
  return { kind: 'replace', bytes, by };
}

/** Reads the header block at the start of `input`. */
function readBlock(input: Buffer): HeaderBlock | FrameDecision {
  const first = frameAt(input, 0, ({ type }) => type === frameType.headers);
  if (first.kind !== 'frame') return first;
  const { flags, streamId } = first;
  const content = headersContent(first.payload, flags);
  if (content === undefined) return GIVE_UP;
  const head = { flags, streamId, priority: content.priority };
  const fragments = [content.fragment];
  let last = first;
  while (!(last.flags & frameFlag.endHeaders)) {
    if (last.end > MAX_BLOCK_BYTES || fragments.length >= MAX_BLOCK_FRAMES) return GIVE_UP;
    const next = frameAt(input, last.end, (head) => head.type === frameType.continuation && head.streamId === streamId);
    if (next.kind !== 'frame') return next;
    fragments.push(next.payload);
    last = next;
  }
  return { kind: 'block', bytes: last.end, ...head, fragments };
}

const GIVE_UP: FrameDecision = { kind: 'giveUp' };

/** One complete frame of the input. */
interface Frame extends FrameHead {
  readonly kind: 'frame';
  readonly payload: Buffer;
  /** The offset of the next frame. */
  readonly end: number;
}

function frameAt(input: Buffer, at: number, isWanted: (head: FrameHead) => boolean): Frame | FrameDecision {
  const payloadAt = at + FRAME_HEADER_BYTES;
  if (input.length < payloadAt) return { kind: 'incomplete', bytes: payloadAt };
  const head = readHead(input.subarray(at));
  if (!isWanted(head) || head.length > MAX_FRAME_BYTES) return GIVE_UP;
  const end = payloadAt + head.length;
  if (input.length < end) return { kind: 'incomplete', bytes: end };
  return { kind: 'frame', ...head, payload: input.subarray(payloadAt, end), end };
}

/** Payload of a HEADERS frame without its padding; `undefined` if it is shorter than its flags say. */
function headersContent(payload: Buffer, flags: number): { priority: Buffer; fragment: Buffer } | undefined {
  const padded = (flags & frameFlag.padded) !== 0;
  const start = padded ? 1 : 0;
  const fragmentStart = start + (flags & frameFlag.priority ? PRIORITY_BYTES : 0);
  const end = payload.length - (padded ? (payload[0] ?? 0) : 0);
  if (end < fragmentStart) return undefined;
  return { priority: payload.subarray(start, fragmentStart), fragment: payload.subarray(fragmentStart, end) };
}

/** A HEADERS frame with `fragment`, and CONTINUATION frames for the rest if it is too long for one frame. */
function writeBlock({ flags, streamId, priority }: HeaderBlock, fragment: Buffer): Buffer[] {
  const payload = Buffer.concat([priority, fragment]);
  const frames: Buffer[] = [];
  for (let at = 0; at < payload.length; at += MAX_FRAME_BYTES) {
    const piece = payload.subarray(at, at + MAX_FRAME_BYTES);
    const kept = at === 0 ? flags & (frameFlag.endStream | frameFlag.priority) : 0;
    const ends = at + piece.length === payload.length ? frameFlag.endHeaders : 0;
    const type = at === 0 ? frameType.headers : frameType.continuation;
    frames.push(makeFrame({ type, flags: kept | ends, streamId }, piece));
  }
  return frames;
}
