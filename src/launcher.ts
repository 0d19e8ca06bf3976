/**
 * Starts the program in the directory of this file. Loads each part of it when one of its modules is first needed, with
 * the code that V8 cached at build time. If no cache fits (another version of Node, another architecture, other V8
 * flags), V8 compiles the part.
 */

import { createHash } from 'node:crypto';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Script } from 'node:vm';

/**
 * Set by the build: the modules of each part. The name of a part has the digest of its source, because V8 accepts a
 * cache for any source of the same length.
 */
declare const PARTS: Readonly<Record<string, readonly string[]>>;

/** A module of a part, as CommonJS. */
type Definition = (
  ...wrapper: [object, (name: string) => unknown, { exports: object }, filename: string, dirname: string]
) => void;

const ENTRY = './program.js';
const DIGEST_BYTES = 32;
const partOf = new Map(Object.entries(PARTS).flatMap(([part, names]) => names.map((name) => [name, part] as const)));
const definitions: Record<string, Definition> = {};
const modules = new Map<string, { exports: object }>();
const requireOther = createRequire(__filename);
/** Source and code cache of each part, open from the start: an update of the program may remove them while it runs. */
const files = new Map(
  Object.keys(PARTS).map((part) => [
    part,
    {
      source: opened(`${part}.js`),
      cache: opened(`${part}-${process.version}-${process.arch}.cache`),
    },
  ]),
);

load(ENTRY);

/** Returns what a module exports: one of a part, or one of Node or of a file beside this one. */
function load(name: string): unknown {
  const part = partOf.get(name);
  if (part === undefined) return requireOther(name);
  const known = modules.get(name);
  if (known !== undefined) return known.exports;
  if (definitions[name] === undefined) Object.assign(definitions, readPart(part));
  const module = { exports: {} };
  modules.set(name, module);
  definitions[name]?.(module.exports, load, module, __filename, __dirname);
  // It never runs again, and V8 keeps its code for as long as it is here.
  delete definitions[name];
  return module.exports;
}

function readPart(part: string): Readonly<Record<string, Definition>> {
  const { source, cache } = files.get(part) ?? { source: '', cache: '' };
  const cachedData = readCache(cache);
  // Latin-1 takes one byte for each character: the program is ASCII, and V8 keeps the text.
  const text = readOnce(source).toString('latin1');
  return new Script(text, { filename: join(__dirname, `${part}.js`), cachedData }).runInThisContext();
}

/** Opens a file beside this one. Returns its path if that fails, so that the one who reads it gets the reason. */
function opened(name: string): number | string {
  const path = join(__dirname, name);
  try {
    return openSync(path, 'r');
  } catch {
    return path;
  }
}

function readOnce(file: number | string): Buffer {
  const contents = readFileSync(file);
  if (typeof file === 'number') closeSync(file);
  return contents;
}

/** Returns the cache if its SHA-256 is right: V8 would crash on a damaged cache instead of refusing it. */
function readCache(cache: number | string): Buffer | undefined {
  try {
    const file = readOnce(cache);
    const data = file.subarray(DIGEST_BYTES);
    const digest = createHash('sha256').update(data).digest();
    return digest.equals(file.subarray(0, DIGEST_BYTES)) ? data : undefined;
  } catch {
    return undefined;
  }
}
