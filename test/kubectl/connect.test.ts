import { describe, expect, it } from 'vitest';
import { type ConnectOptions, runConnect } from '../../src/cli/kubectl/connect.ts';
import { recordedIo } from '../support/cli.ts';
import type { StubObject } from '../support/kube-stub.ts';
import { example, spc, TENANT, useCluster } from './cluster.ts';

const { stub, options } = useCluster();

/** A workload with the given containers. */
function workload(containers: readonly string[], changes: Partial<StubObject> = {}): StubObject {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'mosquitto', namespace: 'shop', resourceVersion: '7' },
    spec: { template: { spec: { containers: containers.map((name) => ({ name, image: 'x' })) } } },
    ...changes,
  };
}

async function connect(resource: string, changes: Partial<ConnectOptions> = {}, to = 'deploy/mosquitto') {
  const io = recordedIo();
  const all = { ...options(), directoryId: TENANT, ...changes };
  const code = await runConnect({ resource, workload: to }, all, io);
  return { code, out: io.printed.stdout, err: io.printed.stderr };
}

const patches = () => stub().requests.filter(({ method }) => method === 'PATCH');
const find = (kind: string) => stub().objects.filter((one) => one.kind === kind);

describe('kubectl akv connect', () => {
  it('shows the difference, and changes nothing without --yes', async () => {
    stub().objects.push(example('broker-listener'), workload(['broker']));
    const before = JSON.stringify(stub().objects);
    const { code, out } = await connect('BrokerListener/tls-listener-manual');
    expect(code).toBe(0);
    expect(out).toContain(`+apiVersion: secrets-store.csi.x-k8s.io/v1
+kind: SecretProviderClass
+metadata:
+  annotations:
+    akv-csi/from: BrokerListener/tls-listener-manual/tls
+  name: broker-listener-tls-listener-manual-tls
+  namespace: shop
+spec:
+  parameters:
+    keyVault: |
+      vault:
+        name: my-key-vault
+        directoryId: 11111111-1111-1111-1111-111111111111
`);
    expect(out).toContain(`           name: broker
+          volumeMounts:
+            - mountPath: /mnt/secrets-store/broker-listener-tls-listener-manual-tls
+              name: broker-listener-tls-listener-manual-tls
+              readOnly: true
`);
    expect(out).toMatch(/nothing was changed; --yes applies these changes\n$/);
    expect(JSON.stringify(stub().objects)).toBe(before);
    expect(patches().map(({ url }) => new URLSearchParams(url.split('?')[1]).get('dryRun'))).toEqual(['All', 'All']);
  });

  it('applies with --yes only what the item asks for, says how to undo it, and then has nothing to change', async () => {
    stub().objects.push(example('broker-listener'), workload(['broker', 'sidecar']));
    const item = 'broker=brokerlisteners/tls-listener-manual/tls:/tls';
    const { code, out } = await connect(item, { yes: true });
    expect(code).toBe(0);
    expect(out).toMatch(
      /secretproviderclass\.secrets-store\.csi\.x-k8s\.io\/broker-listener-tls-listener-manual-tls serverside-applied\ndeployment\.apps\/mosquitto serverside-applied\nTo see it: kubectl rollout status deployment\/mosquitto -n shop\nTo undo it: kubectl rollout undo deployment\/mosquitto -n shop; kubectl delete secretproviderclass broker-listener-tls-listener-manual-tls -n shop\n$/,
    );
    const { url, headers, body } = patches().at(-1) ?? { url: '', headers: {}, body: '{}' };
    expect(headers['content-type']).toBe('application/apply-patch+yaml');
    expect(new URLSearchParams(url.split('?')[1]).get('fieldManager')).toBe(
      'kubectl-akv/BrokerListener/tls-listener-manual/tls/broker',
    );
    const name = 'broker-listener-tls-listener-manual-tls';
    expect(JSON.parse(body)).toEqual({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'mosquitto', namespace: 'shop' },
      spec: {
        template: {
          spec: {
            volumes: [
              {
                name,
                csi: {
                  driver: 'secrets-store.csi.k8s.io',
                  readOnly: true,
                  volumeAttributes: { secretProviderClass: name },
                  nodePublishSecretRef: { name: 'aio-akv-sp' },
                },
              },
            ],
            containers: [{ name: 'broker', volumeMounts: [{ name, mountPath: '/tls', readOnly: true }] }],
          },
        },
      },
    });
    expect((await connect(item)).out).toBe('nothing to change: the workload has all of it\n');
  });

  it('changes nothing with --dry-run=server, also with --yes', async () => {
    stub().objects.push(example('broker-listener'), workload(['broker']));
    await connect('BrokerListener/tls-listener-manual', { yes: true, dryRun: 'server' });
    expect(find('SecretProviderClass')).toEqual([]);
  });

  it('connects a second resource beside the first, each with a field manager of its own', async () => {
    stub().objects.push(example('broker-listener'), example('broker-authentication'), workload(['broker']));
    for (const item of ['BrokerListener/tls-listener-manual', 'BrokerAuthentication/my-authentication'])
      expect((await connect(item, { yes: true })).code).toBe(0);
    const [deployment] = find('Deployment');
    expect(JSON.stringify(deployment).match(/"secretProviderClass":/g)).toHaveLength(2);
    const managers = patches().map(({ url }) => new URLSearchParams(url.split('?')[1]).get('fieldManager'));
    expect(new Set(managers).size).toBe(2);
  });

  it('connects a class that exists', async () => {
    stub().objects.push(spc('web'), workload(['broker']));
    const { code } = await connect('spc/web:/web', { yes: true });
    expect([code, patches().length]).toEqual([0, 2]);
    expect(JSON.stringify(find('Deployment'))).toContain('"mountPath":"/web"');
  });

  it('sends a JSON patch with a test of the version where lists are not merged', async () => {
    const rollout = workload(['broker'], { apiVersion: 'argoproj.io/v1alpha1', kind: 'Rollout' });
    stub().objects.push(example('broker-listener'), rollout);
    const { code } = await connect('BrokerListener/tls-listener-manual', { yes: true }, 'rollout/mosquitto');
    const last = patches().at(-1);
    expect([code, last?.headers['content-type']]).toEqual([0, 'application/json-patch+json']);
    expect(JSON.parse(last?.body ?? '[]').map(({ op, path }: { op: string; path: string }) => [op, path])).toEqual([
      ['test', '/metadata/resourceVersion'],
      ['add', '/spec/template/spec/volumes'],
      ['add', '/spec/template/spec/containers/0/volumeMounts'],
    ]);
  });

  it('adds the container that watches, of a workload that asks for it, by a JSON patch', async () => {
    const annotations = { 'akv-csi/watch': 'HUP mosquitto', 'akv-csi/watch-image': 'akv:1' };
    const template = { metadata: { annotations }, spec: { containers: [{ name: 'broker', image: 'x' }] } };
    stub().objects.push(example('broker-listener'), workload([], { spec: { template } }));
    expect((await connect('BrokerListener/tls-listener-manual', { yes: true })).code).toBe(0);
    const last = patches().at(-1);
    expect(last?.headers['content-type']).toBe('application/json-patch+json');
    expect(JSON.parse(last?.body ?? '[]').slice(1)).toMatchObject([
      { path: '/spec/template/spec/volumes' },
      { path: '/spec/template/spec/containers/0/volumeMounts' },
      { path: '/spec/template/spec/shareProcessNamespace', value: true },
      { path: '/spec/template/spec/containers/1', value: { name: 'akv-csi-watch', image: 'akv:1' } },
    ]);
  });

  it.each<[string, () => StubObject[], string, string, RegExp]>([
    [
      'no such resource',
      () => [workload(['a'])],
      'BrokerListener/x',
      'deploy/mosquitto',
      /no BrokerListener "x" in namespace shop; kubectl get brokerlisteners -A shows where it is; choose its namespace with -n\n$/,
    ],
    [
      'no such workload',
      () => [example('broker-listener')],
      'BrokerListener/tls-listener-manual',
      'deploy/x',
      /no Deployment "x" in namespace shop/,
    ],
    [
      'several containers',
      () => [example('broker-listener'), workload(['a', 'b'])],
      'BrokerListener/tls-listener-manual',
      'deploy/mosquitto',
      /several containers \(a, b\); name one/,
    ],
    [
      'a pod',
      () => [
        example('broker-listener'),
        { ...workload([]), apiVersion: 'v1', kind: 'Pod', spec: { containers: [{ name: 'a' }] } },
      ],
      'BrokerListener/tls-listener-manual',
      'po/mosquitto',
      /volumes of a pod cannot change; connect the workload/,
    ],
    [
      'a class of another origin',
      () => [example('broker-listener'), workload(['a']), spc('broker-listener-tls-listener-manual-tls')],
      'BrokerListener/tls-listener-manual',
      'deploy/mosquitto',
      /exists and is not made by this program/,
    ],
    [
      'a resource without field',
      () => [example('broker-listener', { spec: {} }), workload(['a'])],
      'BrokerListener/tls-listener-manual',
      'deploy/mosquitto',
      /has no keyVault field/,
    ],
    [
      'a resource with mistakes',
      () => [
        example('broker-listener', {
          spec: { tls: { keyVault: { vault: { name: 'x' }, vaultCert: { name: 'a' } } } },
        }),
        workload(['a']),
      ],
      'BrokerListener/tls-listener-manual',
      'deploy/mosquitto',
      /Invalid vault name/,
    ],
    [
      'an unknown kind',
      () => [],
      'BrokerListner/x',
      'deploy/mosquitto',
      /no resources of the kind "BrokerListner"; did you mean "brokerlistener"/,
    ],
    ['two items', () => [], 'BrokerListener/a, BrokerListener/b', 'deploy/x', /connect takes one item at a time/],
    ['no workload', () => [], 'BrokerListener/a', 'mosquitto', /"mosquitto" is no workload; the form is deploy\/NAME/],
  ])('refuses %s, and writes nothing', async (_, objects, item, to, reason) => {
    stub().objects.push(...objects());
    const { code, err } = await connect(item, { yes: true }, to);
    expect(code).toBeGreaterThan(0);
    expect(err).toMatch(reason);
    expect(patches()).toEqual([]);
  });

  it('refuses a placeholder, which --directory-id fills', async () => {
    stub().objects.push(example('broker-listener'), workload(['broker']));
    const io = recordedIo();
    const to = { resource: 'BrokerListener/tls-listener-manual', workload: 'deploy/mosquitto' };
    expect(await runConnect(to, options(), io)).toBe(1);
    expect(io.printed.stderr).toMatch(/^error: SecretProviderClass .*<AKV directory ID>/m);
    expect(patches()).toEqual([]);
  });

  it('explains a conflict with another manager, and takes the fields over with --force-conflicts', async () => {
    stub().objects.push(example('broker-listener'), workload(['broker']));
    stub().answer = ({ method, url }, response) => {
      if (method !== 'PATCH' || url.includes('force=true')) return false;
      const message = 'Apply failed with 1 conflict: conflict with "helm": .spec.template.spec.volumes';
      response.writeHead(409, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ kind: 'Status', code: 409, reason: 'Conflict', message }));
      return true;
    };
    const { code, err } = await connect('BrokerListener/tls-listener-manual');
    expect([code, err]).toEqual([1, expect.stringMatching(/conflict with "helm".*--force-conflicts/s)]);
    expect((await connect('BrokerListener/tls-listener-manual', { forceConflicts: true })).code).toBe(0);
  });

  it('says who owns a workload and may undo the change', async () => {
    const owner = { kind: 'Broker', name: 'aio', controller: true };
    const owned = workload(['broker']);
    stub().objects.push(example('broker-listener'), {
      ...owned,
      metadata: { ...owned.metadata, ownerReferences: [owner] },
    });
    const { err } = await connect('BrokerListener/tls-listener-manual');
    expect(err).toContain('note: Broker aio owns this workload and may undo the change');
  });
});
