import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { links } from '../support/markdown.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const manifest = JSON.parse(read('package.json')) as {
  readonly name: string;
  readonly bin: { readonly [name: string]: string };
  readonly scripts: { readonly [name: string]: string };
  readonly dependencies?: unknown;
};

interface Packed {
  readonly filename: string;
  readonly files: readonly { readonly path: string }[];
}

/** Returns the files that `npm pack` would put into the tarball, with the current `dist/`. */
function pack(): Packed {
  const told = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: root,
    encoding: 'utf8',
  });
  const [packed] = JSON.parse(told) as Packed[];
  if (packed === undefined) throw new Error('npm packs nothing');
  return packed;
}

describe('the npm package', () => {
  const { files, filename } = pack();

  test('holds the program, the examples that its help names and its texts, and no code cache of this machine', () => {
    const paths = files.map(({ path }) => path);
    const folders = ['charts', 'deploy', 'dist', 'docs', 'examples', 'proto'];
    expect(paths.filter((path) => !folders.includes(path.split('/')[0] ?? '')).toSorted()).toEqual([
      'CHANGELOG.md',
      'LICENSE',
      'README.md',
      'SECURITY.md',
      'package.json',
    ]);
    const withoutDigest = (path: string) => path.replace(/-[0-9a-f]{16}\.js$/, '.js');
    expect(
      paths
        .filter((path) => path.startsWith('dist/'))
        .map(withoutDigest)
        .toSorted(),
    ).toEqual([
      'dist/certificates.js',
      'dist/commands.js',
      'dist/developer.js',
      'dist/entry.js',
      'dist/issuer.js',
      'dist/keys.js',
      'dist/kubectl-akv.js',
      'dist/kubectl.js',
      'dist/kubectl_complete-akv.js',
      'dist/lab.js',
      'dist/languages.js',
      'dist/main.js',
      'dist/metrics.js',
      'dist/package.json',
      'dist/provider.js',
      'dist/start.js',
      'dist/third-party-licenses.txt',
      'dist/tracing.js',
      'dist/watch.js',
      'dist/webhook.js',
    ]);
    expect(paths).toEqual(expect.arrayContaining([...Object.values(manifest.bin), 'examples/emulator-seed.yaml']));
  });

  test('holds the pages for users with all that they link to, other than pages for those who change the program', () => {
    const paths = files.map(({ path }) => path);
    const forDevelopers = /^(ARCHITECTURE|CONTRIBUTING|RELEASING|bench\/README)\.md$/;
    const pages = paths.filter((path) => /^(README\.md|docs\/|charts\/).*md$/.test(path) || path === 'README.md');
    const missing = pages
      .filter((page) => !page.startsWith('docs/decisions/'))
      .flatMap((page) => links(page).map((target) => join(dirname(page), target.split('#')[0] ?? '')))
      .filter((target) => !forDevelopers.test(target) && !paths.some((path) => `${path}/`.startsWith(`${target}/`)));
    expect(missing).toEqual([]);
  });

  test('is built before it is packed, and brings nothing along that its bundle holds already', () => {
    expect(manifest.scripts.prepack).toContain('npm run --silent build');
    expect(manifest.dependencies).toBeUndefined();
  });

  test('has another file name than the packed chart', () => {
    const chart = parse(read('charts/akv-csi-provider/Chart.yaml')) as { name: string; version: string };
    expect(filename).not.toBe(`${chart.name}-${chart.version}.tgz`);
  });
});
