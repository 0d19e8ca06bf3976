import type { Io } from '../../src/cli/io.ts';

/** An `Io` that keeps what is printed. */
export interface RecordedIo extends Io {
  readonly printed: { stdout: string; stderr: string };
}

/** Streams in memory, standard input given as text. */
export function recordedIo(changes: { stdin?: string; env?: Record<string, string> } = {}): RecordedIo {
  const printed = { stdout: '', stderr: '' };
  return {
    printed,
    stdout(text) {
      printed.stdout += text;
    },
    stderr(text) {
      printed.stderr += text;
    },
    stdin: () => Promise.resolve(changes.stdin ?? ''),
    env: changes.env ?? {},
  };
}
