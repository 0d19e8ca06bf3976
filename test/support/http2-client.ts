/**
 * An HTTP/2 client that shows each frame, for tests of the server.
 */
import { once } from 'node:events';
import { callBlock, type Frame, flag, frame, framesOf, literal, message, opening, raw, type } from './http2.ts';
import { rawConnection } from './server.ts';

const AUTHORITY = Buffer.concat([Buffer.of(literal.plain | 1), raw('localhost')]);

const windowUpdate = (streamId: number, bytes: number) => {
  const increment = Buffer.alloc(4);
  increment.writeUInt32BE(bytes);
  return frame(type.windowUpdate, 0, streamId, increment);
};

/** Options of a {@link RawClient}. */
export interface RawClientOptions {
  /** Returns received DATA to flow control; default: true. */
  readonly credits?: boolean;
  /** Answers pings; default: true. */
  readonly pongs?: boolean;
  /** Payload of the first SETTINGS frame. */
  readonly settings?: Buffer;
}

/** An HTTP/2 client that records each frame it receives. */
export class RawClient {
  /** Frames in the order in which they arrived. */
  readonly frames: Frame[] = [];
  /** Resolves when the connection is closed. */
  readonly closed: Promise<void>;
  readonly #socket: Awaited<ReturnType<typeof rawConnection>>;
  #rest = Buffer.alloc(0);
  #nextStream = 1;

  private constructor(socket: Awaited<ReturnType<typeof rawConnection>>, options: RawClientOptions) {
    this.#socket = socket;
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()));
    const { credits = true, pongs = true } = options;
    socket.on('data', (chunk: Buffer) => {
      this.#rest = Buffer.concat([this.#rest, chunk]);
      for (const found of framesOf(this.#rest)) {
        this.#rest = this.#rest.subarray(9 + found.payload.length);
        this.frames.push(found);
        if (credits && found.kind === type.data && found.payload.length > 0) {
          this.grant(0, found.payload.length);
          this.grant(found.streamId, found.payload.length);
        }
        if (pongs && found.kind === type.ping && found.flags === 0) {
          socket.write(frame(type.ping, flag.ack, 0, found.payload));
        }
      }
      socket.emit('frames');
    });
    const { settings } = options;
    socket.write(
      settings === undefined ? opening : Buffer.concat([opening.subarray(0, 24), frame(type.settings, 0, 0, settings)]),
    );
  }

  static async connect(path: string, options: RawClientOptions = {}): Promise<RawClient> {
    return new RawClient(await rawConnection(path), options);
  }

  /** Sends a complete call. Returns its stream. */
  call(method: string, request: Buffer = Buffer.alloc(0)): number {
    const streamId = this.#nextStream;
    this.#nextStream += 2;
    const headers = frame(type.headers, flag.endHeaders, streamId, callBlock(method, AUTHORITY));
    this.#socket.write(Buffer.concat([headers, message(streamId, request)]));
    return streamId;
  }

  /** Sends bytes unchanged. */
  send(...bytes: readonly Buffer[]): void {
    if (this.#socket.writable) this.#socket.write(Buffer.concat(bytes));
  }

  /** Allows the server to send more, on a stream or, with 0, on the connection. */
  grant(streamId: number, bytes: number): void {
    this.send(windowUpdate(streamId, bytes));
  }

  /** Reads nothing until {@link RawClient.resume}. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Resets a call. */
  reset(streamId: number): void {
    this.send(frame(type.rstStream, 0, streamId, Buffer.of(0, 0, 0, 8)));
  }

  close(): void {
    this.#socket.destroy();
  }

  ping(): void {
    this.send(frame(type.ping, 0, 0, Buffer.alloc(8)));
  }

  /** Resolves when `seen` returns true. It is called after each received frame. */
  async until(seen: () => boolean): Promise<void> {
    while (!seen()) await once(this.#socket, 'frames');
  }

  /** Returns true if the response on each stream is complete. */
  answered(...streamIds: readonly number[]): boolean {
    const ended = new Set(this.frames.filter(endsStream).map(({ streamId }) => streamId));
    return streamIds.every((streamId) => ended.has(streamId));
  }
}

/** Returns true if a frame is the last of its stream. */
function endsStream({ kind, flags }: Frame): boolean {
  return (kind === type.data || kind === type.headers) && (flags & flag.endStream) !== 0;
}
