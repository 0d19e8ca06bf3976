/** Holds what a release needs: allowed licences, bills of materials, and one command that changes the version everywhere. */
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { markdownFiles, projectFiles, projectVersion, root, textOf, unreleasedChanges } from '../support/markdown.ts';

const directory = mkdtempSync(join(tmpdir(), 'akv-release-'));
afterAll(() => rmSync(directory, { recursive: true }));

/** Licences that allow the program to contain the code. */
const ALLOWED = ['MIT', 'ISC', '0BSD', 'BSD-2-Clause', 'BSD-3-Clause', 'Apache-2.0', 'BlueOak-1.0.0', 'Unlicense'];
/** The files that have the version. */
const PATHS = [
  'package.json',
  'package-lock.json',
  'Dockerfile',
  'CHANGELOG.md',
  'deploy/provider.yaml',
  'charts/akv-csi-provider/Chart.yaml',
  'charts/akv-csi-provider/README.md',
  'docs/check.md',
  'docs/kubectl.md',
  'docs/operations.md',
  'docs/quick-start.md',
];

/** Runs `npm run release:version` on a copy of the files that have the version. */
function setVersion(copy: string, version: string) {
  for (const path of PATHS) {
    mkdirSync(dirname(join(copy, path)), { recursive: true });
    cpSync(join(root, path), join(copy, path));
  }
  writeFileSync(join(copy, 'CHANGELOG.md'), unreleasedChanges());
  return spawnSync('node', [join(root, 'scripts/set-version.mjs'), version, copy], { encoding: 'utf8' });
}

describe('third-party-licenses.txt', () => {
  const text = textOf('dist/third-party-licenses.txt');
  const [, list = ''] = text.split('\n\n');
  const packages = list.split('\n').map((line) => /^(\S+)@(\S+) \(\(?(.*?)\)?\)$/.exec(line)?.slice(1) ?? [line]);

  it('lists packages whose licences allow it, each with the text of its licence', () => {
    expect(packages.length).toBeGreaterThan(20);
    for (const [name, version, license = ''] of packages) {
      expect(
        license.split(' OR ').filter((one) => ALLOWED.includes(one)),
        name,
      ).not.toEqual([]);
      const [, body = ''] = text.split(`${'='.repeat(80)}\n${name}@${version} `);
      expect(body.split('='.repeat(80))[0], name).toMatch(/licen[cs]e|permission/i);
    }
  });

  it('lists the packages that the user chose', () => {
    const names = packages.map(([name]) => name);
    expect(names).toEqual(
      expect.arrayContaining(['@grpc/grpc-js', '@azure/identity', '@azure/keyvault-secrets', 'node-forge']),
    );
    expect(names).not.toContain('vitest');
  });

  it('is the source of the bills of materials, in both forms', () => {
    execFileSync('node', [join(root, 'scripts/sbom.mjs'), directory], { stdio: 'ignore' });
    const read = (name: string) => JSON.parse(readFileSync(join(directory, name), 'utf8'));
    const expected = packages.map(([name, version]) => `${name}@${version}`).toSorted();
    const { components } = read('sbom.cdx.json') as { components: { name: string; version: string; scope: string }[] };
    expect(components.map(({ name, version }) => `${name}@${version}`).toSorted()).toEqual(expected);
    expect(new Set(components.map(({ scope }) => scope))).toEqual(new Set(['required']));
    const spdx = read('sbom.spdx.json') as { packages: { name: string; versionInfo: string }[] };
    const { name, version } = JSON.parse(textOf('package.json')) as { name: string; version: string };
    const listed = spdx.packages.map((one) => `${one.name}@${one.versionInfo}`).toSorted();
    expect(listed).toEqual([...expected, `${name}@${version}`].toSorted());
  });
});

describe('npm run release:chart', () => {
  const IMAGE = 'ghcr.io/owner/akv-csi-provider';
  const copy = join(directory, 'project');
  const page = `https://github.com/owner/name/blob/v${projectVersion()}`;
  const url = 'git+https://github.com/owner/name.git';
  const makeChart = (repository: unknown, args: readonly string[]) => {
    cpSync(join(root, 'charts'), join(copy, 'charts'), { recursive: true });
    writeFileSync(join(copy, 'package.json'), JSON.stringify({ version: projectVersion(), repository }));
    return spawnSync('node', [join(root, 'scripts/release-chart.mjs'), ...args, copy], { encoding: 'utf8' });
  };

  it('names the image of the release, and links to the pages of its tag', () => {
    const { status, stderr } = makeChart({ url }, [IMAGE, join(directory, 'charts')]);
    expect([status, stderr]).toEqual([0, '']);
    const read = (name: string) => readFileSync(join(directory, 'charts/akv-csi-provider', name), 'utf8');
    const values = parse(read('values.yaml'));
    const rules = parse(read('settings.yaml')).values;
    const found = [values.linux.image.repository, values.monitoring.prometheusRule.runbookURL];
    expect(found).toEqual([IMAGE, `${page}/docs/runbook.md`]);
    const defaults = ['linux.image.repository', 'monitoring.prometheusRule.runbookURL'].map(
      (path) => rules[path].default,
    );
    expect(defaults).toEqual(found);
    expect(parse(read('Chart.yaml'))).toMatchObject({
      home: 'https://github.com/owner/name',
      version: projectVersion(),
    });
    const readme = read('README.md');
    expect(readme).toContain(`\n\nThis chart has the image of the release, \`${IMAGE}\`.\n\n`);
    expect(readme).toContain(`](${page}/docs/runbook.md)`);
    expect(readme).not.toContain('](../');
  });

  it.each([
    [1, 'error: package.json has no repository.url such as', undefined, IMAGE],
    [2, 'usage: release-chart.mjs IMAGE DIRECTORY', { url }, `${IMAGE}@sha256:0`],
  ])('ends with %i and "%s", and writes nothing', (code, message, repository, image) => {
    const { status, stderr } = makeChart(repository, [image, join(directory, 'refused')]);
    expect([status, stderr.slice(0, message.length)]).toEqual([code, message]);
    expect(existsSync(join(directory, 'refused/akv-csi-provider'))).toBe(false);
  });
});

describe('npm run release:version', () => {
  it('leaves no place with the old version, and dates the first heading of the change log', () => {
    const copy = join(directory, 'step');
    const { status, stderr } = setVersion(copy, '9.8.7-rc.1');
    expect([status, stderr]).toEqual([0, '']);
    const version = projectVersion();
    for (const path of PATHS.filter((one) => one !== 'CHANGELOG.md' && one !== 'package-lock.json')) {
      const text = readFileSync(join(copy, path), 'utf8');
      expect(text, path).toContain('9.8.7-rc.1');
      expect(text, path).not.toContain(version);
    }
    const lock = JSON.parse(readFileSync(join(copy, 'package-lock.json'), 'utf8'));
    expect([lock.version, lock.packages[''].version]).toEqual(['9.8.7-rc.1', '9.8.7-rc.1']);
    expect(readFileSync(join(copy, 'CHANGELOG.md'), 'utf8')).toMatch(
      /^# Changelog\n\n## 9\.8\.7-rc\.1 — \d{4}-\d\d-\d\d\n/,
    );
  });

  it('knows every document that names the image or the package with its version', () => {
    const version = projectVersion();
    const named = [`akv-csi-provider:${version}`, `akv-csi-${version}.tgz`];
    // RELEASING.md has the commands for any version.
    const pages = markdownFiles().filter((page) => page !== 'RELEASING.md');
    const found = pages.filter((page) => named.some((name) => textOf(page).includes(name)));
    expect(found).toContain('docs/quick-start.md');
    expect(PATHS).toEqual(expect.arrayContaining(found));
    const tests = projectFiles('test/**/*.ts').filter((path) => named.some((name) => textOf(path).includes(name)));
    expect(tests, 'tests that fail after the next release').toEqual([]);
  });

  it('refuses what is no version, and changes nothing', () => {
    const copy = join(directory, 'refused');
    const { status, stderr } = setVersion(copy, 'v1');
    expect([status, stderr]).toEqual([2, 'error: "v1" is not a version such as 0.2.0 or 0.2.0-rc.1\n']);
    const before = (path: string) => (path === 'CHANGELOG.md' ? unreleasedChanges() : textOf(path));
    for (const path of PATHS) expect(readFileSync(join(copy, path), 'utf8')).toBe(before(path));
  });
});
