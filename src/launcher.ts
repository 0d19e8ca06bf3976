/**
 * Starts the program that stands beside this file, with the code that V8 has cached of it at build time. Where no cache
 * fits (another version of Node, another architecture, other V8 flags) V8 compiles the program as ever.
 */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Script } from 'node:vm';

/** Set by the build; V8 takes a cache for any source of the same length, so its name says what it was made of. */
declare const PROGRAM_DIGEST: string;

const DIGEST_BYTES = 32;
const filename = join(__dirname, 'program.js');
const cache = join(__dirname, `program-${PROGRAM_DIGEST}-${process.version}-${process.arch}.cache`);
// One byte a character: the program is ASCII, and V8 keeps the text.
const program = new Script(readFileSync(filename, 'latin1'), { filename, cachedData: readCache(cache) });
program.runInThisContext()({}, createRequire(filename), {}, filename, __dirname);

/** The cache behind its SHA-256: V8 would crash on damaged code instead of refusing it. */
function readCache(path: string): Buffer | undefined {
  try {
    const file = readFileSync(path);
    const data = file.subarray(DIGEST_BYTES);
    const digest = createHash('sha256').update(data).digest();
    return digest.equals(file.subarray(0, DIGEST_BYTES)) ? data : undefined;
  } catch {
    return undefined;
  }
}
