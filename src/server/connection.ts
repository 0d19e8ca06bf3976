/**
 * Wraps the socket of a client in a connection that pins its authorities and sends its answers whole. `server.ts` makes
 * one for each socket and gives it to grpc-js. A client that holds more memory than its share is disconnected.
 */

import { constants } from 'node:http2';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { Answers } from './answers.ts';
import { clientWalk, roomPing } from './client-frames.ts';
import { FRAME_HEADER_BYTES, FrameWalk, frameType, readHead, type Visit } from './frames.ts';
import { RequestBudget, type UnfinishedRequests } from './requests.ts';
import type { Use } from './room.ts';

/** The HTTP/2 server's side of one connection. */
export interface PinnedConnection extends Duplex {
  readonly use: Use;
  /** Resolves when every answer that is complete has left, or cannot leave any more. */
  delivered(): Promise<void>;
}

/**
 * What the HTTP/2 server is given for `socket`: each request names a host as its authority, each answer leaves as a
 * whole, each reset is final. `budget` bounds what the connections of a server hold of unfinished requests.
 */
export function pinConnection(socket: Socket, budget = new RequestBudget(Number.POSITIVE_INFINITY)): PinnedConnection {
  return new Pinned(socket, budget);
}

/** Input that the session is given in one turn of the event loop: a few Mounts, of which a hundred may come at once. */
const TURN_BYTES = 4 * 1024;
/** Answers that are ready at the same time leave together, up to about so much. */
const WRITE_BYTES = 32 * 1024;
/** Complete answers that wait for their client; with more, the session makes no further ones. */
const MAX_UNSENT_BYTES = 16 * 1024 * 1024;
/** Up to here it is cheaper to copy the pieces of a write into one than to hand them over one by one. */
const COPY_BYTES = 8 * 1024;
/** How long an answer waits for a client that does not even answer a ping, before it leaves in parts. */
const WAIT_FOR_ROOM_MS = 2000;
/** How long the client of a connection that is over has to read why. */
const LINGER_MS = 1000;

/**
 * Node lets an HTTP/2 session use any stream through an adapter that cannot write once it is shutting down, and throws
 * from a callback nobody can catch when the session tries. So the session is never shown the end of input or an error,
 * after either of which it would do both: when the socket is done, or broken, this is destroyed, and the session with it.
 * HTTP/2 has no half-closed connections, so nobody waits for an answer then.
 */
class Pinned extends Duplex implements PinnedConnection {
  readonly #socket: Socket;
  readonly #budget: RequestBudget;
  readonly #requests: UnfinishedRequests;
  readonly #answers = new Answers((streamId) => this.#requests.end(streamId));
  readonly #fromClient: FrameWalk;
  readonly #toClient = new FrameWalk(0, (input) => this.#visitAnswer(input));
  /** Input for later turns; the socket is paused while there is any. */
  #waiting: Buffer[] = [];
  /** While an answer waits for room, and nothing else left. */
  #wait: { readonly timer: NodeJS.Timeout; pinged: boolean } | undefined;
  #unansweredPings = 0;
  #ponged = false;
  /** Runs while the client of a connection that is over reads. */
  #lingerTimer: NodeJS.Timeout | undefined;
  /** The server said why it ends the connection, and reads no more of it. */
  #over = false;
  #onDelivered: (() => void)[] = [];
  /** Lets the session write on. */
  #goOn: (() => void) | undefined;

  constructor(socket: Socket, budget: RequestBudget) {
    super({ allowHalfOpen: false });
    this.#socket = socket;
    this.#budget = budget;
    this.#requests = budget.connection(() => this.destroy());
    this.#fromClient = clientWalk({
      answers: this.#answers,
      requests: this.#requests,
      ponged: () => {
        this.#unansweredPings--;
        this.#ponged = true;
      },
    });
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    for (const over of ['end', 'error', 'close']) socket.on(over, () => this.destroy());
  }

  get use(): Use {
    if (this.#answers.calls > 0) return 'busy';
    return this.#answers.newest > 0 ? 'idle' : 'unused';
  }

  delivered(): Promise<void> {
    if (this.destroyed || this.#answers.unsent === 0) return Promise.resolve();
    return new Promise((resolve) => this.#onDelivered.push(resolve));
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

  /** The session is over, and answers may still wait for the client to make room. */
  override _final(done: () => void): void {
    this.#waiting = [];
    this.#socket.resume();
    void this.delivered().then(() => this.#socket.end(() => done()));
  }

  override _destroy(_error: Error | null, done: (error?: Error | null) => void): void {
    this.#waiting = [];
    this.#budget.forget(this.#requests);
    this.#endWait();
    clearTimeout(this.#lingerTimer);
    this.#socket.destroy();
    this.#tellDelivered();
    done();
  }

  #receive(chunk: Buffer): void {
    if (this.destroyed || this.#over) return;
    const pieces = this.#fromClient.walk(chunk);
    if (this.destroyed) return;
    // The session says what is wrong with it, to the stream or to the connection.
    if (this.#fromClient.gaveUp) this.#linger();
    if (!this.writableEnded) {
      this.#waiting.push(...pieces);
      this.#feed();
    }
    this.#pump();
    // What the client says of its room may follow the answer to the ping.
    if (this.#ponged) this.#takePong();
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

  #visitAnswer(input: Buffer): Visit {
    const { type } = readHead(input);
    if (type !== frameType.goaway) return this.#answers.visit(input);
    const codeEnds = FRAME_HEADER_BYTES + 8;
    if (input.length < codeEnds) return { kind: 'incomplete', bytes: codeEnds };
    if (input.readUInt32BE(codeEnds - 4) !== constants.NGHTTP2_NO_ERROR) this.#over = true;
    return { kind: 'pass' };
  }

  /** Takes what the session writes. It goes on at once where that is held, so that it makes the rest of the answer. */
  #send(chunks: readonly Buffer[], done: () => void): void {
    const pieces = chunks.flatMap((chunk) => this.#toClient.walk(chunk));
    if (pieces.length === 0) this.#goOn = done;
    else
      this.#write(pieces, () => {
        this.#goOn = done;
        this.#pump();
      });
    if (this.#over) this.#linger();
    this.#pump();
  }

  /** Writes the answers that may leave, as long as the socket takes them. No answer is spread over two writes. */
  #pump(): void {
    while (!this.#socket.destroyed && this.#socket.writableLength === 0) {
      const pieces: Buffer[] = [];
      let bytes = 0;
      for (let answer = this.#answers.next(); answer !== undefined; answer = this.#answers.next()) {
        pieces.push(...answer);
        bytes += answer.reduce((sum, { length }) => sum + length, 0);
        if (bytes >= WRITE_BYTES) break;
      }
      if (pieces.length > 0) {
        this.#endWait();
        this.#write(pieces, () => this.#pump());
      } else {
        if (this.#answers.waits) this.#waitForRoom();
        break;
      }
    }
    if (this.#answers.unsent === 0) this.#tellDelivered();
    if (this.#answers.unsentBytes > MAX_UNSENT_BYTES) return;
    const goOn = this.#goOn;
    this.#goOn = undefined;
    goOn?.();
  }

  /**
   * The client makes room as it reads, but may keep some of it back. Once it has answered a ping that follows all it was
   * sent, no more comes by itself.
   */
  #waitForRoom(): void {
    this.#wait ??= { timer: setTimeout(() => this.#partAnswer(), WAIT_FOR_ROOM_MS), pinged: false };
    if (this.#wait.pinged || this.#answers.roomIsDue) return;
    this.#wait.pinged = true;
    this.#unansweredPings++;
    this.#write([roomPing()], () => {});
  }

  #takePong(): void {
    this.#ponged = false;
    if (this.#wait?.pinged && this.#unansweredPings === 0) this.#partAnswer();
  }

  #partAnswer(): void {
    this.#endWait();
    this.#answers.partFirst();
    this.#pump();
  }

  #endWait(): void {
    clearTimeout(this.#wait?.timer);
    this.#wait = undefined;
  }

  /** One write to the socket; `done` when it has taken all. */
  #write(pieces: readonly Buffer[], done: () => void): void {
    const bytes = pieces.reduce((sum, { length }) => sum + length, 0);
    if (bytes <= COPY_BYTES) {
      this.#socket.write(Buffer.concat(pieces, bytes), () => done());
      return;
    }
    this.#socket.cork();
    for (const [i, piece] of pieces.entries()) {
      if (i < pieces.length - 1) this.#socket.write(piece);
      else this.#socket.write(piece, () => done());
    }
    this.#socket.uncork();
  }

  /** A session may keep a connection that is broken: the client is given time to read why, and then it is cut. */
  #linger(): void {
    this.#lingerTimer ??= setTimeout(() => this.destroy(), LINGER_MS);
  }

  #tellDelivered(): void {
    for (const resolve of this.#onDelivered) resolve();
    this.#onDelivered = [];
  }
}
