import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { messageOf, ProviderError } from '../base/errors.ts';

/** What a command may touch of the process: its streams and its environment. */
export interface Io {
  stdout(text: string): void;
  stderr(text: string): void;
  /** Everything that comes in on standard input. */
  stdin(): Promise<string>;
  /** The same in pieces, as it comes in. */
  stdinBytes(): AsyncIterable<Uint8Array>;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** The streams and the environment of this process. */
export const processIo: Io = {
  stdout: (output) => void process.stdout.write(output),
  stderr: (output) => void process.stderr.write(output),
  stdin: () => text(process.stdin),
  stdinBytes: () => process.stdin,
  env: process.env,
};

/**
 * Text of a file named on the command line; `-` is standard input.
 * Errors: ERR_USAGE, with the file and the reason.
 */
export async function readInput(name: string, io: Io): Promise<{ readonly name: string; readonly text: string }> {
  if (name === '-') return { name: '<stdin>', text: await io.stdin() };
  try {
    return { name, text: await readFile(name, 'utf8') };
  } catch (error) {
    throw new ProviderError('ERR_USAGE', `cannot read ${name}: ${reasonOf(error)}`, { cause: error });
  }
}

/**
 * The first `maxBytes` of a file named on the command line; `-` is standard input. Whatever stands there, no more is read.
 * Errors: ERR_USAGE, with the file and the reason.
 */
export async function readBytes(
  name: string,
  io: Io,
  { maxBytes }: { readonly maxBytes: number },
): Promise<{ readonly name: string; readonly bytes: Buffer }> {
  const stdin = name === '-';
  const chunks: Uint8Array[] = [];
  let left = maxBytes;
  try {
    for await (const chunk of stdin ? io.stdinBytes() : createReadStream(name)) {
      chunks.push(chunk.subarray(0, left));
      left -= chunk.length;
      if (left <= 0) break;
    }
  } catch (error) {
    throw new ProviderError('ERR_USAGE', `cannot read ${name}: ${reasonOf(error)}`, { cause: error });
  }
  return { name: stdin ? '<stdin>' : name, bytes: Buffer.concat(chunks) };
}

/** Runs a command; what it throws goes to stderr. Returns the exit code: 2 for a wrong command line, 1 for other failures. */
export async function exitCodeOf(io: Io, command: () => Promise<number>): Promise<number> {
  try {
    return await command();
  } catch (error) {
    io.stderr(`error: ${messageOf(error)}\n`);
    return error instanceof ProviderError && error.code === 'ERR_USAGE' ? 2 : 1;
  }
}

function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOENT') return 'no such file or directory';
  if (code === 'EISDIR') return 'it is a directory; name the files in it';
  return code === 'EACCES' ? 'permission denied' : messageOf(error);
}
