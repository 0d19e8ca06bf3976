/**
 * Writes the log lines of `serve`. A line that cannot be written is dropped and counted; nothing here throws, waits or
 * keeps more than a bounded number of bytes, as the provider serves on whatever becomes of its log.
 */

import type { Writable } from 'node:stream';

/** Bytes that wait for a reader of a stream who does not read. */
export const MAX_WAITING_BYTES = 1024 * 1024;

/** The two streams of a process. */
export type StreamName = 'stdout' | 'stderr';

/** Lines that were dropped before a stream could be written again. */
export interface LostLines {
  readonly stream: StreamName;
  readonly lines: number;
  /** Node's code of the first failure, such as `ENOSPC`; `SLOW_READER` where too much was waiting. */
  readonly reason: string;
}

/** The output of a process that must not fail by it. */
export interface LogOutput {
  stdout(line: string): void;
  stderr(line: string): void;
  /** Lines dropped since the start. */
  dropped(stream: StreamName): number;
}

/** Opens it; `onRecovered` is called once each time that a stream can be written again. */
export function openLogOutput(
  streams: Readonly<Record<StreamName, Writable>>,
  onRecovered: (lost: LostLines) => void,
): LogOutput {
  const open = (stream: StreamName) => new LossyStream(streams[stream], (lost) => onRecovered({ stream, ...lost }));
  const both = { stdout: open('stdout'), stderr: open('stderr') };
  return {
    stdout: (line) => both.stdout.write(line),
    stderr: (line) => both.stderr.write(line),
    dropped: (stream) => both[stream].dropped,
  };
}

class LossyStream {
  dropped = 0;
  readonly #stream: Writable;
  readonly #onRecovered: (lost: Omit<LostLines, 'stream'>) => void;
  /** Lines dropped since it was last told, and why the first of them. */
  #untold = 0;
  #reason = '';

  constructor(stream: Writable, onRecovered: (lost: Omit<LostLines, 'stream'>) => void) {
    this.#stream = stream;
    this.#onRecovered = onRecovered;
    // Each write is told of its own failure.
    stream.on('error', () => {});
  }

  write(line: string): void {
    if (this.#stream.writableLength + Buffer.byteLength(line) > MAX_WAITING_BYTES) {
      this.#drop('SLOW_READER');
      return;
    }
    this.#stream.write(line, (error) => {
      if (error) this.#drop('code' in error ? String(error.code) : error.name);
      else if (this.#untold > 0 && this.#stream.writableLength === 0) this.#tell();
    });
  }

  #drop(reason: string): void {
    this.dropped++;
    if (this.#untold++ === 0) this.#reason = reason;
  }

  #tell(): void {
    const lost = { lines: this.#untold, reason: this.#reason };
    this.#untold = 0;
    this.#onRecovered(lost);
  }
}
