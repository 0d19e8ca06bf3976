/** Holds that two builds of the same sources are the same bytes, wherever and however they are made. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { root } from '../support/markdown.ts';

const directory = mkdtempSync(join(tmpdir(), 'akv-build-'));
afterAll(() => rmSync(directory, { recursive: true }));

const dist = join(root, 'dist');

it('makes the files of dist/ again: in another directory, with another umask and environment', () => {
  const elsewhere = join(directory, 'another/place');
  mkdirSync(elsewhere, { recursive: true });
  for (const name of ['package.json', 'scripts', 'native', 'src', 'examples'])
    cpSync(join(root, name), join(elsewhere, name), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(elsewhere, 'node_modules'));
  const { buildDate } = JSON.parse(
    execFileSync(process.execPath, [join(dist, 'main.js'), 'serve', '--version'], { encoding: 'utf8' }),
  ) as { buildDate: string };
  execFileSync('sh', ['-c', 'umask 077 && exec "$0" scripts/build.mjs', process.execPath], {
    cwd: elsewhere,
    env: {
      PATH: process.env.PATH,
      SOURCE_DATE_EPOCH: String(Date.parse(buildDate) / 1000),
      HTTPS_PROXY: 'http://127.0.0.1:9',
      NODE_ENV: 'production',
      TZ: 'Asia/Tokyo',
    },
  });
  const built = readdirSync(join(elsewhere, 'dist'));
  const stale = 'dist/ is made of other sources: run "npm run build"';
  expect(built.filter((name) => name.endsWith('.cache'))).toHaveLength(6);
  expect(built, stale).toEqual(readdirSync(dist));
  for (const name of built) {
    const [first, second] = [join(dist, name), join(elsewhere, 'dist', name)];
    expect(readFileSync(second).equals(readFileSync(first)), `${name} is the same as in dist/`).toBe(true);
    expect(statSync(second).mode, name).toBe(statSync(first).mode);
  }
}, 600_000);
