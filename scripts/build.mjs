// Bundles the program: dist/main.js (all a node needs) and dist/lab.js (emulator and demo, loaded on demand).
import { execFileSync } from 'node:child_process';
import { chmodSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/** Text imports (`?raw`), and the lab kept out of the main bundle. */
const house = {
  name: 'house',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /\?raw$/ }, ({ path, resolveDir }) => ({
      path: resolve(resolveDir, path.slice(0, -'?raw'.length)),
      namespace: 'raw',
    }));
    onLoad({ filter: /.*/, namespace: 'raw' }, ({ path }) => ({
      contents: readFileSync(path, 'utf8'),
      loader: 'text',
      watchFiles: [path],
    }));
    onResolve({ filter: /\/lab\.ts$/ }, ({ kind }) =>
      kind === 'dynamic-import' ? { path: './lab.js', external: true } : undefined,
    );
  },
};

function buildDate() {
  const epoch = process.env.SOURCE_DATE_EPOCH;
  if (epoch) return new Date(Number(epoch) * 1000).toISOString();
  try {
    return new Date(
      execFileSync('git', ['log', '-1', '--format=%cI'], { cwd: root, stdio: ['ignore', 'pipe', 'ignore'] })
        .toString()
        .trim(),
    ).toISOString();
  } catch {
    return new Date().toISOString();
  }
}

// Old files stay until the new ones are there: tests may be running with them.
const { metafile } = await build({
  metafile: true,
  absWorkingDir: root,
  entryPoints: { main: 'src/main.ts', lab: 'src/cli/lab.ts' },
  outdir: 'dist',
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'cjs',
  minify: true,
  keepNames: true,
  legalComments: 'none',
  logLevel: 'warning',
  define: {
    'process.env.AKV_CSI_VERSION': JSON.stringify(version),
    'process.env.AKV_CSI_BUILD_DATE': JSON.stringify(buildDate()),
  },
  plugins: [house],
});
const made = new Set([...Object.keys(metafile.outputs).map((path) => basename(path)), 'package.json']);
for (const name of readdirSync(join(root, 'dist')))
  if (!made.has(name)) rmSync(join(root, 'dist', name), { recursive: true });
writeFileSync(join(root, 'dist/package.json'), '{ "type": "commonjs" }\n');
chmodSync(join(root, 'dist/main.js'), 0o755);
