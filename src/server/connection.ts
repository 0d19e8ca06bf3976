import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { authorityPin } from './authority.ts';
import { resetPin } from './resets.ts';

/** What the HTTP/2 server is given for `socket`: each request names a host as its authority, each reset is final. */
export function pinConnection(socket: Socket): Duplex {
  return new PinnedConnection(socket);
}

/** Input that the session is given in one turn of the event loop: a few Mounts, of which a hundred may come at once. */
const TURN_BYTES = 4 * 1024;

/**
 * Node lets an HTTP/2 session use any stream through an adapter that cannot write once it is shutting down, and throws
 * from a callback nobody can catch when the session tries. So the session is never shown the end of input or an error,
 * after either of which it would do both: when the socket is done, or broken, this is destroyed, and the session with it.
 * HTTP/2 has no half-closed connections, so nobody waits for an answer then.
 */
class PinnedConnection extends Duplex {
  readonly #socket: Socket;
  readonly #fromClient = authorityPin();
  readonly #toClient = resetPin();
  /** Input for later turns; the socket is paused while there is any. */
  #waiting: Buffer[] = [];

  constructor(socket: Socket) {
    super({ allowHalfOpen: false });
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#waiting.push(...this.#fromClient.walk(chunk));
      this.#feed();
    });
    for (const over of ['end', 'error', 'close']) socket.on(over, () => this.destroy());
  }

  override _read(): void {
    if (this.#waiting.length === 0) this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#send([chunk], done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: () => void): void {
    this.#send(
      chunks.map(({ chunk }) => chunk),
      done,
    );
  }

  override _final(done: () => void): void {
    this.#socket.end(() => done());
  }

  override _destroy(_error: Error | null, done: (error?: Error | null) => void): void {
    this.#waiting = [];
    this.#socket.destroy();
    done();
  }

  #feed(): void {
    let bytes = 0;
    let wanted = true;
    while (bytes < TURN_BYTES) {
      const piece = this.#waiting.shift();
      if (piece === undefined) break;
      bytes += piece.length;
      wanted = this.push(piece);
    }
    if (this.#waiting.length > 0) {
      this.#socket.pause();
      setImmediate(() => this.#feed());
    } else if (!wanted) this.#socket.pause();
    else this.#socket.resume();
  }

  #send(chunks: readonly Buffer[], done: () => void): void {
    const pieces = chunks.flatMap((chunk) => this.#toClient.walk(chunk));
    const last = pieces.pop();
    if (last === undefined) {
      done();
      return;
    }
    this.#socket.cork();
    for (const piece of pieces) this.#socket.write(piece);
    this.#socket.write(last, () => done());
    this.#socket.uncork();
  }
}
