// The chart, applied to a real API server, and Pod Security as it enforces it.
import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { chartDir, findHelm, REPOSITORY } from '../chart/helm.ts';
import { type ApiServer, startApiServer } from './api-server.ts';
import { clusterWanted } from './programs.ts';

const LIMIT_MS = 300_000;
const wanted = findHelm() !== undefined && clusterWanted();

describe.skipIf(!wanted)('a real API server', () => {
  let server: ApiServer;
  beforeAll(async () => {
    server = await startApiServer();
  }, LIMIT_MS);
  afterAll(() => server?.stop(), LIMIT_MS);

  /** Returns the manifests of the chart in a namespace. */
  const chart = (namespace: string, ...args: readonly string[]) =>
    execFileSync(
      'helm',
      ['template', 'akv', chartDir, `--namespace=${namespace}`, `--set=linux.image.repository=${REPOSITORY}`, ...args],
      { encoding: 'utf8' },
    );

  test('takes the chart, and gives its ServiceAccount one permission', async () => {
    await server.apply(chart('kube-system'), '--namespace=kube-system');
    const account = 'system:serviceaccount:kube-system:csi-secrets-store-provider-azure';
    const listed = await server.kubectl(['auth', 'can-i', '--list', '--no-headers', `--as=${account}`]);
    // Every user may read the discovery documents and ask what it may do.
    const own = listed.split('\n').filter((line) => !/^ |^$|^selfsubject/.test(line));
    expect(own.map((line) => line.split(/ {2,}/))).toEqual([
      ['secretproviderclasses.secrets-store.csi.x-k8s.io', '[]', '[]', '[get]'],
    ]);
  });

  test('enforces Pod Security on the pods of the chart', async () => {
    await server.createNamespace('restricted', { 'pod-security.kubernetes.io/enforce': 'restricted' });
    const name = 'akv-csi-secrets-store-provider-azure';
    const { spec } = await server.get<{ spec: { template: { spec: object } } }>('daemonset', name, 'kube-system');
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'provider', namespace: 'restricted' },
      spec: { ...spec.template.spec, serviceAccountName: 'default', priorityClassName: undefined },
    };
    await expect(server.apply(JSON.stringify(pod))).rejects.toThrow(
      /violates PodSecurity "restricted:latest": host name/,
    );
  });
});
