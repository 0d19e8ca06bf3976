import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Script } from 'node:vm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const dist = fileURLToPath(new URL('../../dist', import.meta.url));
const isCache = (name: string) => name.endsWith(`-${process.version}-${process.arch}.cache`);

describe('the built program', () => {
  let copy: string;
  let cache: string;

  beforeEach(() => {
    copy = mkdtempSync(join(tmpdir(), 'akv-dist-'));
    cpSync(dist, copy, { recursive: true });
    cache = join(copy, readdirSync(copy).find(isCache) ?? 'there is no cache for this Node');
  });

  afterEach(() => rmSync(copy, { recursive: true, force: true }));

  const version = () =>
    JSON.parse(execFileSync(process.execPath, [join(copy, 'main.js'), 'serve', '--version'], { encoding: 'utf8' }));

  it('leaves emulator and demo to lab.js, which the image does not hold', () => {
    const startsEmulator = /function startEmulator\(/;
    expect(readFileSync(join(copy, 'lab.js'), 'latin1')).toMatch(startsEmulator);
    expect(readFileSync(join(copy, 'program.js'), 'latin1')).not.toMatch(startsEmulator);
  });

  it('comes with code that V8 takes', () => {
    const source = readFileSync(join(copy, 'program.js'), 'latin1');
    const script = new Script(source, { cachedData: readFileSync(cache).subarray(32) });
    expect(script.cachedDataRejected).toBe(false);
  });

  it('is ASCII, which V8 keeps in one byte a character', () => {
    expect(readFileSync(join(copy, 'program.js')).every((byte) => byte < 128)).toBe(true);
  });

  it('starts with its cache, and without', () => {
    const expected = { version: expect.any(String), buildDate: expect.any(String) };
    expect(version()).toEqual(expected);
    rmSync(cache);
    expect(version()).toEqual(expected);
  });

  it('starts whatever has happened to its cache', () => {
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
