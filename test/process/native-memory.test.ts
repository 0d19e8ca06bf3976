/**
 * `memory.node` on real memory, in processes of its own. Skipped where the build had no C compiler or no headers of Node,
 * unless REQUIRE_TOOLS is set.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { IMAGE_TUNABLES } from '../../bench/implementations.ts';
import { connectProvider } from '../../src/driver/client.ts';
import { eventually, scratch, serve } from '../support/process.ts';

const file = fileURLToPath(new URL('../../dist/memory.node', import.meta.url));
const built = existsSync(file);
if (!built) process.stderr.write('dist/memory.node is missing: its tests are skipped\n');

/** Runs a script with the settings of the C library of the image. Returns what it prints, as JSON. */
function inProcess(script: string): unknown {
  const code = `const { readFileSync } = require('node:fs'); const memory = require(${JSON.stringify(file)});\n${script}`;
  return JSON.parse(
    execFileSync(process.execPath, ['--expose-gc', '-e', code], {
      encoding: 'utf8',
      env: { GLIBC_TUNABLES: IMAGE_TUNABLES },
    }),
  );
}

describe.skipIf(!built && !process.env.REQUIRE_TOOLS)('memory.node', () => {
  it('has the kernel read single pages of the code of Node, and leaves writable memory as it is', () => {
    const [before, after] = inProcess(`
      const random = () => readFileSync('/proc/self/smaps', 'utf8').split(/\\n(?=[0-9a-f]+-[0-9a-f]+ )/)
        .filter((part) => /^VmFlags:.* rr( |$)/m.test(part)).map((part) => part.split('\\n')[0]);
      const before = random();
      memory.readSinglePages();
      console.log(JSON.stringify([before, random()]));
    `) as [string[], string[]];
    expect(before).toEqual([]);
    expect(after.some((line) => / r-xp /.test(line) && line.endsWith(process.execPath))).toBe(true);
    expect(after.filter((line) => /^\S+ .w/.test(line))).toEqual([]);
  });

  it('releases the pages of the code of Node, which each use maps again', () => {
    const [before, after, works] = inProcess(`
      const code = () => Number(/^RssFile:\\s+(\\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))[1]) / 1024;
      const before = code();
      memory.releaseCode();
      console.log(JSON.stringify([before, code(), require('node:crypto').createHash('sha256').update('a').digest('hex')]));
    `) as [number, number, string];
    expect(after).toBeLessThan(before / 2);
    expect(works).toBe('ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb');
  });

  it('releases the code that the start of serve used', async () => {
    const provider = await serve(join(scratch(), 'a.sock'));
    const status = () => readFileSync(`/proc/${provider.child.pid}/status`, 'utf8');
    const fileKib = () => Number(/^RssFile:\s+(\d+) kB/m.exec(status())?.[1]);
    const atStart = fileKib();
    const client = connectProvider(`unix://${provider.path}`);
    await client.version();
    client.close();
    await eventually(() => fileKib() < 0.75 * atStart);
    expect((await provider.stop()).code).toBe(0);
  });

  it('leaves code as it is of which a page was changed in memory, as by the breakpoint of a tracer', () => {
    const [changed, kept] = inProcess(`
      const { openSync, readSync, writeSync } = require('node:fs');
      const program = readFileSync('/proc/self/maps', 'utf8').split('\\n').find((line) => line.endsWith(process.execPath));
      const position = Number.parseInt(program, 16) + 15;
      const file = openSync('/proc/self/mem', 'r+');
      const byte = () => { const read = Buffer.alloc(1); readSync(file, read, 0, 1, position); return read[0]; };
      // Padding in the header of the program.
      writeSync(file, Buffer.from([7]), 0, 1, position);
      const changed = byte();
      memory.releaseCode();
      console.log(JSON.stringify([changed, byte()]));
    `) as [number, number];
    expect([changed, kept]).toEqual([7, 7]);
  });

  it('returns free memory between blocks that are in use', () => {
    const [before, after] = inProcess(`
      const heap = () => Number(/^RssAnon:\\s+(\\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))[1]) / 1024;
      let blocks = Array.from({ length: 4000 }, () => Buffer.allocUnsafeSlow(16_384));
      const kept = blocks.filter((_, index) => index % 50 === 49);
      blocks = undefined;
      (async () => {
        for (let turn = 0; turn < 3; turn++) { gc(); await new Promise(setImmediate); }
        const before = heap();
        memory.trim();
        console.log(JSON.stringify([before, heap(), kept.length]));
      })();
    `) as [number, number];
    // 4,000 blocks of 16 KiB are 62 MiB, of which a fiftieth is in use.
    expect(before - after).toBeGreaterThan(30);
  });
});
