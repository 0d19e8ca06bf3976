/**
 * Makes the resets of the HTTP/2 server final. `answers.ts` calls it. A client reads the error code of a reset as a
 * gRPC code, and three of them as codes that must not end a Mount (see `status.ts`). For example, Node resets a request
 * of more than 128 header fields with ENHANCE_YOUR_CALM, which a client reads as RESOURCE_EXHAUSTED.
 */

import { constants } from 'node:http2';
import { FRAME_HEADER_BYTES } from './frames.ts';

const RST_STREAM_BYTES = FRAME_HEADER_BYTES + 4;
/** The codes that clients read as UNAVAILABLE, CANCELLED and RESOURCE_EXHAUSTED. */
const NOT_FINAL: ReadonlySet<number> = new Set([
  constants.NGHTTP2_REFUSED_STREAM,
  constants.NGHTTP2_CANCEL,
  constants.NGHTTP2_ENHANCE_YOUR_CALM,
]);

/** Returns `frame`, a whole RST_STREAM, with INTERNAL_ERROR instead of a code that is not final. */
export function finalReset(frame: Buffer): Buffer {
  if (frame.length !== RST_STREAM_BYTES || !NOT_FINAL.has(frame.readUInt32BE(FRAME_HEADER_BYTES))) return frame;
  const final = Buffer.from(frame);
  final.writeUInt32BE(constants.NGHTTP2_INTERNAL_ERROR, FRAME_HEADER_BYTES);
  return final;
}
