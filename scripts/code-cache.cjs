// Makes V8's code caches of the parts of a program: `node --random-seed=1 scripts/code-cache.cjs dist/main.js FILE` compiles
// the functions that FILE lists (`used-functions.mjs`), in the order of the source. It runs none of them, so that the
// same source has the same cache each time: V8 numbers functions in the order in which it meets them. `build.mjs` calls it.
const { createHash } = require('node:crypto');
const { readFileSync, renameSync, writeFileSync } = require('node:fs');
const { Session } = require('node:inspector');
const { dirname, join } = require('node:path');
const { setFlagsFromString } = require('node:v8');
const { Script } = require('node:vm');

const [, , main, list] = process.argv;
const session = new Session();
session.connect();
const scriptIds = new Map();
session.on('Debugger.scriptParsed', ({ params }) => scriptIds.set(params.url, params.scriptId));
session.post('Debugger.enable');

for (const [name, places] of Object.entries(JSON.parse(readFileSync(list, 'utf8')))) {
  const path = join(dirname(main), name);
  const data = compile(name, readFileSync(path, 'latin1'), places);
  const cache = path.replace(/\.js$/, `-${process.version}-${process.arch}.cache`);
  const part = `${cache}.${process.pid}`;
  writeFileSync(part, Buffer.concat([createHash('sha256').update(data).digest(), data]));
  renameSync(part, cache);
}

/** Returns the code cache of a part. `places` are those of the functions that it contains. */
function compile(filename, source, places) {
  // A collection drops code that was not run lately. The flag is back when V8 notes the flags that a cache is valid for.
  setFlagsFromString('--no-flush-bytecode');
  // Without a directory: the cache contains the name.
  const script = new Script(source, { filename });
  script.runInThisContext();
  const scriptId = scriptIds.get(filename);
  const lines = [...source.matchAll(/^/gm)].map(({ index }) => index);
  const locationOf = (offset) => {
    const lineNumber = lines.findLastIndex((start) => start <= offset);
    return { scriptId, lineNumber, columnNumber: offset - lines[lineNumber] };
  };
  for (const [start, end] of places) {
    // The object of all modules, which ran above.
    if (start === 0) continue;
    // V8 has to compile a function to know where it can stop in it.
    const range = { start: locationOf(start), end: locationOf(end), restrictToFunction: true };
    session.post('Debugger.getPossibleBreakpoints', range, (error) => {
      if (error) throw error;
    });
  }
  setFlagsFromString('--flush-bytecode');
  return script.createCachedData();
}
