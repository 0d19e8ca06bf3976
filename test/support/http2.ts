/** HTTP/2 frames written byte by byte, for input that no client library sends. */

export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

export const type = {
  data: 0,
  headers: 1,
  rstStream: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;
export const flag = { ack: 1, endStream: 1, endHeaders: 4, padded: 8, priority: 32 } as const;

export function frame(kind: number, flags: number, streamId: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const header = Buffer.alloc(9);
  header.writeUIntBE(payload.length, 0, 3);
  header.writeUInt8(kind, 3);
  header.writeUInt8(flags, 4);
  header.writeUInt32BE(streamId, 5);
  return Buffer.concat([header, payload]);
}

export interface Frame {
  readonly kind: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

/** Returns the complete frames at the start of `bytes`. */
export function framesOf(bytes: Buffer): Frame[] {
  const frames: Frame[] = [];
  for (let at = 0; at + 9 <= bytes.length; ) {
    const end = at + 9 + bytes.readUIntBE(at, 3);
    if (end > bytes.length) break;
    frames.push({
      kind: bytes.readUInt8(at + 3),
      flags: bytes.readUInt8(at + 4),
      streamId: bytes.readUInt32BE(at + 5),
      payload: bytes.subarray(at + 9, end),
    });
    at = end;
  }
  return frames;
}

/** Encodes a string literal without Huffman coding. */
export function raw(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1');
  if (bytes.length < 127) return Buffer.concat([Buffer.of(bytes.length), bytes]);
  const rest = bytes.length - 127;
  const length = rest < 128 ? [127, rest] : [127, (rest % 128) + 128, Math.floor(rest / 128)];
  return Buffer.concat([Buffer.from(length), bytes]);
}

/** Encodes a string literal whose Huffman code is given. */
export function huffman(hex: string): Buffer {
  const bytes = Buffer.from(hex, 'hex');
  return Buffer.concat([Buffer.of(0x80 | bytes.length), bytes]);
}

/** First octet of a literal field, without the index of its name. */
export const literal = { indexed: 0x40, plain: 0x00, never: 0x10 } as const;

export const field = (representation: number, name: string, value: string): Buffer =>
  Buffer.concat([Buffer.of(representation), raw(name), raw(value)]);

/** Encodes the fields of a gRPC call. Pseudo-header fields come first. */
export function callBlock(method: string, authority: Buffer): Buffer {
  return Buffer.concat([
    Buffer.of(0x83, 0x86, 0x04),
    raw(`/v1alpha1.CSIDriverProvider/${method}`),
    authority,
    field(literal.plain, 'content-type', 'application/grpc'),
    field(literal.plain, 'te', 'trailers'),
  ]);
}

/** Encodes a gRPC message as a DATA frame that ends the stream. */
export function message(streamId: number, bytes: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(bytes.length, 1);
  return frame(type.data, flag.endStream, streamId, Buffer.concat([head, bytes]));
}

/** Encodes one `Version` call. Its authority is encoded as `authority`. */
export function versionCall(streamId: number, authority: Buffer): Buffer {
  const headers = frame(type.headers, flag.endHeaders, streamId, callBlock('Version', authority));
  return Buffer.concat([headers, message(streamId)]);
}

export const opening = Buffer.concat([PREFACE, frame(type.settings, 0, 0)]);
