// Objects of a small cluster, and the commands of the plugin run against it.
import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll } from 'vitest';
import { parse } from 'yaml';
import { systemClock } from '../../src/base/clock.ts';
import type { ClusterOptions } from '../../src/cli/kubectl/cluster-options.ts';
import { type KubeStub, type StubObject, startKubeStub } from '../support/kube-stub.ts';

/** The time of the tests. */
export const NOW = Date.parse('2026-11-29T12:00:00Z');
/** A clock that stands still. */
export const clock = { ...systemClock, wall: () => NOW };

/** The tenant of the classes. */
export const TENANT = '11111111-1111-1111-1111-111111111111';

/** A broker resource of examples/. */
export function example(name: string, changes: object = {}): StubObject {
  const object = parse(readFileSync(`examples/${name}.yaml`, 'utf8')) as StubObject;
  return { ...object, metadata: { ...object.metadata, namespace: 'shop' }, ...changes };
}

/** A SecretProviderClass of the classic form. */
export function spc(name: string, parameters: object = {}, provider = 'azure'): StubObject {
  return {
    apiVersion: 'secrets-store.csi.x-k8s.io/v1',
    kind: 'SecretProviderClass',
    metadata: { name, namespace: 'shop' },
    spec: {
      provider,
      parameters: {
        keyvaultName: 'shop-kv',
        tenantID: TENANT,
        objects: 'array:\n  - |\n    objectName: db-password\n    objectType: secret\n',
        ...parameters,
      },
    },
  };
}

/** A pod with a volume `certs` of a class. */
export function pod(
  name: string,
  changes: { phase?: string; className?: string; secret?: string; node?: string } = {},
): StubObject {
  const { phase = 'Pending', className = 'web', secret, node = 'n1' } = changes;
  const csi = {
    driver: 'secrets-store.csi.k8s.io',
    readOnly: true,
    volumeAttributes: className === '' ? {} : { secretProviderClass: className },
    ...(secret === undefined ? {} : { nodePublishSecretRef: { name: secret } }),
  };
  return {
    kind: 'Pod',
    metadata: { name, namespace: 'shop', uid: `uid-${name}` },
    spec: { nodeName: node, containers: [{ name: 'main' }], volumes: [{ name: 'certs', csi }] },
    status: { phase },
  };
}

/** The status of a mounted volume. */
export function mounted(podName: string, version: string, at: string, className = 'web'): StubObject {
  return {
    kind: 'SecretProviderClassPodStatus',
    metadata: {
      name: `${podName}-shop-${className}`,
      namespace: 'shop',
      creationTimestamp: at,
      labels: { 'internal.secrets-store.csi.k8s.io/node-name': 'n1' },
    },
    status: {
      podName,
      secretProviderClassName: className,
      mounted: true,
      objects: [{ id: 'secret/db-password', version }],
    },
  };
}

/** An event about a pod, five minutes before {@link NOW}. */
export function event(podName: string, reason: string, message: string): StubObject {
  return {
    kind: 'Event',
    metadata: { name: `${podName}.${reason}`, namespace: 'shop' },
    type: 'Warning',
    reason,
    message,
    count: 3,
    lastTimestamp: '2026-11-29T11:55:00Z',
    involvedObject: { kind: 'Pod', name: podName, namespace: 'shop', uid: `uid-${podName}` },
  };
}

/** The text of an event about a Mount that failed in the provider. */
export function mountFailed(podName: string, code: string, text: string): StubObject {
  const inner = `failed to mount secrets store objects for pod shop/${podName}, err: rpc error: code = ${code} desc = ${text}`;
  return event(
    podName,
    'FailedMount',
    `MountVolume.SetUp failed for volume "certs" : rpc error: code = ${code} desc = ${inner}`,
  );
}

/** The driver on node n1, and the provider's pod there. */
export function node({ ready = true, args = [] as string[] } = {}): readonly StubObject[] {
  return [
    { kind: 'CSIDriver', metadata: { name: 'secrets-store.csi.k8s.io' } },
    { kind: 'CSINode', metadata: { name: 'n1' }, spec: { drivers: [{ name: 'secrets-store.csi.k8s.io' }] } },
    {
      kind: 'Pod',
      metadata: { name: 'akv-n1', namespace: 'kube-system', labels: { 'app.kubernetes.io/name': 'akv-csi-provider' } },
      spec: {
        nodeName: 'n1',
        containers: [{ name: 'provider', args, ports: [{ name: 'metrics', containerPort: 8898 }] }],
      },
      status: {
        phase: 'Running',
        conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
        containerStatuses: ready ? [] : [{ name: 'provider', state: { waiting: { reason: 'ImagePullBackOff' } } }],
      },
    },
  ];
}

/** Starts one server for a test file, empty before each test. Returns it, and the options that choose it. */
export function useCluster(): { readonly stub: () => KubeStub; readonly options: () => ClusterOptions } {
  let running: KubeStub | undefined;
  const stub = () => {
    if (running === undefined) throw new Error('the server is not started');
    return running;
  };
  beforeAll(async () => {
    running = await startKubeStub();
  });
  afterAll(() => running?.close());
  afterEach(() => {
    const server = stub();
    server.objects.length = 0;
    server.requests.length = 0;
    server.logs.clear();
    server.metrics.clear();
    Object.assign(server, { forbidden: undefined, answer: undefined, aggregated: true });
  });
  return { stub, options: () => ({ kubeconfig: stub().kubeconfig, requestTimeout: '30s' }) };
}
