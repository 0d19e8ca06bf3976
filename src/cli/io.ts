/**
 * Standard streams, input files and exit codes of the commands. All commands use it. Refuses files that cannot be read.
 */

import { isUtf8 } from 'node:buffer';
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, ProviderError, systemCodeOf } from '../base/errors.ts';
import { printable } from '../base/printable.ts';

/** The number of characters that are searched for signs of UTF-16. */
const MAX_SNIFFED = 1000;

/** A text and its name in messages. */
export interface Input {
  readonly name: string;
  readonly text: string;
}

/** The parts of the process that a command uses: its streams and its environment. */
export interface Io {
  stdout(text: string): void;
  stderr(text: string): void;
  /** Reads standard input in pieces. */
  stdinBytes(): AsyncIterable<Uint8Array>;
  /**
   * Shows what the command does at the moment, in place of the text before; an empty text removes it. Absent if standard
   * error is no terminal.
   */
  readonly progress?: ((text: string) => void) | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** The streams and the environment of this process. */
export const processIo: Io = {
  stdout: (output) => void process.stdout.write(output),
  stderr: (output) => void process.stderr.write(output),
  stdinBytes: () => process.stdin,
  env: process.env,
  progress: process.stderr.isTTY ? progressOn(process.stderr) : undefined,
};

/** Returns a function that shows texts in one line of a terminal, without escape sequences. */
export function progressOn(terminal: {
  write(text: string): unknown;
  readonly columns?: number;
}): (text: string) => void {
  let width = 0;
  return (text) => {
    const line = printable(text).slice(0, (terminal.columns ?? 80) - 1);
    terminal.write(`\r${line.padEnd(width)}${line === '' ? '\r' : ''}`);
    width = line.length;
  };
}

/** The largest input that is read. Its trees take up to fifty times as much memory. */
export const MAX_INPUT_BYTES = 32 * 1024 * 1024;

/**
 * Reads the text of a file named on the command line; `-` is standard input.
 * Throws: ERR_USAGE, with the file and the reason.
 */
export async function readInput(name: string, io: Io): Promise<Input> {
  const { bytes, name: shown } = await readBytes(name, io, { maxBytes: MAX_INPUT_BYTES + 1 });
  if (bytes.length > MAX_INPUT_BYTES)
    throw new ProviderError(
      'ERR_USAGE',
      `cannot read ${shown}: it is larger than ${MAX_INPUT_BYTES} bytes; give it in parts`,
    );
  return inUtf8({ name: shown, text: bytes.toString('utf8') }, bytes);
}

/**
 * Reads the texts of files named on the command line, one after another. In a directory it reads the files that kubectl
 * reads there.
 * Throws: ERR_USAGE, with the file and the reason.
 */
export async function* readInputs(names: readonly string[], io: Io): AsyncIterable<Input> {
  for (const name of names) {
    const found = name === '-' ? undefined : await stat(name).catch(() => undefined);
    const files = found?.isDirectory() ? await manifestsIn(name) : [name];
    for (const file of files) yield await readInput(file, io);
  }
}

async function manifestsIn(directory: string): Promise<readonly string[]> {
  const entries = await readdir(directory, { withFileTypes: true });
  const files = entries.filter((entry) => !entry.isDirectory() && /\.(ya?ml|json)$/.test(entry.name));
  if (files.length === 0)
    throw new ProviderError('ERR_USAGE', `cannot read ${directory}: it holds no .yaml, .yml or .json file`);
  return files.map((entry) => join(directory, entry.name)).sort();
}

/** Refuses UTF-16, in which each second byte of ASCII is zero, and all that is not UTF-8. */
function inUtf8(input: Input, bytes: Uint8Array): Input {
  if (!input.text.slice(0, MAX_SNIFFED).includes('\0')) {
    if (isUtf8(bytes)) return input;
    throw new ProviderError('ERR_USAGE', `cannot read ${input.name}: it is not UTF-8; save it as UTF-8`);
  }
  const remedy = 'save it as UTF-8, in PowerShell: Get-Content FILE | Set-Content -Encoding utf8 NEW';
  throw new ProviderError(
    'ERR_USAGE',
    `cannot read ${input.name}: it is UTF-16, as Windows PowerShell writes; ${remedy}`,
  );
}

/**
 * Reads the first `maxBytes` of a file named on the command line, and no more; `-` is standard input.
 * Throws: ERR_USAGE, with the file and the reason.
 */
export async function readBytes(
  name: string,
  io: Io,
  { maxBytes }: { readonly maxBytes: number },
): Promise<{ readonly name: string; readonly bytes: Buffer }> {
  return name === '-'
    ? { name: '<stdin>', bytes: await firstBytes(name, io.stdinBytes(), maxBytes) }
    : { name, bytes: await firstBytes(name, createReadStream(name), maxBytes) };
}

/**
 * Reads the text of a small file named on the command line, which may be a pipe: `<(command)` of a shell.
 * Throws: ERR_USAGE, with the file and the reason.
 */
export async function readSmallText(path: string, maxBytes: number): Promise<string> {
  const bytes = await firstBytes(path, createReadStream(path), maxBytes + 1);
  if (bytes.length <= maxBytes) return bytes.toString('utf8');
  throw new ProviderError('ERR_USAGE', `cannot read ${path}: it is larger than ${maxBytes} bytes; name another file`);
}

async function firstBytes(name: string, source: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let left = maxBytes;
  try {
    for await (const chunk of source) {
      chunks.push(chunk.subarray(0, left));
      left -= chunk.length;
      if (left <= 0) break;
    }
  } catch (error) {
    throw new ProviderError('ERR_USAGE', `cannot read ${name}: ${reasonOf(error)}`, { cause: error });
  }
  return Buffer.concat(chunks);
}

/**
 * Runs a command; what it throws goes to stderr. Returns the exit code: 2 for a wrong command line, 1 for other
 * failures.
 */
export async function exitCodeOf(io: Io, command: () => Promise<number>): Promise<number> {
  try {
    return await command();
  } catch (error) {
    io.stderr(`error: ${messageOf(error)}\n`);
    return exitCodeFor(error);
  }
}

/** The exit code of a command line that cannot be understood. */
export const WRONG_USAGE = 2;

/** The exit code of a command that ends with this error: {@link WRONG_USAGE} for ERR_USAGE, 1 for other failures. */
export function exitCodeFor(error: unknown): number {
  return error instanceof ProviderError && error.code === 'ERR_USAGE' ? WRONG_USAGE : 1;
}

function reasonOf(error: unknown): string {
  const code = systemCodeOf(error);
  if (code === 'ENOENT') return 'no such file or directory';
  if (code === 'EISDIR') return 'it is a directory; name the files in it';
  return code === 'EACCES' ? 'permission denied' : messageOf(error);
}
