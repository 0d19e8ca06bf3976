// Bundles the program: dist/program.js (everything that a node needs), dist/main.js (starts it with V8's code cache, if
// there is one) and dist/lab.js (emulator and demo, loaded on demand).
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { rawText } from './raw-text.mjs';
import { unreached } from './unreached.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/** Keeps emulator and demo out of the main bundle, because the image does not contain them. */
const separateLab = {
  name: 'separate-lab',
  setup({ onResolve }) {
    onResolve({ filter: /\/dev-commands\.ts$/ }, ({ kind }) =>
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

const { outputFiles } = await build({
  write: false,
  absWorkingDir: root,
  entryPoints: { launcher: 'src/launcher.ts', program: 'src/main.ts', lab: 'src/cli/dev-commands.ts' },
  outdir: 'dist',
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'cjs',
  // Names are not minified, so that stacks in the log can be read. `keepNames` would add a call for each closure.
  minifyWhitespace: true,
  minifySyntax: true,
  legalComments: 'none',
  // Code from V8's cache cannot call `import()`.
  supported: { 'dynamic-import': false },
  logLevel: 'warning',
  define: {
    'process.env.AKV_CSI_VERSION': JSON.stringify(version),
    'process.env.AKV_CSI_BUILD_DATE': JSON.stringify(buildDate()),
    // The SDK tests each request body with `instanceof FormData`, which makes Node load its fetch: 8 MB.
    FormData: 'undefined',
  },
  plugins: [rawText, separateLab, unreached],
});

/** Escapes non-ASCII characters, also in regular expressions, so that V8 stores one byte per character. */
const ascii = (text) =>
  text.replace(/[^\0-\x7f]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);

const dist = (name) => join(root, 'dist', name);
const put = (name, contents, mode = 0o644) => {
  const part = dist(`${name}.${process.pid}`);
  writeFileSync(part, contents, { mode });
  renameSync(part, dist(name));
};
const code = Object.fromEntries(outputFiles.map(({ path, text }) => [basename(path), ascii(text)]));
const program = `(function (exports, require, module, __filename, __dirname) {${code['program.js']}\n})`;
const digest = createHash('sha256').update(program).digest('hex').slice(0, 16);
const cache = `program-${digest}-${process.version}-${process.arch}.cache`;
mkdirSync(dist(''), { recursive: true });
put('package.json', '{ "type": "commonjs" }\n');
put('lab.js', code['lab.js']);
put('program.js', program);
put('main.js', `#!/usr/bin/env node\n${code['launcher.js'].replace('PROGRAM_DIGEST', JSON.stringify(digest))}`, 0o755);
try {
  execFileSync(process.execPath, [join(root, 'scripts/code-cache.mjs'), dist('program.js'), dist(cache)], {
    stdio: 'inherit',
    timeout: 60_000,
  });
} catch {
  process.stderr.write(
    'There is no code cache, because the program did not answer a Mount. It will start more slowly.\n',
  );
}
// Old files are removed last, because running tests may use them.
const made = new Set(['main.js', 'program.js', 'lab.js', 'package.json', cache]);
for (const name of readdirSync(dist(''))) if (!made.has(name)) rmSync(dist(name), { recursive: true, force: true });
