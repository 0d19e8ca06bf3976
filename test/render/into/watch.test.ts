import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseWatchOptions } from '../../../src/cli/watch-options.ts';
import { applyChanges } from '../../../src/render/into/changes.ts';
import { valueAt } from '../../../src/render/into/data.ts';
import { mountInto } from '../../../src/render/into/mount-into.ts';
import { recordedIo } from '../../support/cli.ts';
import { rounds } from '../../support/rounds.ts';
import { deployment, GIVEN, LISTENER, podOf } from './pods.ts';

const IMAGE = 'registry.example.com/akv-csi-provider:1';
const given = { ...GIVEN, watchImage: IMAGE };
const LISTENER_PATH = `/mnt/secrets-store/${LISTENER.name}`;
const ASKS = 'BrokerListener/front';

/** Returns a Deployment whose pod mounts a listener and asks to be watched. */
function watched(tasks: string, spec: object = {}, container: object = {}) {
  const containers = [{ name: 'mosquitto', image: 'm', ...container }];
  return deployment(ASKS, { annotations: { 'akv-csi/watch': tasks }, containers, ...spec });
}

interface PodSpec {
  readonly shareProcessNamespace?: boolean;
  readonly containers: readonly { readonly name: string; readonly args: string[]; readonly securityContext: object }[];
  readonly initContainers?: readonly { readonly name: string; readonly restartPolicy?: string }[];
}

function changed(manifest: unknown) {
  const result = mountInto(manifest, given);
  expect(result.mistakes).toEqual([]);
  const after = applyChanges(manifest, result.changes);
  const spec = valueAt(after, ['spec', 'template', 'spec']) as PodSpec;
  return { after, spec, notes: result.notes, watcher: spec.containers.find(({ name }) => name === 'akv-csi-watch') };
}

const mistakesOf = (manifest: unknown, surroundings: object = given) =>
  mountInto(manifest, { ...GIVEN, ...surroundings }).mistakes.join('\n');

describe('a pod that asks to be watched', () => {
  it('gets a container with its volumes and no right that it does not need, and shares its processes', () => {
    const { spec, watcher } = changed(watched('HUP mosquitto', {}, { securityContext: { runAsUser: 1883 } }));
    expect(spec.shareProcessNamespace).toBe(true);
    expect(watcher).toEqual({
      name: 'akv-csi-watch',
      image: IMAGE,
      command: ['/nodejs/bin/node', '/app/main.js', 'watch'],
      args: [LISTENER_PATH, '--process=mosquitto', '--signal=HUP'],
      securityContext: {
        allowPrivilegeEscalation: false,
        capabilities: { drop: ['ALL'] },
        readOnlyRootFilesystem: true,
        runAsNonRoot: true,
        runAsUser: 1883,
        seccompProfile: { type: 'RuntimeDefault' },
      },
      resources: { requests: { cpu: '5m', memory: '32Mi' }, limits: { memory: '96Mi' } },
      volumeMounts: [{ name: LISTENER.name, mountPath: LISTENER_PATH, readOnly: true }],
    });
  });

  it.each<[string, object, object, object]>([
    ['that of the container', {}, { runAsUser: 5 }, { runAsUser: 5, runAsNonRoot: true }],
    ['that of the pod', { runAsUser: 6 }, {}, { runAsUser: 6, runAsNonRoot: true }],
    ['that of the container before that of the pod', { runAsUser: 6 }, { runAsUser: '5' }, { runAsUser: 5 }],
    ['root with the right to signal all, where none is known', {}, {}, { runAsUser: 0, runAsNonRoot: false }],
    ['the same where it is root, which may change', { runAsUser: 6 }, { runAsUser: 0 }, { runAsUser: 0 }],
  ])('has as its user %s', (_name, pod, container, user) => {
    const { watcher } = changed(watched('mosquitto', { securityContext: pod }, { securityContext: container }));
    expect(watcher?.securityContext).toMatchObject(user);
    const root = 'runAsUser' in user && user.runAsUser === 0;
    const capabilities = { drop: ['ALL'], ...(root ? { add: ['KILL'] } : {}) };
    expect(watcher?.securityContext).toMatchObject({ capabilities });
  });

  it('is nobody and sees no processes if it only sends requests', () => {
    const { spec, watcher } = changed(watched('http://localhost:1/a, http://localhost:1/a'));
    expect(watcher?.securityContext).toMatchObject({ runAsUser: 65532, runAsNonRoot: true });
    expect(spec.shareProcessNamespace).toBeUndefined();
    expect(watcher?.args).toEqual([LISTENER_PATH, '--url=http://localhost:1/a', '--method=POST']);
  });

  it('has arguments that the command takes, whatever is asked', async () => {
    const { watcher } = changed(watched('USR1 --once\nsigusr1 nginx,PUT https://x/?a=1&b=2'));
    const options = await parseWatchOptions(watcher?.args ?? [], recordedIo());
    expect(options).toMatchObject({
      directories: [LISTENER_PATH],
      process: ['--once', 'nginx'],
      signal: 'SIGUSR1',
      once: false,
    });
    expect(options.url.map(String)).toEqual(['https://x/?a=1&b=2']);
    expect(options.method).toBe('PUT');
  });

  it.each(['HUP', 'INT', 'QUIT', 'KILL', 'USR1', 'USR2', 'TERM', 'ALRM', 'CONT', 'WINCH', 'IO', 'PWR'])(
    'may name the signal %s, which the command takes',
    async (signal) => {
      const { watcher } = changed(watched(`${signal} x`));
      expect(await parseWatchOptions(watcher?.args ?? [], recordedIo())).toMatchObject({ signal: `SIG${signal}` });
    },
  );

  it('watches volumes that are there already, each once, and no part of one', () => {
    const csi = (name: string) => ({ name, csi: { driver: 'secrets-store.csi.k8s.io', volumeAttributes: {} } });
    const { spec, notes } = changed({
      kind: 'Deployment',
      metadata: { name: 'app' },
      spec: {
        template: podOf(undefined, {
          annotations: { 'akv-csi/watch': 'x' },
          volumes: [csi('a'), csi('b'), csi('c'), { name: 'd', emptyDir: {} }],
          containers: [
            {
              name: 'one',
              volumeMounts: [
                { name: 'a', mountPath: '/a' },
                { name: 'd', mountPath: '/d' },
              ],
            },
            {
              name: 'two',
              volumeMounts: [
                { name: 'a', mountPath: '/other' },
                { name: 'b', mountPath: '/a' },
              ],
            },
            { name: 'three', volumeMounts: [{ name: 'c', mountPath: '/c', subPath: 'x' }] },
          ],
        }),
      },
    });
    expect(spec.containers[3]).toMatchObject({
      args: ['/a', '/mnt/akv-csi-watch/b', '--process=x', '--signal=HUP'],
      volumeMounts: [
        { name: 'a', mountPath: '/a', readOnly: true },
        { name: 'b', mountPath: '/mnt/akv-csi-watch/b', readOnly: true },
      ],
    });
    expect(notes).toEqual([
      'Deployment app: container three mounts a part of "c" by subPath, which never changes; mount the whole volume',
    ]);
  });

  it('has it as an init container that restarts if it ends by itself', () => {
    const { spec, notes } = changed(watched('x', { restartPolicy: 'OnFailure' }));
    expect(spec.containers).toHaveLength(1);
    expect(spec.initContainers).toMatchObject([{ name: 'akv-csi-watch', restartPolicy: 'Always' }]);
    expect(notes).toEqual([
      'Deployment app: container akv-csi-watch needs Kubernetes 1.29 or later in a pod that ends by itself',
    ]);
  });

  it('gets the image of its annotation', () => {
    const manifest = deployment(ASKS, { annotations: { 'akv-csi/watch': 'x', 'akv-csi/watch-image': 'other:2' } });
    expect(changed(manifest).watcher).toMatchObject({ image: 'other:2' });
  });

  it('property: the changed manifest needs no change, also after the API server and a person have added to it', () => {
    const specs = fc.record(
      {
        restartPolicy: fc.constantFrom('Always', 'Never', 'OnFailure'),
        hostPID: fc.boolean(),
        shareProcessNamespace: fc.constant(true),
        securityContext: fc.record({ runAsUser: fc.nat(9) }),
        initContainers: fc.constant([{ name: 'init' }]),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(specs, fc.constantFrom('x', 'USR1 x,http://y/', 'http://y/'), (spec, tasks) => {
        const { after } = changed(watched(tasks, spec));
        expect(mountInto(after, given).changes).toEqual([]);
        const served = JSON.parse(JSON.stringify(after), (_key: string, value) =>
          value?.name === 'akv-csi-watch'
            ? {
                ...value,
                imagePullPolicy: 'IfNotPresent',
                resources: { limits: { memory: '1Gi' } },
                volumeMounts: [...value.volumeMounts, { name: 'kube-api-access', mountPath: '/var/run/secrets' }],
              }
            : value,
        );
        expect(mountInto(served, given).changes).toEqual([]);
        const other = mountInto(served, { ...given, watchImage: 'other' }).changes;
        expect(other).toEqual([expect.objectContaining({ op: 'replace', value: 'other' })]);
        expect(other[0]?.path.at(-1)).toBe('image');
        expect(mountInto(applyChanges(served, other), { ...given, watchImage: 'other' }).changes).toEqual([]);
      }),
      { numRuns: rounds(30, 500) },
    );
  });

  it('keeps it when the annotation is gone, with a note', () => {
    const { after } = changed(watched('x'));
    const text = JSON.stringify(after).replace('"akv-csi/watch":"x"', '"other":"x"');
    expect(mountInto(JSON.parse(text), given)).toMatchObject({
      changes: [],
      notes: [
        'Deployment app: container akv-csi-watch stays, although there is no annotation akv-csi/watch; remove it from the manifest',
      ],
    });
  });
});

describe('a mistake', () => {
  it.each([
    ['holds no item', ' ,'],
    ['holds 17 items; the limit is 16', 'x,'.repeat(17)],
    ['item "HUP a b": the form is [SIGNAL] PROCESS or [METHOD] URL', 'HUP a b'],
    ['"HOP" is not a signal; use one of HUP, ', 'HOP mosquitto'],
    ['names several signals (HUP, USR1); all processes get the same one', 'HUP a,USR1 b'],
    ['names several methods (GET, PUT)', 'GET http://x/,PUT http://y/'],
    ['item "ftp://x": the URL has to begin with http:// or https://', 'ftp://x'],
    ['"post" is not a method', 'post http://x/'],
    ['a password in the URL would be visible', 'http://a:b@x/'],
    ['has 9001 characters; the limit is 8192', 'x'.repeat(9001)],
  ])('%s', (message, tasks) => {
    expect(mistakesOf(watched(tasks))).toContain(`Deployment app: annotation akv-csi/watch: `);
    expect(mistakesOf(watched(tasks))).toContain(message);
    expect(mountInto(watched(tasks), given).changes).toEqual([]);
  });

  it.each<[string, string, unknown]>([
    ['shareProcessNamespace is false', 'remove it', watched('x', { shareProcessNamespace: false })],
    [
      'runAsNonRoot is set, and no user',
      'set securityContext.runAsUser',
      watched('x', { securityContext: { runAsNonRoot: true } }),
    ],
    [
      'the containers have several users (1, that of the image)',
      'give them one',
      deployment('main=BrokerListener/front,side=BrokerListener/front', {
        annotations: { 'akv-csi/watch': 'x' },
        containers: [
          { name: 'main', securityContext: { runAsUser: 1, runAsNonRoot: true } },
          { name: 'side', image: 'i' },
        ],
      }),
    ],
    [
      'the pod has another container with the name "akv-csi-watch"',
      'rename',
      deployment(`main=${ASKS}`, {
        annotations: { 'akv-csi/watch': 'x' },
        containers: [{ name: 'main' }, { name: 'akv-csi-watch', command: ['sh'] }],
      }),
    ],
    [
      'no container mounts a whole volume of the driver',
      '',
      deployment(undefined, { annotations: { 'akv-csi/watch': 'x' } }),
    ],
    [
      'Service s: annotation akv-csi/watch: there is no pod in it',
      '',
      { kind: 'Service', metadata: { name: 's', annotations: { 'akv-csi/watch': 'x' } } },
    ],
    [
      'metadata.annotations has akv-csi/watch, which belongs to the pod; move it to spec.template.metadata.annotations',
      '',
      { ...deployment(undefined), metadata: { name: 'app', annotations: { 'akv-csi/watch': 'x' } } },
    ],
  ])('%s', (message, remedy, manifest) => {
    expect(mistakesOf(manifest)).toContain(message);
    expect(mistakesOf(manifest)).toContain(remedy);
  });

  it('there is no image', () => {
    expect(mistakesOf(watched('x'), { watchImage: undefined })).toContain(
      'name the image of the provider by the annotation akv-csi/watch-image or the option --watch-image',
    );
  });
});
