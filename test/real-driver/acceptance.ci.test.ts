// What the driver's own tests ask of an Azure provider and no other file here shows: classes by namespace, several classes
// in one pod, and their Secrets with labels. Then many volumes at once, and volumes as large as the driver takes them.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { VAULT } from '../../src/cli/demo/fixtures.ts';
import { classicParameters } from './classic.ts';
import { DRIVERS, realDriverWanted } from './driver.ts';
import { type Node, startNode } from './node.ts';
import { eventually, until } from './wait.ts';

const wanted = realDriverWanted();
const LIMIT_MS = 300_000;
const VOLUMES = 100;
/** The longest value of a secret in Key Vault is 25,600 bytes; 163 of these and their names are just below 4 MiB. */
const LARGE = { bytes: 25_600, below: 163, above: 164 };

describe.skipIf(!wanted).each(DRIVERS)('driver $version', { timeout: LIMIT_MS }, (line) => {
  let node: Node;
  beforeAll(async () => {
    node = await startNode({ line, rotationInterval: '2m' });
    await node.startProvider();
    node.emulator.setSecret(VAULT, 'one', 'first value');
    node.emulator.setSecret(VAULT, 'two', 'second value');
  }, LIMIT_MS);
  afterAll(() => node?.close(), LIMIT_MS);

  const secrets = (...names: readonly string[]) =>
    classicParameters(names.map((objectName) => ({ objectName, objectType: 'secret' })));
  const aliased = (objectName: string) =>
    classicParameters([{ objectName, objectType: 'secret', objectAlias: 'secretalias' }]);
  const textsOf = (volume: Parameters<Node['look']>[0]) =>
    Object.entries(node.textsOf(volume)).map(([path, text]) => `${path}: ${text}`);

  test('takes the class of the namespace of the pod, and no other', async () => {
    const apiVersion = 'secrets-store.csi.x-k8s.io/v1';
    const create = (namespace: string, provider: string) =>
      node.objects.create('secretproviderclasses', {
        apiVersion,
        kind: 'SecretProviderClass',
        metadata: { name: 'azure-sync', namespace },
        spec: { provider, parameters: aliased('one') },
      });
    create('test-ns', 'invalidprovider');
    create('default', 'azure');
    const good = node.addPod({ name: 'good', secretProviderClass: 'azure-sync' });
    await node.kubelet.mount(good);
    expect(textsOf(good)).toEqual(['secretalias: first value']);
    const failure = async (namespace: string) =>
      node.kubelet.publish(node.addPod({ name: 'bad', namespace, secretProviderClass: 'azure-sync' }));
    expect((await failure('test-ns'))?.message).toMatch(/"invalidprovider": provider not found/);
    expect((await failure('negative-test-ns'))?.message).toMatch(
      /failed to get secretproviderclass negative-test-ns\/azure-sync.*not found/,
    );
  });

  test('mounts two classes with the same file names into one pod, and keeps a Secret of each', async () => {
    for (const [index, name] of ['one', 'two'].entries()) {
      const data = [{ key: 'username', objectName: 'secretalias' }];
      const labels = { environment: 'test' };
      const secretObjects = [{ secretName: `foosecret-${index}`, type: 'Opaque', labels, data }];
      node.addClass(`azure-spc-${index}`, { parameters: aliased(name), secretObjects });
    }
    const others = { second: 'azure-spc-1' };
    const first = node.addPod({ name: 'both', secretProviderClass: 'azure-spc-0', others });
    const second = { ...first, name: 'second', secretProviderClass: others.second };
    for (const volume of [first, second]) await node.kubelet.mount(volume);
    expect([first, second].map(textsOf)).toEqual([['secretalias: first value'], ['secretalias: second value']]);
    await eventually(() => {
      for (const [index, value] of ['first value', 'second value'].entries()) {
        const { metadata, data } = node.objects.get('secrets', 'default', `foosecret-${index}`);
        expect((data as Record<string, string>).username).toBe(Buffer.from(value).toString('base64'));
        expect(metadata.labels).toMatchObject({ environment: 'test', 'secrets-store.csi.k8s.io/managed': 'true' });
        expect(metadata.ownerReferences).toHaveLength(1);
      }
    });
  });

  test('mounts a hundred volumes at once', async () => {
    node.addClass('many', { parameters: secrets('one', 'two') });
    const volumes = Array.from({ length: VOLUMES }, (_, i) =>
      node.addPod({ name: `many-${i}`, secretProviderClass: 'many' }),
    );
    const failures = await Promise.all(volumes.map((volume) => node.kubelet.mount(volume)));
    expect(failures.flat()).toEqual([]);
    for (const volume of volumes) expect(textsOf(volume)).toEqual(['one: first value', 'two: second value']);
    await Promise.all(volumes.map((volume) => node.kubelet.unmount(volume)));
  });

  test('mounts a volume just below 4 MiB, and refuses a larger one for good', async () => {
    const names = Array.from({ length: LARGE.above }, (_, i) => `large-${i}`);
    const value = (name: string) => name.padEnd(LARGE.bytes, '.');
    for (const name of names) node.emulator.setSecret(VAULT, name, value(name));
    const below = names.slice(0, LARGE.below);
    node.addClass('below', { parameters: secrets(...below) });
    const volume = node.addPod({ name: 'below', secretProviderClass: 'below' });
    await node.kubelet.mount(volume);
    expect(textsOf(volume).toSorted()).toEqual(below.map((name) => `${name}: ${value(name)}`).toSorted());
    node.addClass('above', { parameters: secrets(...names) });
    const refused = node.addPod({ name: 'above', secretProviderClass: 'above' });
    // The driver answers from its copy of the classes, which gets the new one a moment later.
    const failure = await until('the driver knows the class', async () => {
      const answer = await node.kubelet.publish(refused);
      return answer?.message.includes('not found') ? undefined : answer;
    });
    // A code after which the kubelet removes the directory. It keeps it after that of the driver for this.
    expect(failure).toMatchObject({ code: 9, message: expect.stringMatching(/4194304|4 MiB/) });
    expect(node.look(refused).generation).toBeUndefined();
  });
});
