import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { codeBlocks, projectVersion, root, section, shellLines } from '../support/markdown.ts';
import { findTool } from '../support/tools.ts';
import { type DaemonSet, daemonSet, findHelm, manifestsOf } from './helm.ts';

const DEPLOY = join(root, 'deploy');
const SCRIPT = fileURLToPath(new URL('../../scripts/plain-manifests.mjs', import.meta.url));
const PAGE = section('charts/akv-csi-provider/README.md', 'Without Helm');
const NAME = 'csi-secrets-store-provider-azure';
const daemonOf = (text: string) => manifestsOf(text).find(({ kind }) => kind === 'DaemonSet') as unknown as DaemonSet;
const plain = readFileSync(join(DEPLOY, 'provider.yaml'), 'utf8');

test('the plain manifests have the names of the official ones, which kubectl apply then replaces', () => {
  expect(manifestsOf(plain).map(({ kind }) => kind)).toEqual([
    'ServiceAccount',
    'ClusterRole',
    'ClusterRoleBinding',
    'DaemonSet',
  ]);
  const daemon = daemonOf(plain);
  expect(daemon.metadata).toMatchObject({ name: NAME, namespace: 'kube-system' });
  expect(daemon.spec.selector.matchLabels).toEqual({ app: NAME });
  expect(daemon.spec.template.metadata.labels).toMatchObject(daemon.spec.selector.matchLabels);
});

describe.skipIf(findHelm() === undefined)('with helm', () => {
  test('the plain manifests are those of the chart; if not, run npm run deploy:manifests', () => {
    expect(plain).toBe(execFileSync('node', [SCRIPT], { encoding: 'utf8' }));
  });

  test('the pods of the plain manifests are those of a release, but for the labels of Helm and the image', () => {
    const { spec } = daemonSet({ linux: { image: { repository: 'akv-csi-provider' } } }).spec.template;
    expect(daemonOf(plain).spec.template.spec).toEqual(spec);
  });
});

describe.skipIf(!findTool('kustomize'))('with kustomize', () => {
  /** Returns a directory with a copy of deploy/. */
  const copy = () => {
    const directory = mkdtempSync(join(tmpdir(), 'akv-deploy-'));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    cpSync(DEPLOY, join(directory, 'deploy'), { recursive: true });
    return directory;
  };
  const build = (directory: string) => execFileSync('kustomize', ['build', directory], { encoding: 'utf8' });
  const IMAGE = `registry.example.com/akv-csi-provider:${projectVersion()}`;

  test('the plain manifests get the image of the command in the README', () => {
    const directory = copy();
    const [set = ''] = shellLines(PAGE).filter((line) => line.includes('kustomize edit'));
    execFileSync('sh', ['-c', set], { cwd: directory });
    const daemon = daemonOf(build(join(directory, 'deploy')));
    expect(daemon.spec.template.spec.containers.map(({ image }) => image)).toEqual([IMAGE]);
  });

  test('the overlay in the README changes image and flags, and nothing else', () => {
    const directory = copy();
    mkdirSync(join(directory, 'overlay'));
    const [overlay = ''] = codeBlocks(PAGE, 'yaml');
    writeFileSync(join(directory, 'overlay/kustomization.yaml'), overlay.replace('[deploy]', '[../deploy]'));
    const built = manifestsOf(build(join(directory, 'overlay')));
    const [container] = daemonOf(plain).spec.template.spec.containers;
    const [changed] = daemonOf(build(join(directory, 'overlay'))).spec.template.spec.containers;
    expect(changed).toEqual({
      ...container,
      image: IMAGE,
      args: [...(container?.args ?? []), '--log-format-json=true'],
    });
    expect(built.map(({ kind }) => kind).toSorted()).toEqual(
      manifestsOf(plain)
        .map(({ kind }) => kind)
        .toSorted(),
    );
  });
});
