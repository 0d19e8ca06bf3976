import { Readable } from 'node:stream';
import type { Io } from '../../src/cli/io.ts';

/** An `Io` that records the output. */
export interface RecordedIo extends Io {
  readonly printed: { stdout: string; stderr: string };
}

/** Returns an `Io` with streams in memory. Standard input is text or bytes. */
export function recordedIo(changes: { stdin?: string | Buffer; env?: Record<string, string> } = {}): RecordedIo {
  const printed = { stdout: '', stderr: '' };
  return {
    printed,
    stdout(text) {
      printed.stdout += text;
    },
    stderr(text) {
      printed.stderr += text;
    },
    stdinBytes: () => Readable.from([Buffer.from(changes.stdin ?? '')]),
    env: changes.env ?? {},
  };
}
