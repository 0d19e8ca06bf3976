// Bundles the program: its parts (`parts.mjs`), dist/main.js, which loads them with V8's code cache, if there is one, and
// dist/lab.js (emulator and demo).
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { identityEntry } from './identity-entry.mjs';
import { ascii, makeParts } from './parts.mjs';
import { rawText } from './raw-text.mjs';
import { thirdPartyLicenses } from './third-party.mjs';
import { unreached } from './unreached.mjs';

// The image takes over the modes of the files.
process.umask(0o022);
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

/** Compiled below, beside the program, which calls it if it is there. */
const native = {
  name: 'native',
  setup({ onResolve }) {
    onResolve({ filter: /\/memory\.node$/ }, () => ({ path: './memory.node', external: true }));
  },
};

/** Compiles native/memory.c. Returns its bytes, or undefined where there is no C compiler or no C library of GNU. */
function compiled() {
  const file = join(root, `dist/memory.${process.pid}`);
  const headers = join(dirname(process.execPath), '../include/node');
  const flags = ['-std=c17', '-O2', '-Wall', '-Wextra', '-Werror', '-shared', '-fPIC', '-s', `-I${headers}`];
  try {
    execFileSync('cc', [...flags, '-o', file, join(root, 'native/memory.c')], { stdio: 'pipe' });
    return readFileSync(file);
  } catch (error) {
    const [reason] = String(error.stderr ?? error.message).split('\n');
    process.stderr.write(
      `There is no memory.node, so that the program needs more memory: ${reason}. Install a C compiler and the headers of Node.\n`,
    );
    return undefined;
  } finally {
    rmSync(file, { force: true });
  }
}

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

/** Makes V8's code caches, which are the same bytes for the same source and the same Node. */
function makeCodeCaches(main) {
  const { PATH, TMPDIR } = process.env;
  const directory = mkdtempSync(join(tmpdir(), 'akv-csi-build-'));
  const run = (...args) =>
    execFileSync(process.execPath, [...args, main, join(directory, 'used.json')], {
      stdio: 'inherit',
      timeout: 300_000,
      // Other variables, such as those of proxies, change which functions run.
      env: { PATH, ...(TMPDIR && { TMPDIR }) },
    });
  try {
    run(join(root, 'scripts/used-functions.mjs'));
    run('--random-seed=1', join(root, 'scripts/code-cache.cjs'));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Options of esbuild for everything in dist/. */
const options = {
  platform: 'node',
  target: 'node20',
  // The image is built without tsconfig.json, of which esbuild would take this.
  tsconfigRaw: { compilerOptions: { strict: true } },
  // Names are not minified, so that stacks in the log can be read. `keepNames` would add a call for each closure.
  minifyWhitespace: true,
  minifySyntax: true,
  legalComments: 'none',
  logLevel: 'warning',
};
/** Options for CommonJS. */
const commonJs = {
  ...options,
  format: 'cjs',
  // Code from V8's cache cannot call `import()`.
  supported: { 'dynamic-import': false },
};
/** The ES modules of OpenTelemetry's packages. Node's default, CommonJS, would bring exporters of metrics and logs along. */
const opentelemetry = Object.fromEntries(
  ['api', 'core', 'resources', 'sdk-trace', 'otlp-transformer'].map((name) => [
    `@opentelemetry/${name}`,
    join(root, `node_modules/@opentelemetry/${name}/build/esm/index.js`),
  ]),
);
const bundled = {
  ...options,
  write: false,
  metafile: true,
  absWorkingDir: root,
  outdir: 'dist',
  bundle: true,
  // The names of modules are the same where node_modules is a symbolic link.
  preserveSymlinks: true,
  alias: opentelemetry,
  define: {
    'process.env.AKV_CSI_VERSION': JSON.stringify(version),
    'process.env.AKV_CSI_BUILD_DATE': JSON.stringify(buildDate()),
    // The SDK tests each request body with `instanceof FormData`, which makes Node load its fetch: 8 MB.
    FormData: 'undefined',
  },
  plugins: [rawText, separateLab, native, unreached, identityEntry(root)],
};

const program = await build({ ...bundled, format: 'esm', splitting: true, entryPoints: { program: 'src/main.ts' } });
const parts = await makeParts(program, commonJs);
const { outputFiles, metafile } = await build({
  ...bundled,
  ...commonJs,
  entryPoints: { main: 'src/launcher.ts', lab: 'src/cli/dev-commands.ts' },
  define: {
    ...bundled.define,
    PARTS: JSON.stringify(Object.fromEntries(parts.map(({ name, modules }) => [name, modules]))),
  },
});

const dist = (name) => join(root, 'dist', name);
const made = new Set();
const put = (name, contents, mode = 0o644) => {
  const part = dist(`${name}.${process.pid}`);
  writeFileSync(part, contents, { mode });
  renameSync(part, dist(name));
  made.add(name);
};
const code = Object.fromEntries(outputFiles.map(({ path, text }) => [basename(path), ascii(text)]));
mkdirSync(dist(''), { recursive: true });
put('package.json', '{ "type": "commonjs" }\n');
put('third-party-licenses.txt', thirdPartyLicenses([program.metafile, metafile], root));
put('lab.js', code['lab.js']);
const memory = compiled();
if (memory !== undefined) put('memory.node', memory);
for (const { name, source } of parts) put(`${name}.js`, source);
put('main.js', `#!/usr/bin/env node\n${code['main.js']}`, 0o755);
// The program knows by these names that kubectl runs it.
for (const name of ['kubectl-akv.js', 'kubectl_complete-akv.js'])
  put(name, "#!/usr/bin/env node\nrequire('./main.js');\n", 0o755);
try {
  makeCodeCaches(dist('main.js'));
} catch {
  process.stderr.write(
    'There is no code cache, because the program did not answer a Mount. It will start more slowly.\n',
  );
}
for (const { name } of parts) made.add(`${name}-${process.version}-${process.arch}.cache`);
// Old files are removed last, because running tests may use them.
for (const name of readdirSync(dist(''))) if (!made.has(name)) rmSync(dist(name), { recursive: true, force: true });
