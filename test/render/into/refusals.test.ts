import { describe, expect, it } from 'vitest';
import { mountInto } from '../../../src/render/into/mount-into.ts';
import { deployment, GIVEN, LISTENER } from './pods.ts';

describe('mistakes', () => {
  const two = { containers: [{ name: 'main' }, { name: 'side' }] };
  const mounted = (name: string) => ({ containers: [{ name: 'main', volumeMounts: [{ name, mountPath: '/tls' }] }] });
  it.each([
    ['no item', ',', {}, 'holds no item; the form is'],
    ['no kind', '/front', {}, 'the form is [CONTAINER=]KIND/NAME[/ROLE][:MOUNTPATH]'],
    ['no slash', 'front', {}, 'item "front": the form is'],
    ['a name that Kubernetes refuses', 'BrokerListener/Front_1', {}, '"Front_1" cannot be a name in Kubernetes'],
    ['a relative path', 'BrokerListener/front:tls', {}, 'the mount path "tls" has to begin with "/"'],
    ['a path with dots', 'BrokerListener/front:/a/../b', {}, 'must not be "/" or hold'],
    ['a name that is nearly right', 'BrokerListener/fronnt', {}, 'did you mean "BrokerListener/front"?'],
    ['a kind that is nearly right', 'BrokerListner/front', {}, 'did you mean "BrokerListener/front"?'],
    [
      'an unknown name',
      'KafkaConnector/abcdef',
      {},
      'there are: BrokerListener/front, SecretProviderClass/broker-listener-front-tls, ',
    ],
    [
      'an unknown role',
      'BrokerAuthentication/users/tls',
      {},
      'has no "tls"; it has: username-password, x509-attributes',
    ],
    ['a role of a class', 'SecretProviderClass/db.example/tls', {}, 'a SecretProviderClass has no roles'],
    [
      'several volumes at one path',
      'BrokerAuthentication/users:/a',
      {},
      'name one: BrokerAuthentication/users/username-password:/a',
    ],
    [
      'several containers',
      'BrokerListener/front',
      two,
      'the pod has several containers (main, side); name one: main=BrokerListener/front',
    ],
    ['an unknown container', 'x=BrokerListener/front', two, 'there is no container "x"; there are: main, side'],
    [
      'two items at one path',
      'BrokerListener/front:/a,SecretProviderClass/db.example:/a',
      {},
      '"/a" in container main would hold both',
    ],
    [
      'a volume of another with its name',
      'BrokerListener/front',
      { volumes: [{ name: LISTENER.name, emptyDir: {} }] },
      'rename that volume',
    ],
    [
      'a mount of another at its path',
      'BrokerListener/front:/tls',
      mounted('data'),
      'container main has another volume at "/tls" ("data")',
    ],
    ['a pod without containers', 'BrokerListener/front', { containers: [] }, 'the pod has no container'],
    ['a container without name', 'BrokerListener/front', { containers: [{}] }, 'a container of the pod has no name'],
    [
      'volumes that are no list',
      'BrokerListener/front',
      { volumes: {} as [] },
      'spec.template.spec.volumes is not a list',
    ],
    [
      'mounts that are no list',
      'BrokerListener/front',
      { containers: [{ name: 'main', volumeMounts: { a: 'b' } }] },
      'spec.template.spec.containers.0.volumeMounts is not a list',
    ],
    ['an annotation that is no text', ['x'] as never, {}, 'holds no item; the form is'],
    ['more items than a node can mount', 'BrokerListener/front,'.repeat(101), {}, 'holds 101 items; the limit is 100'],
    ['an annotation without end', 'x'.repeat(40_000), {}, 'has 40000 characters; the limit is 32768'],
  ])('%s', (_, items, changes, message) => {
    const result = mountInto(deployment(items, changes), GIVEN);
    expect(result.mistakes.join('\n')).toContain(message);
    expect(result.mistakes.every((mistake) => mistake.startsWith('Deployment app: '))).toBe(true);
    expect(result.changes).toEqual([]);
  });

  it('are reported together, each with workload, annotation and item', () => {
    expect(mountInto(deployment('BrokerListener/nope, x=BrokerListener/front, bad'), GIVEN).mistakes).toEqual([
      expect.stringMatching(/^Deployment app: annotation akv-csi\/mount: item "bad": /),
      expect.stringMatching(/^Deployment app: annotation akv-csi\/mount: item "BrokerListener\/nope": /),
      expect.stringMatching(/^Deployment app: annotation akv-csi\/mount: item "x=BrokerListener\/front": /),
    ]);
  });

  it('of the place of the annotation', () => {
    const metadata = { name: 'app', annotations: { 'akv-csi/mount': 'BrokerListener/front' } };
    expect(mountInto({ ...deployment(undefined), metadata }, GIVEN).mistakes).toEqual([
      'Deployment app: metadata.annotations has akv-csi/mount, which belongs to the pod; move it to spec.template.metadata.annotations',
    ]);
    expect(mountInto({ kind: 'ConfigMap', metadata }, GIVEN).mistakes[0]).toContain('there is no pod in it');
  });

  it('in the name of the annotation are a note', () => {
    const { notes } = mountInto(deployment(undefined, { annotations: { 'akv-csi/mounts': 'x' } }), GIVEN);
    expect(notes).toEqual(['Deployment app: annotation "akv-csi/mounts" has no effect; did you mean "akv-csi/mount"?']);
  });
});

describe('namespaces', () => {
  const inNamespace = (namespace: string) => ({
    ...deployment('BrokerListener/front'),
    metadata: { name: 'app', namespace },
  });
  const given = (...namespaces: string[]) => ({
    ...GIVEN,
    classes: namespaces.map((namespace) => ({ ...LISTENER, namespace })),
  });

  it.each([
    ['of the pod before those of any other', inNamespace('a'), given('a', 'b'), undefined],
    ['unknown, for the class', inNamespace('a'), given(''), undefined],
    ['unknown, for the pod', inNamespace(''), given('a'), undefined],
    [
      'of others only',
      inNamespace('c'),
      given('a'),
      'is in namespace a, and the pod is in c; a pod mounts only classes of its own',
    ],
    ['several, and none of the pod', inNamespace(''), given('a', 'b'), 'is in several namespaces (a and b)'],
    ['of the request', inNamespace(''), { ...given('a', 'b'), namespace: 'b' }, undefined],
  ])('%s', (_, manifest, surroundings, problem) => {
    const { changes, mistakes } = mountInto(manifest, surroundings);
    if (problem === undefined) expect([changes.length, mistakes]).toEqual([2, []]);
    else expect(mistakes.join()).toContain(problem);
  });
});
