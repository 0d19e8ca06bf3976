// The headings of docs/troubleshooting.md about driver and kubelet: the driver prints them, or they are in the sources of
// the versions that the tests build.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { clusterWanted, driverSource } from '../cluster/programs.ts';
import { headings } from '../support/markdown.ts';
import { classicParameters } from './classic.ts';
import { NEWEST_DRIVERS, realDriverWanted } from './driver.ts';
import { type Node, startNode } from './node.ts';
import { eventually } from './wait.ts';

const LIMIT_MS = 300_000;
const wanted = realDriverWanted();
const all = headings('docs/troubleshooting.md');
const shown = [
  ...all.slice(all.indexOf('Before the provider'), all.indexOf('The provider: credentials')),
  ...all.slice(all.indexOf('After the start')),
]
  .filter((heading) => heading.startsWith('`'))
  .map((heading) => heading.replaceAll('`', ''));
/** The parts of a heading between the names that vary. */
const partsOf = (heading: string) =>
  heading.split(/…|secrets-store\.csi\.k8s\.io|: (?=unmounted)/).filter((part) => part.trim() !== '');

/** The SecretProviderClass that makes the driver print a heading. */
const CLASSES: Readonly<Record<string, object | undefined>> = {
  'failed to get secretproviderclass …, error: …not found': undefined,
  'error connecting to provider "azure": provider not found': { provider: 'azure' },
  'invalid provider: provider': { provider: 'azure/keyvault' },
  'provider not set in': {},
  'parameters not set in': { provider: 'azure', parameters: undefined },
};
/** Headings whose texts are in a file of the driver's or Kubernetes' source. */
const OF_DRIVER: Readonly<Record<string, readonly [string, string]>> = {
  'Readonly is not true in request': ['v1.6.0', 'pkg/secrets-store/nodeserver.go'],
  'secretProviderClass is not set': ['v1.6.0', 'pkg/secrets-store/nodeserver.go'],
  'file matching objectName … not found in the pod': ['v1.6.0', 'pkg/util/secretutil/secret.go'],
  MountRotationFailed: ['v1.5.6', 'pkg/rotation/reconciler.go'],
};
const OF_KUBELET: Readonly<Record<string, readonly string[]>> = {
  'driver name secrets-store.csi.k8s.io not found in the list of registered CSI drivers': [
    'pkg/volume/csi/csi_client.go',
  ],
  'fetching NodePublishSecretRef … failed: …failed to find the secret … in the namespace …': [
    'pkg/volume/csi/csi_mounter.go',
    'pkg/volume/csi/csi_util.go',
  ],
  'Unable to attach or mount volumes: unmounted volumes=…': [
    'pkg/kubelet/kubelet.go',
    'pkg/kubelet/volumemanager/volume_manager.go',
  ],
};
/** Of gRPC, of the programs of a pod, and of the API server, whose text test/cluster compares. */
const OF_OTHERS = [
  'violates PodSecurity',
  'code = DeadlineExceeded desc = context deadline exceeded',
  'Permission denied',
];

test('each heading has its source', () => {
  const known = [CLASSES, OF_DRIVER, OF_KUBELET].flatMap((one) => Object.keys(one));
  expect(shown.toSorted()).toEqual([...known, ...OF_OTHERS].toSorted());
});

describe.skipIf(!wanted).each(NEWEST_DRIVERS)('driver $version', { timeout: LIMIT_MS }, (line) => {
  let node: Node;
  beforeAll(async () => {
    node = await startNode({ line, rotationInterval: '2m' });
  }, LIMIT_MS);
  afterAll(() => node?.close(), LIMIT_MS);

  test.each(Object.entries(CLASSES))('prints %s', async (heading, spec) => {
    const name = `class-${Object.keys(CLASSES).indexOf(heading)}`;
    if (spec !== undefined) {
      const parameters = classicParameters([{ objectName: 'one', objectType: 'secret' }]);
      const metadata = { name, namespace: 'default' };
      const [apiVersion, kind] = ['secrets-store.csi.x-k8s.io/v1', 'SecretProviderClass'];
      node.objects.create('secretproviderclasses', { apiVersion, kind, metadata, spec: { parameters, ...spec } });
    }
    const volume = node.addPod({ name, secretProviderClass: name });
    // The driver sees a new class a moment later.
    await eventually(async () => {
      const failure = await node.kubelet.publish(volume);
      for (const part of partsOf(heading)) expect(failure?.message).toContain(part);
    });
  });
});

test.skipIf(!wanted).each(Object.entries(OF_DRIVER))('the driver can print %s', (heading, [version, file]) => {
  const source = readFileSync(join(driverSource(version), file), 'utf8').replaceAll('%s', '…');
  for (const part of partsOf(heading)) expect(source).toContain(part);
});

test.skipIf(!clusterWanted()).each(Object.entries(OF_KUBELET))('the kubelet can print %s', (heading, files) => {
  const args = ['list', '-m', '-f', '{{.Dir}}', 'k8s.io/kubernetes'];
  const cwd = join(import.meta.dirname, '../cluster/kubernetes');
  const directory = execFileSync('go', args, { cwd, encoding: 'utf8' }).trim();
  const source = files.map((file) => readFileSync(join(directory, file), 'utf8')).join('\n');
  for (const part of partsOf(heading)) expect(source).toContain(part);
});
