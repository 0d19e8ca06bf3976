// Splits the program into parts: files of dist/ that the launcher loads when one of their modules is first needed, each
// with a code cache of its own. `build.mjs` calls it. A start loads a fifth of the program.
import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import { transform } from 'esbuild';

/** What runs beside users' programs. Its modules that the provider uses too are in the first part: it loads nothing else. */
const SIDECAR = 'src/cli/watch.ts';
const PROVIDER = ['src/cli/serve.ts', 'src/cli/provider.ts'];
/** The modules that each part begins with. A module that several parts use is in the first of them. */
const PARTS = {
  entry: ['src/main.ts'],
  start: ['src/cli/serve.ts'],
  provider: ['src/cli/provider.ts'],
  keys: ['node_modules/@azure/keyvault-keys/dist/esm/index.js'],
  certificates: ['node_modules/@azure/keyvault-certificates/dist/esm/index.js'],
  languages: ['src/spc/language-libraries.ts'],
  metrics: ['src/server/instruments.ts'],
  tracing: ['src/cli/tracing.ts'],
  watch: ['src/cli/watch.ts'],
  webhook: ['src/cli/webhook.ts'],
  issuer: ['src/webhook/certificate/issue.ts'],
  commands: ['src/cli/program.ts'],
  developer: ['src/azure/login/developer-credentials.ts'],
  kubectl: ['src/cli/kubectl.ts'],
};

/** Escapes non-ASCII characters, also in regular expressions, so that V8 stores one byte per character. */
export const ascii = (text) =>
  text.replace(/[^\0-\x7f]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);

/**
 * Makes the parts of a build of ES modules with `splitting`. Returns for each its name, which has the digest of its
 * source, the source, and the names of its modules. `options` are those of esbuild for one module.
 */
export async function makeParts({ outputFiles, metafile }, options) {
  const outputs = new Map(Object.entries(metafile.outputs).map(([path, output]) => [basename(path), output]));
  const texts = new Map(outputFiles.map(({ path, text }) => [basename(path), text]));
  const placed = new Set();
  const parts = [];
  const namesOf = (entries) =>
    [...outputs].filter(([, { entryPoint }]) => entries.includes(entryPoint)).map(([name]) => name);
  const closure = (name, found = new Set()) => {
    if (found.has(name)) return found;
    found.add(name);
    for (const { path, kind, external } of outputs.get(name).imports)
      if (kind === 'import-statement' && !external) closure(basename(path), found);
    return found;
  };
  const closuresOf = (entries) => [...new Set(namesOf(entries).flatMap((name) => [...closure(name)]))];
  const ofProvider = closuresOf(PROVIDER);
  const shared = closuresOf([SIDECAR]).filter((name) => ofProvider.includes(name));
  for (const [part, entries] of Object.entries(PARTS)) {
    const wanted = new Set([...closuresOf(entries), ...(part === 'entry' ? shared : [])]);
    const modules = [...wanted].filter((name) => !placed.has(name));
    for (const name of modules) placed.add(name);
    const definitions = modules.map(async (name) => {
      const { code } = await transform(texts.get(name), options);
      return `${JSON.stringify(`./${name}`)}:function(exports,require,module,__filename,__dirname){${code}\n}`;
    });
    const source = ascii(`({${(await Promise.all(definitions)).join(',\n')}})`);
    const digest = createHash('sha256').update(source).digest('hex').slice(0, 16);
    parts.push({ name: `${part}-${digest}`, source, modules: modules.map((name) => `./${name}`) });
  }
  const lost = [...outputs].filter(([name]) => !placed.has(name)).map(([, { entryPoint }]) => entryPoint);
  if (lost.length > 0) throw new Error(`no part of scripts/parts.mjs begins with ${lost.join(', ')}`);
  return parts;
}
