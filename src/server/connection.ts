import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { authorityPin } from './authority.ts';
import { resetPin } from './resets.ts';

/** What the HTTP/2 server is given for `socket`: each request names a host as its authority, each reset is final. */
export function pinConnection(socket: Socket): Duplex {
  return new PinnedConnection(socket);
}

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

  constructor(socket: Socket) {
    super({ allowHalfOpen: false });
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => {
      for (const piece of this.#fromClient.walk(chunk)) {
        if (!this.push(piece)) socket.pause();
      }
    });
    for (const over of ['end', 'error', 'close']) socket.on(over, () => this.destroy());
  }

  override _read(): void {
    this.#socket.resume();
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
    this.#socket.destroy();
    done();
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
