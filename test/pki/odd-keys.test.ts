import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FULL, rounds } from '../support/rounds.ts';

const ROUNDS = rounds(150, 10_000);
const SEEDS = FULL ? [1, 2] : [1];

let directory: string;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'akv-odd-keys-'));
  await build({
    entryPoints: [fileURLToPath(new URL('./odd-keys.ts', import.meta.url))],
    outfile: join(directory, 'odd-keys.mjs'),
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'warning',
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
  });
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Runs the program. If it crashes, shows the input that it was processing. */
async function run(seed: number) {
  const file = join(directory, `input-${seed}.pem`);
  const args = [join(directory, 'odd-keys.mjs'), String(ROUNDS / SEEDS.length), String(seed), file];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const [out, errors, [code, signal]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit'),
  ]);
  if (code === 0) return JSON.parse(out);
  throw new Error(
    `ended with ${code ?? signal} (seed ${seed}) over\n${readFileSync(file, 'latin1').trim()}\n${errors}`,
  );
}

describe(`${ROUNDS} odd keys and certificates`, () => {
  it.each(SEEDS)(
    'are read or refused in plain words, twice the same, and the process lives (seed %i)',
    async (seed) => {
      const counts = await run(seed);
      expect(counts).toMatchObject({ different: 0 });
      expect(counts.good).toBeGreaterThan(0);
      expect(counts.refused).toBeGreaterThan(0);
    },
    600_000,
  );
});
