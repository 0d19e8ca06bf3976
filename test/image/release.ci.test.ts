/**
 * Does a release as RELEASING.md says, in a clone: the steps of the workflow run as they are written, with a registry of this
 * machine. Programs that need GitHub or a container engine are replaced by scripts that note how they are called.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { run } from '../cluster/process.ts';
import { root, textOf, unreleasedChanges } from '../support/markdown.ts';
import { imageFiles, type Registry, startRegistry } from './assemble.ts';

const VERSION = '9.8.7';
const DIGEST = `sha256:${'5'.repeat(64)}`;
const ARCHITECTURES = ['1', '2'].map((digit) => digit.repeat(64));

interface Step {
  readonly id?: string;
  readonly name?: string;
  readonly run?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly 'working-directory'?: string;
}
interface Workflow {
  readonly jobs: Readonly<Record<string, { readonly steps: readonly Step[]; readonly env?: Step['env'] }>>;
}

/** Scripts in place of programs. `$CALLS` is the file of calls, and `$REAL` the path without these scripts. */
const REPLACED = {
  docker: `case "$*" in *inspect*) echo '{"digest":"${DIGEST}"}' ;; esac`,
  cosign: 'while [ $# -gt 1 ]; do if [ "$1" = --bundle ]; then echo {} >"$2"; fi; shift; done',
  gh: 'while [ $# -gt 0 ]; do if [ "$1" = --notes-file ]; then cat "$2" >"$CALLS.notes"; fi; shift; done',
  helm: 'case "$1" in push) set -- "$@" --plain-http ;; esac; PATH=$REAL exec helm "$@"',
  npm: `case "$1" in
  ci) exit ;;
  publish) PATH=$REAL exec npm publish "$2" --dry-run --loglevel=notice >>"$CALLS" 2>&1 ;;
esac
PATH=$REAL exec npm "$@"`,
};

const directory = mkdtempSync(join(tmpdir(), 'akv-release-'));
const clone = join(directory, 'clone');
const calls = join(directory, 'calls');
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe.skipIf(imageFiles() === undefined)('the workflow of a release', () => {
  const { jobs } = parse(textOf('.github/workflows/release.yml')) as Workflow;
  const outputs = new Map<string, string>();
  let registry: Registry;

  /** Puts values into a text for GitHub's expressions. */
  const filled = (text: string) =>
    text
      .replace(/\$\{\{ (?:steps|needs)\.(\w+)\.outputs\.(\w+) \}\}/g, (_all, step, name) => {
        return outputs.get(`${step}.${name}`) ?? '';
      })
      .replace(/\$\{\{.*?\}\}/g, 'x');

  /** Runs a step of a job, keeps its outputs, and returns what it printed. */
  async function runStep(
    job: string,
    { id = '', run: script = '', env, 'working-directory': folder = '.' }: Step,
    ref = VERSION,
  ) {
    const file = join(directory, 'output');
    writeFileSync(file, '');
    const ofStep = Object.entries({ ...jobs[job]?.env, ...env }).map(([name, value]) => [name, filled(value)]);
    const printed = await run('bash', ['-e', '-o', 'pipefail', '-c', script], {
      cwd: join(clone, folder),
      env: {
        ...Object.fromEntries(ofStep),
        IMAGE: `${registry.name}/akv-csi-provider`,
        CHARTS: `${registry.name}/charts`,
        ...{
          GITHUB_REF_NAME: `v${ref}`,
          GITHUB_OUTPUT: file,
          GITHUB_SHA: 'c0ffee',
          GITHUB_SERVER_URL: 'https://github.com',
        },
        ...{ GITHUB_REPOSITORY: 'owner/repository', GITHUB_REPOSITORY_OWNER: 'Owner' },
        ...{ CALLS: calls, REAL: process.env.PATH ?? '', PATH: `${join(directory, 'bin')}:${process.env.PATH}` },
      },
    });
    for (const line of readFileSync(file, 'utf8').split('\n').filter(Boolean)) {
      const [name, value = ''] = line.split('=');
      outputs.set(`${job === 'check' ? 'check' : id}.${name}`, value);
    }
    return printed;
  }

  const stepsOf = (job: string) => (jobs[job]?.steps ?? []).filter(({ run: script }) => script !== undefined);

  beforeAll(async () => {
    mkdirSync(join(directory, 'bin'));
    for (const [name, script] of Object.entries(REPLACED)) {
      const note = `#!/bin/bash\necho "${name} $*" >>"$CALLS"\n`;
      writeFileSync(join(directory, 'bin', name), `${note}${script}\n`, { mode: 0o755 });
    }
    registry = await startRegistry(directory);
    await run('git', ['clone', '--quiet', '--no-hardlinks', root, clone]);
    await run('cp', ['-al', join(root, 'node_modules'), clone]);
    writeFileSync(join(clone, 'CHANGELOG.md'), unreleasedChanges());
    await run('npm', ['run', '--silent', 'release:version', '--', VERSION], { cwd: clone });
    const repository = ['repository.type=git', 'repository.url=git+https://github.com/owner/repository.git'];
    await run('npm', ['pkg', 'set', ...repository], { cwd: clone });
    const who = ['-c', 'user.name=maintainer', '-c', 'user.email=maintainer@example.com', '-c', 'commit.gpgsign=false'];
    await run('git', [...who, 'commit', '-qam', `release: ${VERSION}`], { cwd: clone });
    mkdirSync(join(clone, 'digests'));
    for (const digest of ARCHITECTURES) writeFileSync(join(clone, 'digests', digest), '');
  }, 600_000);
  afterAll(() => registry?.stop());

  it('refuses a tag that is not the version, and a package of another repository', async () => {
    const version = stepsOf('check').find(({ id }) => id === 'version');
    await expect(runStep('check', version ?? {}, '9.8.6')).rejects.toThrow('the tag v9.8.6 is not v9.8.7');
    await run('npm', ['pkg', 'delete', 'repository'], { cwd: clone });
    await expect(runStep('check', version ?? {})).rejects.toThrow('repository.url of package.json is not git+https');
    await run('git', ['checkout', '--quiet', 'package.json'], { cwd: clone });
  });

  it('publishes image, chart and package of the version, with their sums and notes', async () => {
    // The test runs in .ci/run itself.
    const checks = stepsOf('check').filter(({ run: script }) => !/^bash \.ci\/run|safe\.directory/.test(script ?? ''));
    expect(checks.map(({ id }) => id)).toEqual(['version']);
    for (const step of checks) await runStep('check', step);
    expect(outputs.get('check.version')).toBe(VERSION);
    expect(outputs.get('check.image')).toBe('ghcr.io/owner/akv-csi-provider');
    for (const step of stepsOf('publish')) await runStep('publish', step);

    expect(outputs.get('image.digest')).toBe(DIGEST);
    const release = join(clone, 'release');
    const packed = [`akv-csi-${VERSION}.tgz`, `akv-csi-provider-${VERSION}.tgz`, 'sbom.cdx.json', 'sbom.spdx.json'];
    expect(readdirSync(release).toSorted()).toEqual(['SHA256SUMS', 'SHA256SUMS.sigstore.json', ...packed]);
    const sums = await run('sha256sum', ['--check', '--strict', 'SHA256SUMS'], { cwd: release });
    expect(sums).toBe(packed.map((name) => `${name}: OK\n`).join(''));

    const oci = `oci://${registry.name}/charts/akv-csi-provider`;
    const chart = parse(await run('helm', ['show', 'chart', oci, '--version', VERSION, '--plain-http']));
    expect([chart.version, chart.appVersion]).toEqual([VERSION, VERSION]);
    // The released chart needs no values: it runs the image of the release.
    const alerts = 'monitoring.prometheusRule.enabled=true';
    const rendered = await run('helm', ['template', 'akv', oci, '--version', VERSION, '--plain-http', '--set', alerts]);
    expect(rendered).toContain(`image: "${registry.name}/akv-csi-provider:${VERSION}"`);
    expect(rendered).toContain(
      `runbook_url: https://github.com/owner/repository/blob/v${VERSION}/docs/runbook.md#akvcsimountfailing`,
    );

    const noted = readFileSync(calls, 'utf8').split('\n');
    const [base] = /^FROM \S+@\S+ AS runtime$/m.exec(textOf('Dockerfile')) ?? [];
    const [, name, digest] = /^FROM (\S+)@(\S+) AS/.exec(base ?? '') ?? [];
    const [created = ''] = noted.filter((line) => line.startsWith('docker buildx imagetools create '));
    expect(created).toContain(`--annotation index:org.opencontainers.image.base.name=${name} `);
    expect(created).toContain(`--annotation index:org.opencontainers.image.base.digest=${digest} `);
    for (const one of ARCHITECTURES) expect(created).toContain(` ${registry.name}/akv-csi-provider@sha256:${one}`);
    const signed = noted.filter((line) => line.startsWith('cosign '));
    expect(signed).toContain(
      `cosign sign --yes ${registry.name}/akv-csi-provider@${DIGEST} ${registry.name}/charts/akv-csi-provider@${outputs.get('chart.digest')}`,
    );
    expect(signed).toHaveLength(4);
    expect(outputs.get('chart.digest')).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(noted).toContain(`+ akv-csi@${VERSION}`);
    expect(readFileSync(`${calls}.notes`, 'utf8')).toMatch(new RegExp(`^## ${VERSION} — \\d{4}-\\d\\d-\\d\\d\\n\\n.`));
  }, 600_000);
});
