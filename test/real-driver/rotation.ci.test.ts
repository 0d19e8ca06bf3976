// Rotation with each driver line: which files change, which stay, and what happens to mounted files when the vault
// refuses a read. Up to v1.5 the driver repeats mounts; from v1.6 on the kubelet does.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { silentLogger } from '../../src/base/log.ts';
import { VAULT } from '../../src/cli/demo/fixtures.ts';
import { watchVolumes } from '../../src/watch/volumes.ts';
import { classicParameters } from './classic.ts';
import { DRIVERS, realDriverWanted } from './driver.ts';
import type { PodVolume } from './kubelet.ts';
import { FALLBACK_VAULT, type Node, startNode } from './node.ts';
import { eventually, until } from './wait.ts';

const wanted = realDriverWanted();
const LIMIT_MS = 300_000;
const IDENTITY = 'demo-workload';
const PERMISSIONS = { secrets: ['get'] } as const;
const FAILED_ROTATION = /^MountRotationFailed .*objectName:rotated/;

describe.skipIf(!wanted).each(DRIVERS)('driver $version, rotating', (line) => {
  let node: Node;
  let volume: PodVolume;
  beforeAll(async () => {
    // The cache is off, so that the next Mount returns a change.
    node = await startNode({ line, rotationInterval: '1s', serveArgs: ['--cache-ttl=0'] });
    await node.startProvider();
    put('first');
    const items = ['rotated', 'steady'].map((objectName) => ({ objectName, objectType: 'secret' }));
    const data = [{ key: 'value', objectName: 'rotated' }];
    const secretObjects = [{ secretName: 'of-rotated', type: 'Opaque', data }];
    node.addClass('rotating', { parameters: classicParameters(items), secretObjects });
    volume = node.addPod({ name: 'web', secretProviderClass: 'rotating' });
    await node.kubelet.mount(volume);
    await eventually(() => expect(seen()).toEqual(expectedOf('first')));
  }, LIMIT_MS);
  afterAll(() => node?.close(), LIMIT_MS);

  /** Adds a version of one secret. The other secret never changes. */
  const put = (value: string) => {
    if (value === 'first') node.emulator.setSecret(VAULT, 'steady', 'as ever');
    node.emulator.setSecret(VAULT, 'rotated', value);
  };
  /** Returns the status of a pod whose name is that of its class, unless `pod` is given. */
  const statusOf = (secretProviderClass: string, pod = secretProviderClass) =>
    node.objects.get('secretproviderclasspodstatuses', 'default', `${pod}-default-${secretProviderClass}`);
  const statusObject = () => statusOf('rotating', 'web');
  const objectsOf = (...named: Parameters<typeof statusOf>) =>
    (statusOf(...named).status as { readonly objects: readonly { readonly id: string; readonly version: string }[] })
      .objects;
  const filesOf = (pod: PodVolume) => Object.entries(node.textsOf(pod)).map(([path, text]) => `${path}: ${text}`);
  /** Returns the contents of volume, status and Secret. */
  const seen = () => {
    const { data } = node.objects.get('secrets', 'default', 'of-rotated');
    return {
      files: filesOf(volume),
      objects: objectsOf('rotating', 'web'),
      secret: Buffer.from((data as Record<string, string>).value ?? '', 'base64').toString(),
    };
  };
  const expectedOf = (value: string) => ({
    files: [`rotated: ${value}`, 'steady: as ever'],
    objects: ['rotated', 'steady'].map((name) => ({
      id: `secret/${name}`,
      version: node.emulator.currentSecret(VAULT, name).version,
    })),
    secret: value,
  });
  /** Waits as a kubelet does. From driver v1.6 on, the kubelet publishes every volume repeatedly. */
  const turn = async () => {
    if (line.rotation === 'kubelet') expect(await node.kubelet.publish(volume)).toBeUndefined();
  };
  /** Waits for this number of further Mounts, counted by their reads from the vault and the status of its responses. */
  const mounts = (count: number, status: number) => {
    const asked = () =>
      node.emulator.requests.filter((one) => one.path.startsWith('/secrets/rotated') && one.status === status).length;
    const before = asked();
    return until(`the vault has answered ${status} to ${count} Mounts more`, async () => {
      await turn();
      return asked() >= before + count ? true : undefined;
    });
  };
  const rotated = (value: string) =>
    eventually(async () => {
      await turn();
      expect(seen()).toEqual(expectedOf(value));
    });

  test(
    'leaves files, status and Secret alone where nothing has changed',
    async () => {
      const before = node.look(volume);
      const { resourceVersion } = statusObject().metadata;
      await mounts(3, 200);
      expect(node.look(volume)).toEqual(before);
      expect(statusObject().metadata.resourceVersion).toBe(resourceVersion);
      expect(seen()).toEqual(expectedOf('first'));
    },
    LIMIT_MS,
  );

  test(
    'brings a change into files, status and Secret, with one write, which the command watch reports once',
    async () => {
      const before = node.look(volume);
      const directory = node.outside(volume);
      const changes: unknown[] = [];
      const end = new AbortController();
      const options = { log: silentLogger, settleMs: 0, signal: end.signal };
      const follow = await watchVolumes([directory], (found) => void changes.push(...found), options);
      const watching = follow();
      put('second');
      await rotated('second');
      const after = node.look(volume);
      expect(after.generation).not.toBe(before.generation);
      await mounts(2, 200);
      expect(node.look(volume)).toEqual(after);
      await eventually(() => expect(changes).toHaveLength(1));
      expect(changes).toEqual([{ directory, added: [], changed: ['rotated'], removed: [] }]);
      end.abort();
      await watching;
    },
    LIMIT_MS,
  );

  test(
    'keeps the files while the vault refuses, and takes the change that has come meanwhile',
    async () => {
      const before = node.look(volume);
      node.emulator.revoke(VAULT, IDENTITY);
      try {
        put('third');
        await mounts(3, 403);
        expect(node.look(volume)).toEqual(before);
        if (line.rotation === 'driver') {
          // The first one may be of a Mount that had read the object before.
          const messages = () => node.objects.list('events').map(({ reason, message }) => `${reason} ${message}`);
          await eventually(() => expect(messages()).toContainEqual(expect.stringMatching(FAILED_ROTATION)));
        } else {
          expect(node.driver.log()).toContain('failed to mount secrets store object content');
        }
      } finally {
        node.emulator.grant(VAULT, { identity: IDENTITY, ...PERMISSIONS });
      }
      await rotated('third');
    },
    LIMIT_MS,
  );

  test(
    'brings new parts of a secret, and takes those away that have gone',
    async () => {
      const extract = { 'db/password': 'db.password', 'tls/{key}': 'tls' };
      node.emulator.setSecret(VAULT, 'parts', JSON.stringify({ db: { password: 'one' }, tls: { crt: 'C', key: 'K' } }));
      node.addClass('parts', {
        parameters: classicParameters([{ objectName: 'parts', objectType: 'secret', extract }]),
      });
      const pod = node.addPod({ name: 'parts', secretProviderClass: 'parts' });
      await node.kubelet.mount(pod);
      expect(filesOf(pod)).toEqual(['db/password: one', 'tls/crt: C', 'tls/key: K']);
      const version = node.emulator.setSecret(
        VAULT,
        'parts',
        JSON.stringify({ db: { password: 'two' }, tls: { ca: 'A' } }),
      );
      await eventually(async () => {
        if (line.rotation === 'kubelet') expect(await node.kubelet.publish(pod)).toBeUndefined();
        expect(filesOf(pod)).toEqual(['db/password: two', 'tls/ca: A']);
        expect(objectsOf('parts')).toMatchObject([{ id: 'secret/parts', version }]);
      });
    },
    LIMIT_MS,
  );

  test(
    'writes a file of several secrets again when one of them has a new version',
    async () => {
      node.emulator.setSecret(VAULT, 'db-user', 'app');
      node.emulator.setSecret(VAULT, 'db-password', 'one');
      const items = ['db-user', 'db-password'].map((objectName) => ({
        objectName,
        objectType: 'secret',
        templateOnly: 'true',
      }));
      const templates =
        'app.conf: "{{db-user}}:{{db-password | json}}"\napp.env: {format: dotenv, objects: ["db-*"]}\n';
      node.addClass('templates', { parameters: { ...classicParameters(items), templates } });
      const pod = node.addPod({ name: 'templates', secretProviderClass: 'templates' });
      await node.kubelet.mount(pod);
      expect(filesOf(pod)).toEqual(['app.conf: app:"one"', "app.env: DB_USER='app'\nDB_PASSWORD='one'\n"]);
      const before = objectsOf('templates');
      expect(before.map(({ id }) => id).toSorted()).toEqual([
        'secret/db-password',
        'secret/db-user',
        'template/app.conf',
        'template/app.env',
      ]);
      node.emulator.setSecret(VAULT, 'db-password', 'two');
      await eventually(async () => {
        if (line.rotation === 'kubelet') expect(await node.kubelet.publish(pod)).toBeUndefined();
        expect(filesOf(pod)).toEqual(['app.conf: app:"two"', "app.env: DB_USER='app'\nDB_PASSWORD='two'\n"]);
        const changed = objectsOf('templates').filter(
          ({ id, version }) => !before.some((one) => one.id === id && one.version === version),
        );
        expect(changed.map(({ id }) => id).toSorted()).toEqual([
          'secret/db-password',
          'template/app.conf',
          'template/app.env',
        ]);
      });
    },
    LIMIT_MS,
  );

  test(
    'brings an optional object that appears, and takes the last file away when it goes',
    async () => {
      const items = ['comes', 'stays-away'].map((objectName) => ({
        objectName,
        objectType: 'secret',
        optional: 'true',
      }));
      node.addClass('optional', { parameters: classicParameters(items) });
      const pod = node.addPod({ name: 'optional', secretProviderClass: 'optional' });
      await node.kubelet.mount(pod);
      const becomes = (expected: readonly string[], version: string) =>
        eventually(async () => {
          if (line.rotation === 'kubelet') expect(await node.kubelet.publish(pod)).toBeUndefined();
          expect(filesOf(pod)).toEqual(expected);
          expect(objectsOf('optional')).toContainEqual({ id: 'secret/comes', version });
          expect(objectsOf('optional')).toContainEqual({ id: 'secret/stays-away', version: 'missing' });
        });
      await becomes([], 'missing');
      await becomes(['comes: here'], node.emulator.setSecret(VAULT, 'comes', 'here'));
      node.emulator.setEnabled(VAULT, { kind: 'secrets', name: 'comes' }, false);
      await becomes(['.missing: comes\nstays-away\n'], 'missing');
    },
    LIMIT_MS,
  );

  test(
    'follows a selection: an object appears, changes and goes, until the last one has gone',
    async () => {
      node.emulator.grant(VAULT, { identity: IDENTITY, secrets: ['list'] });
      const item = { objectNames: 'live-*', objectType: 'secret', objectAlias: 'live/{name}', optional: 'true' };
      node.addClass('selection', { parameters: classicParameters([item]) });
      const pod = node.addPod({ name: 'selection', secretProviderClass: 'selection' });
      await node.kubelet.mount(pod);
      const becomes = (files: readonly string[], ids: readonly string[]) =>
        eventually(async () => {
          if (line.rotation === 'kubelet') expect(await node.kubelet.publish(pod)).toBeUndefined();
          expect(filesOf(pod)).toEqual(files);
          expect(objectsOf('selection').map(({ id }) => id)).toEqual(ids);
        });
      await becomes([], ['secret/live-*']);
      node.emulator.setSecret(VAULT, 'live-a', 'one');
      await becomes(['live/live-a: one'], ['secret/live-a']);
      node.emulator.setSecret(VAULT, 'live-b', 'two');
      node.emulator.setSecret(VAULT, 'live-a', 'three');
      await becomes(['live/live-a: three', 'live/live-b: two'], ['secret/live-a', 'secret/live-b']);
      node.emulator.deleteObject(VAULT, 'secrets', 'live-a');
      await becomes(['live/live-b: two'], ['secret/live-b']);
      node.emulator.deleteObject(VAULT, 'secrets', 'live-b');
      await becomes(['.missing: live-*\n'], ['literal/.missing', 'secret/live-*']);
    },
    LIMIT_MS,
  );

  test(
    'reads two vaults, and goes on with the fallback vault while the first is away',
    async () => {
      const fallback = FALLBACK_VAULT;
      for (const [vault, value] of [
        [VAULT, 'first'],
        [fallback, 'copy'],
      ] as const)
        node.emulator.setSecret(vault, 'two-vaults', value);
      const secret = { objectName: 'two-vaults', objectType: 'secret' };
      const items = [secret, { ...secret, objectAlias: 'other', vault: fallback }];
      node.addClass('vaults', { parameters: { ...classicParameters(items), fallbackVaults: fallback } });
      const pod = node.addPod({ name: 'vaults', secretProviderClass: 'vaults' });
      await node.kubelet.mount(pod);
      const becomes = (expected: readonly string[]) =>
        eventually(async () => {
          if (line.rotation === 'kubelet') expect(await node.kubelet.publish(pod)).toBeUndefined();
          expect(filesOf(pod)).toEqual(expected);
        });
      await becomes(['other: copy', 'two-vaults: first']);
      node.emulator.faults.add({ on: 'vault', vault: VAULT, action: { kind: 'answer', status: 503 } });
      await becomes(['other: copy', 'two-vaults: copy']);
      node.emulator.faults.clear();
      await becomes(['other: copy', 'two-vaults: first']);
      expect(
        objectsOf('vaults')
          .map(({ id }) => id)
          .toSorted(),
      ).toEqual([`${fallback}/secret/two-vaults`, 'secret/two-vaults']);
    },
    LIMIT_MS,
  );
});
