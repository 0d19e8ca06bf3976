import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CannotList, type ClusterClasses } from '../../src/webhook/classes.ts';
import { mutate } from '../../src/webhook/mutate.ts';
import { readReview, writeReview } from '../../src/webhook/review.ts';
import { CLASSES } from '../render/into/pods.ts';
import { admissionReview, patched, type Tree } from '../support/reviews.ts';

const MOUNT = 'akv-csi/mount';
const IN_APPS: ClusterClasses = {
  list: async (namespace) => CLASSES.map((one) => ({ ...one, namespace })),
};
const nobody: ClusterClasses = {
  list: () => Promise.reject(new Error('the API server was asked')),
};
const podOf = (items: string | undefined, spec: Tree = {}, annotations: Tree = {}): Tree => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    generateName: 'broker-',
    namespace: 'apps',
    annotations: { ...annotations, ...(items === undefined ? {} : { [MOUNT]: items }) },
  },
  spec: { containers: [{ name: 'main', image: 'busybox' }], ...spec },
});

/** Asks as the server does. Returns the response to the API server. */
async function ask(object: Tree | null, classes = IN_APPS, changes: Tree = {}) {
  const review = readReview(JSON.stringify(admissionReview(object, { namespace: 'apps', ...changes })));
  const verdict = await mutate(review, { classes, watchImage: 'registry.example/akv' }, new AbortController().signal);
  return (
    JSON.parse(writeReview(review, verdict)) as {
      response: { allowed: boolean; patch?: string; warnings?: string[]; status?: { code: number; message: string } };
    }
  ).response;
}

describe('a pod with the annotation', () => {
  test('gets volume, mount and the Secret with the credentials, and nothing else is changed', async () => {
    const pod = podOf('BrokerListener/front:/tls');
    const { allowed, patch } = await ask(pod);
    expect(allowed).toBe(true);
    expect(patched(pod, patch)).toEqual({
      ...pod,
      spec: {
        containers: [
          {
            name: 'main',
            image: 'busybox',
            volumeMounts: [{ name: 'broker-listener-front-tls', mountPath: '/tls', readOnly: true }],
          },
        ],
        volumes: [
          {
            name: 'broker-listener-front-tls',
            csi: {
              driver: 'secrets-store.csi.k8s.io',
              readOnly: true,
              volumeAttributes: { secretProviderClass: 'broker-listener-front-tls' },
              nodePublishSecretRef: { name: 'aio-akv-sp' },
            },
          },
        ],
      },
    });
  });

  test('is denied with all mistakes if its items cannot be mounted, and the message says who tries again', async () => {
    const { allowed, status } = await ask(podOf('BrokerListener/frnt, other=BrokerListener/front'));
    expect([allowed, status?.code]).toEqual([false, 422]);
    expect(status?.message).toMatch(
      /^Pod apps\/broker- has 2 mistakes:\n- .*"frnt".*did you mean "BrokerListener\/front"/,
    );
    expect(status?.message).toMatch(/there is no container "other"; there are: main/);
    expect(status?.message).toMatch(/; the pod is not created; its controller tries again$/);
  });

  test('is denied with a passing status if the classes cannot be listed', async () => {
    const away: ClusterClasses = { list: () => Promise.reject(new CannotList('the API server did not answer')) };
    const { allowed, status } = await ask(podOf('BrokerListener/front'), away);
    expect([allowed, status?.code]).toEqual([false, 503]);
    expect(status?.message).toContain('the API server did not answer');
  });

  test('is denied with a passing status if the API server does not list them in time', async () => {
    const review = readReview(JSON.stringify(admissionReview(podOf('BrokerListener/front'), { namespace: 'apps' })));
    const hanging: ClusterClasses = { list: (_, signal) => Promise.reject(signal.reason) };
    const { refusal } = await mutate(review, { classes: hanging, watchImage: '' }, AbortSignal.abort());
    expect(refusal).toMatchObject({ code: 503, message: expect.stringContaining('did not answer in time') });
  });

  test('that watches gets the container too, and one that only watches needs no class', async () => {
    const watch = { 'akv-csi/watch': 'HUP main' };
    const security = { securityContext: { runAsUser: 1000 } };
    const both = podOf('BrokerListener/front', security, watch);
    const added = (pod: Tree) => (pod.spec as { containers: readonly Tree[] }).containers.at(-1);
    expect(added(patched(both, (await ask(both)).patch))).toMatchObject({
      name: 'akv-csi-watch',
      image: 'registry.example/akv',
      volumeMounts: [{ name: 'broker-listener-front-tls' }],
    });
    const csi = { driver: 'secrets-store.csi.k8s.io', volumeAttributes: { secretProviderClass: 'x' } };
    const mount = { name: 'x', mountPath: '/x' };
    const only = podOf(
      undefined,
      { ...security, volumes: [{ name: 'x', csi }], containers: [{ name: 'main', volumeMounts: [mount] }] },
      watch,
    );
    const { allowed, patch } = await ask(only, nobody);
    expect([allowed, added(patched(only, patch))]).toMatchObject([true, { name: 'akv-csi-watch' }]);
  });

  test('hears what it has to know as warnings', async () => {
    const { allowed, warnings } = await ask(podOf('SecretProviderClass/db.example'));
    expect(allowed).toBe(true);
    expect(warnings).toEqual([
      expect.stringMatching(/^Pod apps\/broker-: annotation akv-csi\/mount: .*akv-csi\/node-publish-secret/),
    ]);
  });
});

describe('without a question to the API server are allowed', () => {
  test.each<[string, Tree | null, Tree]>([
    ['a pod without the annotation', podOf(undefined), {}],
    ['a pod without annotations', { ...podOf(undefined), metadata: { name: 'x' } }, {}],
    ['a pod with a similar annotation', podOf(undefined, {}, { 'akv-csi/mounts': 'a/b' }), {}],
    ['a change of a pod', podOf('BrokerListener/front'), { operation: 'UPDATE' }],
    ['an ephemeral container', podOf('BrokerListener/front'), { subResource: 'ephemeralcontainers' }],
    ['another kind', { ...podOf('BrokerListener/front'), kind: 'Deployment', apiVersion: 'apps/v1' }, {}],
    ['a removal', null, { operation: 'DELETE' }],
  ])('%s', async (_name, object, changes) => {
    expect(await ask(object, nobody, changes)).toEqual({ uid: expect.any(String), allowed: true });
  });
});

const name = fc.constantFrom('a', 'b', 'main');
const mount = fc.record({
  name: fc.constantFrom('data', 'config'),
  mountPath: fc.constantFrom('/data', '/etc/config', '/a~b'),
});
const container = fc.record(
  {
    image: fc.string(),
    volumeMounts: fc.array(mount, { maxLength: 3 }),
    env: fc.array(fc.record({ name: fc.string() })),
  },
  { requiredKeys: ['image'] },
);
const pod = fc
  .record({
    names: fc.uniqueArray(name, { minLength: 1 }),
    one: container,
    volumes: fc.option(fc.array(fc.record({ name: fc.constantFrom('data', 'config'), emptyDir: fc.constant({}) })), {
      nil: undefined,
    }),
    items: fc.uniqueArray(
      fc.constantFrom('BrokerListener/front', 'brokerauthentications/users', 'SecretProviderClass/db.example'),
    ),
    other: fc.dictionary(fc.string(), fc.jsonValue()),
  })
  .map(({ names, one, volumes, items, other }) =>
    podOf(items.length === 0 ? undefined : items.map((item) => `${names.at(-1)}=${item}`).join(',\n'), {
      ...other,
      containers: names.map((own) => ({ ...one, name: own })),
      ...(volumes === undefined ? {} : { volumes }),
    }),
  );

test('the patch only adds, and a second review changes nothing', async () => {
  await fc.assert(
    fc.asyncProperty(pod, async (object) => {
      const { allowed, patch } = await ask(object);
      expect(allowed).toBe(true);
      const changed = patched(object, patch);
      expect(withoutOurs(changed)).toEqual(withoutOurs(object));
      expect(await ask(changed)).not.toHaveProperty('patch');
    }),
    { numRuns: 200 },
  );
});

/** Returns the pod with the volumes and mounts that the generator makes, and no others. */
function withoutOurs(object: Tree): unknown {
  const kept = (list: unknown) =>
    ((list ?? []) as readonly Tree[]).filter((value) => ['data', 'config'].includes(String(value.name)));
  const spec = object.spec as Tree;
  const containers = (spec.containers as readonly Tree[]).map((one) => ({
    ...one,
    volumeMounts: kept(one.volumeMounts),
  }));
  return { ...object, spec: { ...spec, containers, volumes: kept(spec.volumes) } };
}

describe('a pod that cannot be changed', () => {
  test('is left as it is if it stands for a static pod, which the API server would refuse with a Secret', async () => {
    const mirror = podOf('BrokerListener/front', {}, { 'kubernetes.io/config.mirror': 'abc' });
    expect(await ask(mirror, nobody)).toMatchObject({
      allowed: true,
      warnings: [expect.stringContaining('a static pod runs as its manifest on the node says')],
    });
    expect(await ask(mirror, nobody)).not.toHaveProperty('patch');
  });

  test.each(['containers', 'initContainers', 'volumes'])(
    'is denied before its items are read if it has too many %s',
    async (list) => {
      const spec = { [list]: Array.from({ length: 1001 }, (_, index) => ({ name: `n${index}` })) };
      const { allowed, status } = await ask(podOf('BrokerListener/front', spec), nobody);
      expect([allowed, status?.code]).toEqual([false, 422]);
      expect(status?.message).toContain(`spec.${list} has 1001 entries; the webhook changes pods with at most 1000`);
    },
  );

  test('is denied with all lists that are too long', async () => {
    const many = Object.fromEntries(Array.from({ length: 1001 }, (_, index) => [`akv-csi/moun${index}`, '']));
    const volumes = Array.from({ length: 1001 }, () => ({}));
    const { status } = await ask(podOf('BrokerListener/front', { volumes }, many), nobody);
    expect(status?.message).toMatch(
      /has 2 mistakes:\n- metadata\.annotations has 1002 entries.*\n- spec\.volumes has 1001/,
    );
  });
});
