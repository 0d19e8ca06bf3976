import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { chartDir, findHelm, REPOSITORY, type Tree } from './helm.ts';

const helm = findHelm();
const DRIVER = '/apis/apps/v1/namespaces/kube-system/daemonsets/secrets-store-csi-driver';
const ACCOUNTS = '/api/v1/namespaces/kube-system/serviceaccounts';

const resource = (name: string, kind: string, namespaced: boolean) => ({ name, kind, namespaced, verbs: ['get'] });
const group = (name: string) => {
  const version = { groupVersion: `${name}/v1`, version: 'v1' };
  return { name, versions: [version], preferredVersion: version };
};
/** The discovery documents that helm requests before it looks up objects. */
const DISCOVERY: Tree = {
  '/version': { major: '1', minor: '34', gitVersion: 'v1.34.2' },
  '/api': { kind: 'APIVersions', versions: ['v1'] },
  '/apis': { kind: 'APIGroupList', groups: [group('apps')] },
  '/api/v1': { groupVersion: 'v1', resources: [resource('serviceaccounts', 'ServiceAccount', true)] },
  '/apis/apps/v1': { groupVersion: 'apps/v1', resources: [resource('daemonsets', 'DaemonSet', true)] },
};

/** Returns an object that helm has installed for a release. */
const ofRelease = (kind: 'DaemonSet' | 'ServiceAccount', name: string) => ({
  apiVersion: kind === 'DaemonSet' ? 'apps/v1' : 'v1',
  kind,
  metadata: {
    name: 'x',
    annotations: { 'meta.helm.sh/release-name': name, 'meta.helm.sh/release-namespace': 'kube-system' },
  },
});

describe.skipIf(helm === undefined)('chart, rendered against a cluster', () => {
  let server: Server;
  let directory: string;
  let objects: Tree;

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'akv-cluster-'));
    objects = {};
    server = createServer((request, response) => {
      const found = { ...DISCOVERY, ...objects }[new URL(request.url ?? '', 'http://x').pathname];
      response.writeHead(found === undefined ? 404 : 200, { 'content-type': 'application/json' });
      response.end(JSON.stringify(found ?? { kind: 'Status', status: 'Failure', reason: 'NotFound', code: 404 }));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterEach(async () => {
    server.closeAllConnections();
    await once(server.close(), 'close');
    rmSync(directory, { recursive: true });
  });

  /** Returns stderr of helm for the release `akv` in kube-system. It is empty if the chart renders. */
  function said(...args: string[]): Promise<string> {
    const cluster = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const kubeconfig = join(directory, 'kubeconfig');
    writeFileSync(kubeconfig, '');
    const all = ['template', 'akv', chartDir, '--dry-run=server', '--namespace=kube-system'];
    const options = ['--kube-apiserver', cluster, '--kubeconfig', kubeconfig];
    const image = `--set=linux.image.repository=${REPOSITORY}`;
    return new Promise((resolve) => {
      execFile('helm', [...all, ...options, image, ...args], (error, _stdout, stderr) => resolve(error ? stderr : ''));
    });
  }

  test('refuses to upgrade the release that brought the driver along, unless Helm keeps the driver', async () => {
    const driver = ofRelease('DaemonSet', 'akv');
    objects = { [DRIVER]: driver };
    expect(await said('--is-upgrade')).toMatch(/release "akv" installed the .* driver.*would remove it; keep it first/);
    expect(await said()).toBe('');
    objects = { [DRIVER.replace('secrets', 'akv-secrets')]: driver };
    expect(await said('--is-upgrade')).toMatch(/would remove it/);
    const annotations = { ...driver.metadata.annotations, 'helm.sh/resource-policy': 'keep' };
    objects = { [DRIVER]: { ...driver, metadata: { ...driver.metadata, annotations } } };
    expect(await said('--is-upgrade')).toBe('');
    objects = { [DRIVER]: ofRelease('DaemonSet', 'csi-secrets-store') };
    expect(await said('--is-upgrade')).toBe('');
    objects = {};
    expect(await said('--is-upgrade')).toBe('');
  });

  test('refuses a second release that would share the ServiceAccount of the first, with what to set', async () => {
    objects = { [`${ACCOUNTS}/csi-secrets-store-provider-azure`]: ofRelease('ServiceAccount', 'first') };
    expect(await said()).toMatch(/ServiceAccount "csi-sec.*belongs to the release "first"; set another nameOverride/);
    expect(await said('--set=nameOverride=akv-next')).toBe('');
    expect(await said('--set=rbac.install=false')).toBe('');
    objects = { [`${ACCOUNTS}/csi-secrets-store-provider-azure`]: ofRelease('ServiceAccount', 'akv') };
    expect(await said('--is-upgrade')).toBe('');
  });
});
