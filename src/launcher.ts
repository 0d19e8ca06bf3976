/**
 * Starts the program in the directory of this file, with the code that V8 cached at build time. If no cache fits
 * (another version of Node, another architecture, other V8 flags), V8 compiles the program.
 */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Script } from 'node:vm';

/**
 * Set by the build. V8 accepts a cache for any source of the same length, so the name of a cache has a digest of its
 * source.
 */
declare const PROGRAM_DIGEST: string;

const DIGEST_BYTES = 32;
const filename = join(__dirname, 'program.js');
const cache = join(__dirname, `program-${PROGRAM_DIGEST}-${process.version}-${process.arch}.cache`);
// Latin-1 takes one byte for each character: the program is ASCII, and V8 keeps the text.
const program = new Script(readFileSync(filename, 'latin1'), { filename, cachedData: readCache(cache) });
program.runInThisContext()({}, createRequire(filename), {}, filename, __dirname);

/** Returns the cache if its SHA-256 is right: V8 would crash on a damaged cache instead of refusing it. */
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
