/** Plays scripts of `http2-scripts.ts` in pieces, with flow control, for tests of the server. */
import type { Socket } from 'node:net';
import { type Frame, flag, frame, framesOf, PREFACE, type } from './http2.ts';
import { number, type Script } from './http2-scripts.ts';
import { oneOf } from './numbers.ts';
import { rawConnection } from './server.ts';

/** What the server sent while a script was played. */
export interface Played {
  /** The payloads of DATA, by stream. */
  readonly data: ReadonlyMap<number, Buffer>;
  /** Breaches of the protocol by the server. */
  readonly breaches: readonly string[];
}

/** Plays a script in pieces of random size. Its client has a small window, and gives room at random. */
export async function play(
  path: string,
  random: (below: number) => number,
  { calls, frames }: Script,
): Promise<Played> {
  const client = new ScriptClient(await rawConnection(path), random);
  const wanted = calls.filter(({ isReset }) => !isReset).map(({ streamId }) => streamId);
  await client.play(frames, wanted);
  return client;
}

class ScriptClient implements Played {
  readonly data = new Map<number, Buffer>();
  readonly breaches: string[] = [];
  readonly #socket: Socket;
  readonly #random: (below: number) => number;
  readonly #initial: number;
  /** Octets that the server may send, by stream; 0: on the connection. */
  readonly #room = new Map([[0, 65_535]]);
  readonly #ended = new Set<number>();
  /** Answers to frames of the server. They are sent between the frames of the script. */
  readonly #answers: Buffer[] = [];
  #script: Buffer[] | undefined;
  #rest = Buffer.alloc(0);

  constructor(socket: Socket, random: (below: number) => number) {
    this.#socket = socket;
    this.#random = random;
    this.#initial = oneOf(random, [65_535, 65_535, 1000, 20_000, 0x7fff_ffff]);
  }

  async play(frames: readonly Buffer[], wanted: readonly number[]): Promise<void> {
    const settings = frame(type.settings, 0, 0, Buffer.concat([Buffer.of(0, 4), number(this.#initial)]));
    this.#script = [Buffer.concat([PREFACE, settings]), ...frames];
    const answered = new Promise<void>((resolve) => {
      this.#socket.on('data', (chunk: Buffer) => {
        this.#read(chunk);
        if (wanted.every((streamId) => this.#ended.has(streamId))) resolve();
      });
      this.#socket.once('close', () => {
        this.breaches.push('the connection was closed');
        resolve();
      });
      if (wanted.length === 0) resolve();
    });
    await this.#send();
    await answered;
    this.#socket.destroy();
  }

  async #send(): Promise<void> {
    for (let current = Buffer.alloc(0); this.#script !== undefined; ) {
      const size = this.#random(4) === 0 ? 1 + this.#random(12) : 1 + this.#random(4000);
      while (current.length < size) {
        const next = this.#answers.shift() ?? this.#script.shift();
        if (next === undefined) break;
        current = Buffer.concat([current, next]);
      }
      this.#socket.write(current.subarray(0, size));
      current = current.subarray(size);
      if (current.length === 0 && this.#script.length === 0) this.#script = undefined;
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#answer();
  }

  #answer(...frames: readonly Buffer[]): void {
    this.#answers.push(...frames);
    if (this.#script === undefined && this.#socket.writable) this.#socket.write(Buffer.concat(this.#answers.splice(0)));
  }

  #read(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    for (const found of framesOf(this.#rest)) {
      this.#rest = this.#rest.subarray(9 + found.payload.length);
      this.#take(found);
    }
  }

  #take({ kind, flags, streamId, payload }: Frame): void {
    if (payload.length > 16_384) this.breaches.push(`a frame of ${payload.length} octets`);
    if (this.#ended.has(streamId) && kind !== type.rstStream)
      this.breaches.push(`a frame after the end of ${streamId}`);
    if (kind === type.goaway) this.breaches.push(`GOAWAY ${payload.readUInt32BE(4)}`);
    if (kind === type.settings && flags === 0) this.#answer(frame(type.settings, flag.ack, 0));
    if (kind === type.ping && flags === 0) this.#answer(frame(type.ping, flag.ack, 0, payload));
    if (kind === type.data) this.#takeData(streamId, payload);
    const isLast = kind === type.rstStream || ((kind === type.data || kind === type.headers) && flags & flag.endStream);
    if (isLast) this.#ended.add(streamId);
  }

  #takeData(streamId: number, payload: Buffer): void {
    this.data.set(streamId, Buffer.concat([this.data.get(streamId) ?? Buffer.alloc(0), payload]));
    for (const where of [0, streamId]) {
      const full = where === 0 ? 65_535 : this.#initial;
      const room = (this.#room.get(where) ?? full) - payload.length;
      if (room < 0) this.breaches.push(`DATA beyond the window of ${where}`);
      const given = room < full / 2 || this.#random(2) === 0 ? full - room : 0;
      this.#room.set(where, room + given);
      if (given > 0) this.#answer(frame(type.windowUpdate, 0, where, number(given)));
    }
  }
}
