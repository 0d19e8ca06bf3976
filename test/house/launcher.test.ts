import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const dist = fileURLToPath(new URL('../../dist', import.meta.url));
/** The parts that `serve` loads. */
const SERVED = ['entry', 'start', 'provider', 'keys', 'certificates', 'metrics'];
const CACHE_END = `-${process.version}-${process.arch}.cache`;

describe('the built program', () => {
  let copy: string;
  let files: readonly string[];

  beforeEach(() => {
    copy = mkdtempSync(join(tmpdir(), 'akv-dist-'));
    cpSync(dist, copy, { recursive: true });
    files = readdirSync(copy);
  });

  afterEach(() => rmSync(copy, { recursive: true, force: true }));

  const parts = () => files.filter((name) => /-[0-9a-f]{16}\.js$/.test(name));
  const partNamed = (name: string) => join(copy, parts().find((file) => file.startsWith(`${name}-`)) ?? 'no such part');
  const cacheOf = (part: string) => part.replace(/\.js$/, CACHE_END);
  const run = (...args: string[]) =>
    execFileSync(process.execPath, [join(copy, 'main.js'), ...args], { encoding: 'utf8', stdio: 'pipe' });
  const version = () => JSON.parse(run('serve', '--version'));

  it('leaves emulator and demo to lab.js, which the image does not hold', () => {
    const startsEmulator = /function startEmulator\(/;
    expect(readFileSync(join(copy, 'lab.js'), 'latin1')).toMatch(startsEmulator);
    for (const part of parts()) expect(readFileSync(join(copy, part), 'latin1')).not.toMatch(startsEmulator);
  });

  it('leaves the logins of persons to a part that serve does not load', () => {
    const runsTool = /'get-access-token'|"get-access-token"/;
    const holding = parts().filter((part) => runsTool.test(readFileSync(join(copy, part), 'latin1')));
    expect(holding.map((part) => part.split('-')[0])).toEqual(['developer']);
  });

  it.each(SERVED)('comes with code that V8 takes for the part %s', (name) => {
    const part = partNamed(name);
    // In a process of its own: other tests set flags of V8 in this one, and V8 refuses code that was made with others.
    const code = `const { readFileSync } = require('node:fs');
      const [part, cache] = process.argv.slice(1);
      const cachedData = readFileSync(cache).subarray(32);
      console.log(new (require('node:vm').Script)(readFileSync(part, 'latin1'), { cachedData }).cachedDataRejected);`;
    const rejected = execFileSync(process.execPath, ['-e', code, part, cacheOf(part)], { encoding: 'utf8' });
    expect(rejected.trim()).toBe('false');
  });

  it('is ASCII, which V8 keeps in one byte a character', () => {
    for (const part of parts()) expect(readFileSync(join(copy, part)).every((byte) => byte < 128)).toBe(true);
  });

  it('starts with its caches, and without', () => {
    const expected = { version: expect.any(String), buildDate: expect.any(String) };
    expect(version()).toEqual(expected);
    for (const name of SERVED) rmSync(cacheOf(partNamed(name)));
    expect(version()).toEqual(expected);
  });

  it('starts without loading what Mounts, metrics and other commands need', () => {
    for (const part of parts().filter((name) => !/^(entry|start)-/.test(name))) rmSync(join(copy, part));
    expect(version()).toHaveProperty('version');
    expect(() => run('--help')).toThrow(/ENOENT/);
  });

  it('watches without loading anything of the provider', () => {
    for (const part of parts().filter((name) => !/^(entry|watch)-/.test(name))) rmSync(join(copy, part));
    expect(run('watch', '--help')).toContain('Usage: akv-csi watch');
    const output = run('watch', copy, '--run', 'echo it runs', '--initial', '--once');
    expect(output).toContain('it runs');
  });

  it('has other names for other sources, so that it never loads a part of another build', () => {
    for (const part of parts()) {
      const digest = createHash('sha256')
        .update(readFileSync(join(copy, part)))
        .digest('hex');
      expect(part).toMatch(new RegExp(`-${digest.slice(0, 16)}\\.js$`));
    }
  });

  it('starts whatever has happened to its cache', () => {
    const cache = cacheOf(partNamed('start'));
    const whole = readFileSync(cache);
    const damaged = [whole.length >> 2, whole.length >> 1, whole.length - 9].map((place) => {
      const bytes = Buffer.from(whole);
      // V8 does not detect such changes and crashes on some of them.
      bytes.fill(0xff, place, place + 8);
      return bytes;
    });
    for (const bytes of [Buffer.alloc(0), whole.subarray(0, 1000), whole.subarray(0, -1), ...damaged]) {
      writeFileSync(cache, bytes);
      expect(version()).toHaveProperty('version');
    }
  });
});
