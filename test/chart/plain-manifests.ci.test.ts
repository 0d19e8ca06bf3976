import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { type DaemonSet, daemonSet, findHelm } from './helm.ts';

const DEPLOY = fileURLToPath(new URL('../../deploy', import.meta.url));
const SCRIPT = fileURLToPath(new URL('../../scripts/plain-manifests.mjs', import.meta.url));
const manifests = parseAllDocuments(readFileSync(`${DEPLOY}/provider.yaml`, 'utf8')).map((document) => document.toJS());
const daemon = manifests.find(({ kind }) => kind === 'DaemonSet') as DaemonSet;

test('the plain manifests have the names of the official ones, which kubectl apply then replaces', () => {
  expect(manifests.map(({ kind }) => kind)).toEqual([
    'ServiceAccount',
    'ClusterRole',
    'ClusterRoleBinding',
    'DaemonSet',
  ]);
  expect(daemon.metadata).toMatchObject({ name: 'csi-secrets-store-provider-azure', namespace: 'kube-system' });
  expect(daemon.spec.selector.matchLabels).toEqual({ app: 'csi-secrets-store-provider-azure' });
  expect(daemon.spec.template.metadata.labels).toMatchObject(daemon.spec.selector.matchLabels);
});

test('the kustomization replaces the image of the plain manifests', () => {
  const { images } = parse(readFileSync(`${DEPLOY}/kustomization.yaml`, 'utf8')) as { images: { name: string }[] };
  const used = daemon.spec.template.spec.containers.map(({ image }) => image.replace(/:[^:]*$/, ''));
  expect(used).toEqual(images.map(({ name }) => name));
});

describe.skipIf(findHelm() === undefined)('with helm', () => {
  test('the plain manifests are those of the chart; if not, run npm run deploy:manifests', () => {
    const printed = execFileSync('node', [SCRIPT], { encoding: 'utf8' });
    expect(readFileSync(`${DEPLOY}/provider.yaml`, 'utf8')).toBe(printed);
  });

  test('the pods of the plain manifests are those of a release, but for the labels of Helm and the image', () => {
    const { spec } = daemonSet({ linux: { image: { repository: 'akv-csi-provider' } } }).spec.template;
    expect(daemon.spec.template.spec).toEqual(spec);
  });
});
