import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { PodOption } from '../../src/render/into/pod-option.ts';
import { componentOf, HEADER } from '../../src/render/more/kustomize.ts';
import { render } from '../../src/render/render.ts';

const LISTENER = { name: 'a.yaml', text: readFileSync('examples/broker-listener.yaml', 'utf8') };
const NAMESPACE = 'azure-iot-operations';
const CLASS = 'broker-listener-tls-listener-manual-tls';
const { volumes } = render([LISTENER]);

function pod(target: string, items: string): PodOption {
  const [name = '', kind = '', namespace = ''] = target.split('/').toReversed();
  return { target, namespace, kind, name, items };
}

function component(pods: readonly PodOption[], manifests: readonly unknown[] = []) {
  const { text, mistakes, notes } = componentOf({ volumes, pods, manifests });
  const { patches } = parse(text) as { readonly patches: readonly { readonly patch: string }[] };
  return { text, mistakes, notes, patches: patches.map(({ patch }) => parse(patch)) };
}

const volume = {
  name: CLASS,
  csi: {
    driver: 'secrets-store.csi.k8s.io',
    readOnly: true,
    volumeAttributes: { secretProviderClass: CLASS },
    nodePublishSecretRef: { name: 'aio-akv-sp' },
  },
};
const mounted = (name: string, mountPath: string) => ({
  name,
  volumeMounts: [{ name: CLASS, mountPath, readOnly: true }],
});

function deployment(spec: object, annotations: object = {}) {
  const template = { metadata: { annotations }, spec };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'front', namespace: NAMESPACE },
    spec: { template },
  };
}

it.each([
  ['deploy/front', 'apps/v1', 'Deployment', ['spec', 'template']],
  [`${NAMESPACE}/statefulsets.apps/front`, 'apps/v1', 'StatefulSet', ['spec', 'template']],
  ['ds/front', 'apps/v1', 'DaemonSet', ['spec', 'template']],
  ['rs/front', 'apps/v1', 'ReplicaSet', ['spec', 'template']],
  ['rc/front', 'v1', 'ReplicationController', ['spec', 'template']],
  ['po/front', 'v1', 'Pod', []],
  ['podtemplate/front', 'v1', 'PodTemplate', ['template']],
  ['job/front', 'batch/v1', 'Job', ['spec', 'template']],
  ['cj/front', 'batch/v1', 'CronJob', ['spec', 'jobTemplate', 'spec', 'template']],
])('%s is patched by its name', (target, apiVersion, kind, path) => {
  const items = 'broker=BrokerListener/tls-listener-manual:/tls, side=BrokerListener/tls-listener-manual:/a';
  const { patches, mistakes } = component([pod(target, items)]);
  const spec = { volumes: [volume], containers: [mounted('broker', '/tls'), mounted('side', '/a')] };
  const inner = [...path, 'spec'].reduceRight<object>((value, key) => ({ [key]: value }), spec);
  const metadata = { name: 'front', ...(target.startsWith(NAMESPACE) ? { namespace: NAMESPACE } : {}) };
  expect(mistakes).toEqual([]);
  expect(patches).toEqual([{ apiVersion, kind, metadata, ...inner }]);
});

describe('a workload among the files', () => {
  const containers = [{ name: 'broker', image: 'b', volumeMounts: [{ name: 'data', mountPath: '/data' }] }];

  it('gets only what it has not, in its containers and init containers', () => {
    const manifest = deployment({
      containers,
      initContainers: [{ name: 'init', image: 'i' }],
      volumes: [{ name: 'data', emptyDir: {} }],
    });
    const items = 'BrokerListener/tls-listener-manual:/tls, init=BrokerListener/tls-listener-manual:/tls';
    const { patches, mistakes } = component([pod(`${NAMESPACE}/deploy/front`, items)], [manifest]);
    expect(mistakes).toEqual([]);
    expect(patches).toEqual([
      {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'front', namespace: NAMESPACE },
        spec: {
          template: {
            spec: {
              volumes: [volume],
              containers: [mounted('broker', '/tls')],
              initContainers: [mounted('init', '/tls')],
            },
          },
        },
      },
    ]);
  });

  it('asks by its annotation too, also for the container that watches', () => {
    const annotations = {
      'akv-csi/mount': 'BrokerListener/tls-listener-manual:/tls',
      'akv-csi/watch': 'signal=HUP:mosquitto',
      'akv-csi/watch-image': 'registry.example.com/akv-csi',
    };
    const { patches, mistakes } = component([], [{ kind: 'Service' }, deployment({ containers }, annotations)]);
    expect(mistakes).toEqual([]);
    const [{ spec } = { spec: {} }] = patches;
    expect(spec.template.spec).toMatchObject({ shareProcessNamespace: true, volumes: [volume] });
    expect(spec.template.spec.containers).toEqual([
      mounted('broker', '/tls'),
      expect.objectContaining({ name: 'akv-csi-watch', image: 'registry.example.com/akv-csi' }),
    ]);
  });

  it('that has everything already needs no patch', () => {
    const spec = { volumes: [volume], containers: [{ image: 'b', ...mounted('broker', '/tls') }] };
    const item = 'BrokerListener/tls-listener-manual:/tls';
    expect(component([pod('deploy/front', item)], [deployment(spec)])).toMatchObject({ patches: [], mistakes: [] });
  });
});

it.each<[string, readonly PodOption[], readonly unknown[], string]>([
  ['nothing is asked for', [], [], '--format kustomize needs --pod KIND/NAME=ITEMS, or a workload with the annotation'],
  [
    'an item names no container',
    [pod('deploy/front', 'BrokerListener/tls-listener-manual')],
    [],
    '--pod deploy/front: item "BrokerListener/tls-listener-manual" names no container, and the manifest of the workload is not ' +
      'among the files; write CONTAINER=BrokerListener/tls-listener-manual',
  ],
  [
    'a kind has lists that are not merged',
    [pod('rollout/front', 'a=BrokerListener/tls-listener-manual')],
    [],
    'and replaces those of "rollout"; use kustomize build DIR | akv-csi render --into',
  ],
  [
    'a manifest has such a kind',
    [pod('rollout/front', 'a=BrokerListener/tls-listener-manual')],
    [{ ...deployment({ containers: [{ name: 'a' }] }), kind: 'Rollout' }],
    'Rollout front: Kustomize merges the lists of',
  ],
  [
    'there is no such resource',
    [pod('deploy/front', 'a=BrokerListener/tls-listner-manual')],
    [],
    'did you mean "BrokerListener/tls-listener-manual"?',
  ],
  [
    'there are several workloads of the name',
    [pod('deploy/front', 'a=BrokerListener/tls-listener-manual')],
    ['a', 'b'].map((namespace) => ({
      ...deployment({ containers: [{ name: 'a' }] }),
      metadata: { name: 'front', namespace },
    })),
    '--pod deploy/front: there are 2 of it in the files; write NAMESPACE/deploy/front',
  ],
])('it is a mistake if %s', (_, pods, manifests, message) => {
  const { mistakes } = component(pods, manifests);
  expect(mistakes).toHaveLength(1);
  expect(mistakes[0]).toContain(message);
});

it('begins with the line by which it is known', () => {
  expect(component([pod('deploy/a', 'b=BrokerListener/tls-listener-manual')]).text).toMatch(new RegExp(`^${HEADER}`));
});
