// Runs a benchmark of bench/: `node scripts/bench.mjs NAME [ARG…]`.
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { rawText } from './raw-text.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const [name = '', ...args] = process.argv.slice(2);
// The output is below node_modules, so that packages that are not in the bundle are found at run time.
const outdir = join(root, 'node_modules/.cache/bench');
/** Programs that run in separate processes, or that the provider loads. */
const helpers =
  {
    provider: ['azure-process', 'baseline-process', 'loop-hook'],
    soak: ['soak-hook'],
    storm: ['azure-process', 'loop-hook'],
  }[name] ?? [];
await build({
  absWorkingDir: root,
  entryPoints: [name, ...helpers].map((entry) => `bench/${entry}.ts`),
  outdir,
  outExtension: { '.js': '.mjs' },
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  packages: 'external',
  plugins: [rawText],
  logLevel: 'warning',
});
process.exitCode =
  spawnSync(process.execPath, [join(outdir, `${name}.mjs`), ...args], { cwd: root, stdio: 'inherit' }).status ?? 1;
