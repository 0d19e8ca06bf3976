/**
 * Writes the log lines of `serve`. A line that cannot be written is dropped and counted. Nothing here throws or waits,
 * and the bytes that it keeps are bounded, because the provider must go on without its log.
 */

import type { Writable } from 'node:stream';
import { systemCodeOf } from '../base/errors.ts';

/** The limit of bytes that wait for a slow reader of a stream. */
export const MAX_WAITING_BYTES = 1024 * 1024;

/** The two streams of a process. */
export type StreamName = 'stdout' | 'stderr';

/** Lines that were dropped before a stream could be written again. */
export interface LostLines {
  readonly stream: StreamName;
  readonly lines: number;
  /** Node's code of the first failure, such as `ENOSPC`; `SLOW_READER` if too many bytes were waiting. */
  readonly reason: string;
}

/** The log output of a process that must not end when the output fails. */
export interface LogOutput {
  stdout(line: string): void;
  stderr(line: string): void;
  /** Returns the number of lines dropped since the start. */
  dropped(stream: StreamName): number;
}

/** Opens the output. `onRecovered` is called once each time a stream can be written again. */
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
  /** The number of dropped lines that `onRecovered` has not reported, and the reason of the first. */
  #unreported = 0;
  #reason = '';

  constructor(stream: Writable, onRecovered: (lost: Omit<LostLines, 'stream'>) => void) {
    this.#stream = stream;
    this.#onRecovered = onRecovered;
    // The callback of each write gets its own error.
    stream.on('error', () => {});
  }

  write(line: string): void {
    if (this.#stream.writableLength + Buffer.byteLength(line) > MAX_WAITING_BYTES) {
      this.#drop('SLOW_READER');
      return;
    }
    this.#stream.write(line, (error) => {
      if (error) this.#drop(systemCodeOf(error) || error.name);
      else if (this.#unreported > 0 && this.#stream.writableLength === 0) this.#report();
    });
  }

  #drop(reason: string): void {
    this.dropped++;
    if (this.#unreported++ === 0) this.#reason = reason;
  }

  #report(): void {
    const lost = { lines: this.#unreported, reason: this.#reason };
    this.#unreported = 0;
    this.#onRecovered(lost);
  }
}
