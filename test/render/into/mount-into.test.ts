import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { applyChanges, jsonPatchOf } from '../../../src/render/into/changes.ts';
import { classOfManifest, classOfVolume } from '../../../src/render/into/classes.ts';
import { isKind } from '../../../src/render/into/kinds.ts';
import { mountInto } from '../../../src/render/into/mount-into.ts';
import { render } from '../../../src/render/render.ts';
import { classOf } from '../../../src/render/volume.ts';
import { rounds } from '../../support/rounds.ts';
import { ATTRIBUTES, deployment, GIVEN, LISTENER, PASSWORDS, podOf } from './pods.ts';

function mountsOf(manifest: unknown, path: readonly (string | number)[] = ['spec', 'template']) {
  const changed = applyChanges(manifest, mountInto(manifest, GIVEN).changes);
  return path.reduce<never>((value, key) => value[key] as never, changed as never) as {
    spec: {
      volumes: { name: string }[];
      containers: { volumeMounts?: object[] }[];
      initContainers: { volumeMounts?: object[] }[];
    };
  };
}

describe('a pod that asks', () => {
  it('gets volume, credentials and mount', () => {
    const { spec } = mountsOf(deployment('BrokerListener/front'));
    expect(spec.volumes).toEqual([
      {
        name: LISTENER.name,
        csi: {
          driver: 'secrets-store.csi.k8s.io',
          readOnly: true,
          volumeAttributes: { secretProviderClass: LISTENER.name },
          nodePublishSecretRef: { name: 'aio-akv-sp' },
        },
      },
    ]);
    expect(spec.containers[0]?.volumeMounts).toEqual([
      { name: LISTENER.name, mountPath: `/mnt/secrets-store/${LISTENER.name}`, readOnly: true },
    ]);
  });

  it.each([
    ['the kind in lower case', 'brokerlistener/front', [LISTENER.name]],
    ['kubectl: the plural', 'brokerlisteners/front', [LISTENER.name]],
    ['kubectl: the plural with its group', 'brokerlisteners.mq.iotoperations.azure.com/front', [LISTENER.name]],
    ['all roles of a resource', 'BrokerAuthentication/users', [PASSWORDS.name, ATTRIBUTES.name]],
    ['one role', 'BrokerAuthentication/users/x509-attributes', [ATTRIBUTES.name]],
    ['a class by its name; the volume is a DNS label', 'SecretProviderClass/db.example', ['db-example-']],
    [
      'commas, line breaks and blanks',
      ' BrokerListener/front,\n BrokerAuthentication/users/username-password,\r\n',
      [LISTENER.name, PASSWORDS.name],
    ],
    ['the same item twice', 'BrokerListener/front,BrokerListener/front/tls', [LISTENER.name]],
  ])('takes %s', (_, items, names) => {
    const { volumes } = mountsOf(deployment(items)).spec;
    expect(volumes.map(({ name }) => name.replace(/[0-9a-f]{8}$/, ''))).toEqual(names);
  });

  it.each([
    ['the default container', 'BrokerListener/front', [0, 1, 0]],
    ['a container by name', 'side=BrokerListener/front', [0, 0, 1]],
    ['an init container by name', 'init=BrokerListener/front', [1, 0, 0]],
    [
      'several, each with its own',
      'main=BrokerListener/front,side=BrokerAuthentication/users,init=BrokerListener/front',
      [1, 1, 2],
    ],
  ])('mounts into %s', (_, items, counts) => {
    const { spec } = mountsOf(
      deployment(items, {
        containers: [{ name: 'main' }, { name: 'side' }],
        initContainers: [{ name: 'init' }],
        annotations: { 'kubectl.kubernetes.io/default-container': 'main' },
      }),
    );
    const held = [...spec.initContainers, ...spec.containers].map(({ volumeMounts = [] }) => volumeMounts.length);
    expect(held).toEqual(counts);
  });

  const pod = podOf('BrokerListener/front');
  it.each([
    ['Pod', { kind: 'Pod', ...pod }, []],
    [
      'CronJob',
      { kind: 'CronJob', spec: { jobTemplate: { spec: { template: pod } } } },
      ['spec', 'jobTemplate', 'spec', 'template'],
    ],
    ['PodTemplate', { kind: 'PodTemplate', template: pod }, ['template']],
    ['an Argo Rollout, by its shape', { kind: 'Rollout', spec: { template: pod } }, ['spec', 'template']],
  ])('may be in a %s', (_, manifest, path) => {
    expect(mountsOf(manifest, path).spec.volumes).toHaveLength(1);
  });

  it('asks by an option, too', () => {
    const { asks, changes } = mountInto(deployment(undefined), GIVEN, [
      { place: '--pod app', text: 'BrokerListener/front:/tls/' },
    ]);
    expect([asks, changes.length]).toEqual([true, 2]);
    expect(changes[1]?.value).toEqual([{ name: LISTENER.name, mountPath: '/tls', readOnly: true }]);
  });
});

describe('what is there already', () => {
  const volume = {
    name: LISTENER.name,
    csi: { driver: 'secrets-store.csi.k8s.io', volumeAttributes: { secretProviderClass: LISTENER.name } },
  };

  it('is not touched without a wish', () => {
    expect(mountInto(deployment(undefined, { volumes: [volume] }), GIVEN)).toEqual({
      asks: false,
      changes: [],
      mistakes: [],
      notes: [],
    });
  });

  it('is kept next to what is added, and null is an empty list', () => {
    const other = { name: 'data', emptyDir: {} };
    expect(mountsOf(deployment('BrokerListener/front', { volumes: [other] })).spec.volumes).toMatchObject([
      other,
      { name: LISTENER.name },
    ]);
    expect(mountsOf(deployment('BrokerListener/front', { volumes: null })).spec.volumes).toHaveLength(1);
  });

  it('is replaced if it is ours', () => {
    const { changes } = mountInto(deployment('BrokerListener/front', { volumes: [{ name: 'data' }, volume] }), GIVEN);
    expect(changes[0]).toMatchObject({ op: 'replace', path: ['spec', 'template', 'spec', 'volumes', 1] });
  });

  it('keeps its fields that no class tells, such as a Secret that somebody named', () => {
    const named = { ...volume, csi: { ...volume.csi, readOnly: true, nodePublishSecretRef: { name: 'own' } } };
    const mount = { name: LISTENER.name, mountPath: '/tls/', recursiveReadOnly: 'Enabled' };
    const plain = {
      name: LISTENER.name,
      namespace: '',
      lacksSecret: true,
      ...(LISTENER.from === undefined ? {} : { from: LISTENER.from }),
    };
    const manifest = deployment('BrokerListener/front:/tls', {
      containers: [{ name: 'main', volumeMounts: [mount] }],
      volumes: [named],
    });
    const { changes, notes } = mountInto(manifest, { ...GIVEN, classes: [plain] });
    expect(changes).toEqual([
      {
        op: 'replace',
        path: ['spec', 'template', 'spec', 'containers', 0, 'volumeMounts', 0],
        value: { ...mount, mountPath: '/tls', readOnly: true },
      },
    ]);
    expect(notes).toEqual([]);
    expect(mountInto(applyChanges(manifest, changes), { ...GIVEN, classes: [plain] }).changes).toEqual([]);
  });

  it.each(['subPath', 'subPathExpr'])('is no mount of the whole volume if it has %s', (field) => {
    const part = { name: LISTENER.name, mountPath: '/tls', [field]: 'tls.crt' };
    const manifest = deployment('BrokerListener/front:/tls', { containers: [{ name: 'main', volumeMounts: [part] }] });
    expect(mountInto(manifest, GIVEN).mistakes).toEqual([expect.stringContaining('has another volume at "/tls"')]);
  });

  it('is reported if no item asks for it any longer', () => {
    const old = mountsOf(deployment('BrokerListener/front:/old'));
    const left = { containers: old.spec.containers, volumes: old.spec.volumes };
    expect(mountInto(deployment('BrokerListener/front:/new', left), GIVEN).notes).toEqual([
      expect.stringMatching(
        /^Deployment app: the mount of "broker-listener-front-tls" at "\/old" in container main stays/,
      ),
    ]);
    expect(mountInto(deployment('BrokerAuthentication/users', left), GIVEN).notes).toEqual([
      expect.stringMatching(/^Deployment app: volume "broker-listener-front-tls" stays/),
    ]);
  });
});

describe('the classes', () => {
  const examples = ['broker-listener', 'broker-authentication', 'mqtt-bridge-connector'];

  it('of a rendering are those of its manifests', () => {
    const { volumes } = render(examples.map((name) => ({ name, text: readFileSync(`examples/${name}.yaml`, 'utf8') })));
    expect(volumes.map((volume) => classOfManifest(classOf(volume)))).toEqual(volumes.map(classOfVolume));
    expect(volumes.map(({ from }) => from)).toEqual([
      'BrokerListener/tls-listener-manual/tls',
      'BrokerAuthentication/my-authentication/username-password',
      'MqttBridgeConnector/my-bridge/x509',
    ]);
  });

  const classic = { keyvaultName: 'v', tenantId: 't', objects: '' };
  it.each([
    ['a service principal without a Secret', classic, {}, { lacksSecret: true }],
    [
      'a service principal with an annotation',
      classic,
      { 'akv-csi/node-publish-secret': 'sp' },
      { lacksSecret: false, secretName: 'sp' },
    ],
    ['workload identity', { ...classic, clientID: 'c' }, {}, { lacksSecret: false }],
  ])('of the classic form: %s', (_, parameters, annotations, expected) => {
    const manifest = { kind: 'SecretProviderClass', metadata: { name: 'x', annotations }, spec: { parameters } };
    expect(classOfManifest(manifest)).toEqual({ name: 'x', namespace: '', ...expected });
  });

  it.each([
    ['deploy', 'Deployment', true],
    ['Policies', 'Policy', true],
    ['secretproviderclasses', 'SecretProviderClass', true],
    ['', '', false],
    ['deployments', 'Deploymen', false],
  ])('kind %s of %s: %s', (written, kind, expected) => {
    expect(isKind(written, kind)).toBe(expected);
  });
});

it('property: the changed manifest needs no change, and its JSON patch is the same change', () => {
  const items = fc.subarray(
    [
      'main=BrokerListener/front',
      'side=BrokerListener/front:/x',
      'side=BrokerAuthentication/users',
      'init=SecretProviderClass/db.example',
    ],
    { minLength: 1 },
  );
  const volumes = fc.option(
    fc.subarray([
      { name: 'a', emptyDir: {} },
      { name: 'b', secret: { secretName: 's' } },
    ]),
    { nil: undefined },
  );
  const held = fc.option(
    fc.subarray([
      { name: 'a', mountPath: '/a' },
      { name: 'a', mountPath: '/b/', subPath: 'b' },
    ]),
    { nil: undefined },
  );
  fc.assert(
    fc.property(items, volumes, held, (wishes, some, mounts) => {
      const main = mounts === undefined ? { name: 'main' } : { name: 'main', volumeMounts: mounts };
      const parts = { containers: [main, { name: 'side' }], initContainers: [{ name: 'init' }] };
      const manifest = deployment(wishes.join(), some === undefined ? parts : { ...parts, volumes: some });
      const { changes, mistakes } = mountInto(manifest, GIVEN);
      const changed = applyChanges(manifest, changes);
      expect(mistakes).toEqual([]);
      expect(mountInto(changed, GIVEN)).toMatchObject({ changes: [], mistakes: [] });
      expect(patched(manifest, jsonPatchOf(changes))).toEqual(changed);
    }),
    { numRuns: rounds(100, 2000) },
  );
});

/** Applies a JSON patch of `add` and `replace`, by the rules of RFC 6902: `add` in a list inserts. */
function patched(document: unknown, patch: ReturnType<typeof jsonPatchOf>): unknown {
  const copy = structuredClone(document);
  for (const { op, path, value } of patch) {
    const keys = path
      .slice(1)
      .split('/')
      .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'));
    const last = keys.pop() ?? '';
    const parent = keys.reduce<never>((inner, key) => inner[key] as never, copy as never) as unknown;
    if (Array.isArray(parent)) parent.splice(Number(last), op === 'add' ? 0 : 1, value);
    else (parent as Record<string, unknown>)[last] = value;
  }
  return copy;
}
