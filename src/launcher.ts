/**
 * Starts the program that stands beside this file, with the code that V8 has cached of it at build time. Where no cache
 * fits (another version of Node, another architecture, other V8 flags) V8 compiles the program as ever.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Script } from 'node:vm';

/** Set by the build; V8 takes a cache for any source of the same length, so its name says what it was made of. */
declare const PROGRAM_DIGEST: string;

const filename = join(__dirname, 'program.js');
const cache = join(__dirname, `program-${PROGRAM_DIGEST}-${process.version}-${process.arch}.cache`);
// One byte a character: the program is ASCII, and V8 keeps the text.
const program = new Script(readFileSync(filename, 'latin1'), { filename, cachedData: readIfThere(cache) });
program.runInThisContext()({}, createRequire(filename), {}, filename, __dirname);

function readIfThere(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch {
    return undefined;
  }
}
