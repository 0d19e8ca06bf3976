/**
 * Wraps the socket of a client in a connection that pins its authorities and sends its answers whole. `server.ts` makes
 * one for each socket and gives it to grpc-js. A client that holds more memory than its share is disconnected.
 */

import { constants } from 'node:http2';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { discard } from '../base/discard.ts';
import type { MemoryBudget } from '../base/memory-budget.ts';
import { Answers } from './answers.ts';
import { clientWalk, roomPing } from './client-frames.ts';
import type { ConnectionUse } from './connection-limit.ts';
import { FRAME_HEADER_BYTES, type FrameDecision, FrameWalk, frameType, readHead } from './frames.ts';
import { RequestBudget, type UnfinishedRequests } from './requests.ts';

/** The stream that the HTTP/2 server gets for one connection. */
export interface PinnedConnection extends Duplex {
  readonly use: ConnectionUse;
  /** Bytes of answers that were made and that the socket has not taken. */
  readonly unsentBytes: number;
  /** Bytes that the socket has taken so far. */
  readonly sentBytes: number;
  /** Resolves when the client has every answer to the calls that it made so far, or can no longer get it. */
  delivered(): Promise<void>;
}

/**
 * Wraps `socket` for the HTTP/2 server: each request has a host as its authority, each answer is sent as a whole, each
 * reset has a final code. `budget` bounds the unfinished requests of all connections of a server. Answers that wait for
 * the client are charged to `memory`.
 */
export function pinConnection(
  socket: Socket,
  budget = new RequestBudget(Number.POSITIVE_INFINITY),
  memory?: MemoryBudget,
): PinnedConnection {
  return new Pinned(socket, budget, memory);
}

/** The octets of input that the session gets in one turn of the event loop: a few of up to a hundred Mounts. */
const TURN_BYTES = 4 * 1024;
/** Answers that are ready at the same time are sent together, up to about this size. */
const WRITE_BYTES = 32 * 1024;
/** Up to this size, one copied buffer is cheaper than a write of several buffers. */
const COPY_BYTES = 8 * 1024;
/** The time that an answer waits for a client that does not answer a ping, before it is sent in parts. */
const WAIT_FOR_ROOM_MS = 2000;
/** The time that a client has to read the reason after its connection was ended. */
const LINGER_MS = 1000;

/**
 * Node connects an HTTP/2 session to a stream through an adapter. That adapter cannot write once it shuts down, and
 * throws from a callback that nobody can catch if the session writes. A session shuts down and writes after the end of
 * the input and after an error, so it never sees either: if the socket ends or fails, this stream is destroyed, and the
 * session with it. HTTP/2 has no half-closed connections, so no client waits for an answer then.
 */
class Pinned extends Duplex implements PinnedConnection {
  readonly #socket: Socket;
  readonly #budget: RequestBudget;
  readonly #memory: MemoryBudget | undefined;
  /** Bytes that are charged to `#memory`. */
  #charged = 0;
  readonly #requests: UnfinishedRequests;
  readonly #answers = new Answers((streamId) => this.#requests.end(streamId));
  readonly #fromClient: FrameWalk;
  readonly #toClient = new FrameWalk(0, (input) => this.#visitAnswer(input));
  /** Input for later turns; while there is some, the socket is paused. */
  #waiting: Buffer[] = [];
  /** Set while an answer waits for the window and no other answer can be sent. */
  #wait: { readonly timer: NodeJS.Timeout; pinged: boolean } | undefined;
  #unansweredPings = 0;
  #ponged = false;
  /** Runs while the client reads the reason for the end of its connection. */
  #lingerTimer: NodeJS.Timeout | undefined;
  /** The server has sent the reason for the end of the connection, and reads no more. */
  #over = false;
  #onDelivered: (() => void)[] = [];
  /** Resumes the writing of the session. */
  #goOn: (() => void) | undefined;

  constructor(socket: Socket, budget: RequestBudget, memory: MemoryBudget | undefined) {
    super({ allowHalfOpen: false });
    this.#socket = socket;
    this.#budget = budget;
    this.#memory = memory;
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

  get use(): ConnectionUse {
    if (this.#answers.calls > 0) return 'busy';
    return this.#answers.newest > 0 ? 'idle' : 'unused';
  }

  get unsentBytes(): number {
    return this.#answers.heldBytes + this.#socket.writableLength;
  }

  get sentBytes(): number {
    return this.#socket.bytesWritten - this.#socket.writableLength;
  }

  delivered(): Promise<void> {
    return new Promise((resolve) => {
      this.#onDelivered.push(resolve);
      this.#tellDelivered();
    });
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

  /** The session has ended; answers may still wait for the window of the client. */
  override _final(done: () => void): void {
    this.#waiting = [];
    this.#answers.endOpen();
    this.#socket.resume();
    void this.delivered().then(() => this.#socket.end(() => done()));
  }

  override _destroy(_error: Error | null, done: (error?: Error | null) => void): void {
    this.#waiting = [];
    this.#budget.forget(this.#requests);
    this.#endWait();
    clearTimeout(this.#lingerTimer);
    this.#socket.destroy();
    this.#account();
    this.#tellDelivered();
    done();
  }

  #receive(chunk: Buffer): void {
    if (this.destroyed || this.#over) return;
    const pieces = this.#fromClient.walk(chunk);
    if (this.destroyed) return;
    // The session reports its own errors to the stream or the connection.
    if (this.#fromClient.gaveUp) this.#linger();
    if (!this.writableEnded) {
      this.#waiting.push(...pieces);
      this.#feed();
    }
    this.#pump();
    // A window update of the client may follow its answer to the ping.
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

  #visitAnswer(input: Buffer): FrameDecision {
    const { type } = readHead(input);
    if (type !== frameType.goaway) return this.#answers.visit(input);
    const codeEnds = FRAME_HEADER_BYTES + 8;
    if (input.length < codeEnds) return { kind: 'incomplete', bytes: codeEnds };
    if (input.readUInt32BE(codeEnds - 4) !== constants.NGHTTP2_NO_ERROR) this.#over = true;
    return { kind: 'pass' };
  }

  /**
   * Takes the output of the session. While it is held, the session may continue at once, so that it makes the rest of
   * the answer.
   */
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

  /** Writes the answers that may be sent, as long as the socket accepts them. No answer is split over two writes. */
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
    this.#tellDelivered();
    this.#account();
    const goOn = this.#goOn;
    this.#goOn = undefined;
    goOn?.();
  }

  /**
   * The client sends window updates as it reads, but not for all that it has read. After it has answered a ping that
   * follows everything that was sent, no further update comes by itself.
   */
  #waitForRoom(): void {
    this.#wait ??= { timer: setTimeout(() => this.#partAnswer(), WAIT_FOR_ROOM_MS), pinged: false };
    if (this.#wait.pinged || this.#answers.roomIsDue) return;
    this.#wait.pinged = true;
    this.#unansweredPings++;
    this.#write([roomPing()], () => {});
  }

  #account(): void {
    const unsent = this.destroyed ? 0 : this.unsentBytes;
    const change = unsent - this.#charged;
    this.#charged = unsent;
    if (change !== 0) this.#memory?.charge(change);
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

  /** One write to the socket; `done` is called when the socket has accepted it. */
  #write(pieces: readonly Buffer[], done: () => void): void {
    const bytes = pieces.reduce((sum, { length }) => sum + length, 0);
    if (bytes <= COPY_BYTES) {
      this.#socket.write(Buffer.concat(pieces, bytes), () => done());
      return;
    }
    this.#socket.cork();
    for (const [i, piece] of pieces.entries()) {
      if (i < pieces.length - 1) this.#socket.write(piece);
      else
        this.#socket.write(piece, () => {
          for (const written of pieces) discard(written);
          done();
        });
    }
    this.#socket.uncork();
  }

  /** A session may keep a broken connection: the client gets time to read the reason, then the connection is cut. */
  #linger(): void {
    this.#lingerTimer ??= setTimeout(() => this.destroy(), LINGER_MS);
  }

  #tellDelivered(): void {
    // The client can read what the system has taken, even after the end of this process.
    if (!this.destroyed && (this.#answers.calls > 0 || this.#socket.writableLength > 0)) return;
    for (const resolve of this.#onDelivered) resolve();
    this.#onDelivered = [];
  }
}
