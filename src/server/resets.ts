/**
 * Streams the HTTP/2 server resets by itself, before or beside any gRPC status: a client reads the error code of the
 * reset as a gRPC code, and three of them as one that must not leave a Mount (see `status.ts`). Node answers a request of
 * more than 128 header fields with ENHANCE_YOUR_CALM, for one, which a client takes for RESOURCE_EXHAUSTED.
 */
import { constants } from 'node:http2';
import { FRAME_HEADER_BYTES, FrameWalk } from './frames.ts';

const RST_STREAM = 3;
const RST_STREAM_BYTES = FRAME_HEADER_BYTES + 4;
/** Read as UNAVAILABLE, CANCELLED and RESOURCE_EXHAUSTED. */
const NOT_FINAL: ReadonlySet<number> = new Set([
  constants.NGHTTP2_REFUSED_STREAM,
  constants.NGHTTP2_CANCEL,
  constants.NGHTTP2_ENHANCE_YOUR_CALM,
]);

/** The server's half of a connection, with INTERNAL_ERROR in the place of reset codes that are not final. */
export function resetPin(): FrameWalk {
  return new FrameWalk(0, (input) => {
    if (input[3] !== RST_STREAM) return { kind: 'pass' };
    if (input.length < RST_STREAM_BYTES) return { kind: 'incomplete', bytes: RST_STREAM_BYTES };
    const frame = Buffer.from(input.subarray(0, RST_STREAM_BYTES));
    if (NOT_FINAL.has(frame.readUInt32BE(FRAME_HEADER_BYTES))) {
      frame.writeUInt32BE(constants.NGHTTP2_INTERNAL_ERROR, FRAME_HEADER_BYTES);
    }
    return { kind: 'replace', bytes: RST_STREAM_BYTES, by: [frame] };
  });
}
