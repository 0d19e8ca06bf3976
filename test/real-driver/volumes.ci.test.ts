// First mounts with each driver line: files, modes and status of every type of object, and the Secrets that the driver
// creates from them.
import { execFileSync } from 'node:child_process';
import { createPrivateKey, createPublicKey, type KeyObject, X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { ROOT_AUTHORITY, SERVER_CERTIFICATE, TENANT, VAULT } from '../../src/cli/demo/fixtures.ts';
import { builtProgram } from '../support/e2e.ts';
import { fingerprints, sameKey } from '../support/pki.ts';
import { classicParameters, fillVault } from './classic.ts';
import { DRIVERS, type MountedFile, type MountedVolume, realDriverWanted } from './driver.ts';
import type { PodVolume } from './kubelet.ts';
import { type Node, startNode } from './node.ts';
import type { KubeObject } from './objects.ts';
import { eventually } from './wait.ts';

const wanted = realDriverWanted();
const root = join(import.meta.dirname, '../..');
const LIMIT_MS = 300_000;
const BROKERS = 'azure-iot-operations';

type Files = MountedVolume['files'];
/** A Secret that the driver creates, with decoded data. */
interface SyncedSecret {
  readonly type: string;
  readonly data: Readonly<Record<string, Buffer>>;
}

/** Returns the SecretProviderClasses of the three resources of examples/, as `akv-csi render` prints them. */
function renderedClasses(): KubeObject[] {
  const sources = ['broker-listener', 'broker-authentication', 'mqtt-bridge-connector'];
  const files = sources.map((name) => join(root, 'examples', `${name}.yaml`));
  const args = [builtProgram(), 'render', '--sync-secrets', '--directory-id', TENANT, ...files];
  const text = execFileSync(process.execPath, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  return parseAllDocuments(text).map((document) => document.toJS() as KubeObject);
}

const certificatesIn = (pem: Buffer | undefined) =>
  (String(pem).match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n/g) ?? []).map(
    (block) => new X509Certificate(block),
  );

/** Returns the files of a volume, which must be a tmpfs. */
function filesIn({ filesystem, files }: MountedVolume): Files {
  expect(filesystem).toBe('tmpfs');
  return files;
}

const modesOf = (files: Files = {}) =>
  Object.fromEntries(Object.entries(files).map(([path, { mode }]) => [path, mode.toString(8)]));
const contentsOf = (files: Files = {}) =>
  Object.fromEntries(Object.entries(files).map(([path, { contents }]) => [path, contents]));
const keyOf = (file: { readonly contents: Buffer } | undefined) => createPrivateKey(String(file?.contents));

/** Expects a chain of `length` certificates, each issued by the next one, and the key of its leaf. */
function checkPair(certificate: MountedFile | undefined, key: MountedFile | undefined, length: number): void {
  const chain = certificatesIn(certificate?.contents);
  expect(chain).toHaveLength(length);
  const [leaf] = chain;
  expect(leaf?.checkPrivateKey(keyOf(key))).toBe(true);
  for (const [i, issuer] of chain.slice(1).entries()) expect(chain[i]?.verify(issuer.publicKey)).toBe(true);
}

/** Compares keys as keys, because the driver writes them in another form. */
function checkTls(
  secret: SyncedSecret | undefined,
  certificate: MountedFile | undefined,
  key: MountedFile | undefined,
): void {
  expect(secret?.type).toBe('kubernetes.io/tls');
  expect(Object.keys(secret?.data ?? {}).sort()).toEqual(['tls.crt', 'tls.key']);
  const chain = certificatesIn(secret?.data['tls.crt']);
  expect(chain).not.toEqual([]);
  expect(fingerprints(chain)).toEqual(fingerprints(certificatesIn(certificate?.contents)));
  expect(sameKey(createPrivateKey(String(secret?.data['tls.key'])), keyOf(key))).toBe(true);
}

/** Checks those files of the twenty objects that contain keys and certificates. */
function checkKeys(files: Files): void {
  const web = files['tls/web.pem'];
  checkPair(web, web, 3);
  checkPair(files['tls/curve.pem'], files['tls/curve.pem'], 3);
  const [leaf] = certificatesIn(web?.contents);
  expect(fingerprints(certificatesIn(files['tls/web.crt']?.contents))).toEqual([leaf?.fingerprint256]);
  const keys = ['tls/web.pub', 'rsa-key', 'ec-key'].map((path) => createPublicKey(String(files[path]?.contents)));
  expect(keys.map(({ asymmetricKeyType }) => asymmetricKeyType)).toEqual(['rsa', 'rsa', 'ec']);
  expect(leaf?.publicKey.equals(keys[0] as KeyObject)).toBe(true);
  expect(keys[2]?.asymmetricKeyDetails?.namedCurve).toBe('secp384r1');
}

/** One Secret of a PEM with key and certificates, and one of plain values. */
const SECRET_OBJECTS = [
  {
    secretName: 'synced-tls',
    type: 'kubernetes.io/tls',
    data: ['tls.crt', 'tls.key'].map((key) => ({ key, objectName: 'in/synced-web' })),
  },
  {
    secretName: 'synced-app',
    type: 'Opaque',
    data: ['username:in/synced-user', 'password:in/synced-password'].map((pair) => {
      const [key, objectName] = pair.split(':');
      return { key, objectName };
    }),
  },
];

describe.skipIf(!wanted).each(DRIVERS)('driver $version', (line) => {
  let node: Node;
  beforeAll(async () => {
    node = await startNode({ line, rotationInterval: '2m' });
    await node.startProvider();
  }, LIMIT_MS);
  afterAll(() => node?.close(), LIMIT_MS);

  const statusOf = ({ pod: { name, namespace }, secretProviderClass }: PodVolume) =>
    node.objects.get('secretproviderclasspodstatuses', namespace, `${name}-${namespace}-${secretProviderClass}`).status;
  /** Returns the decoded entries of a Secret that the driver creates. */
  const syncedSecret = (namespace: string, name: string): SyncedSecret => {
    const { type, data, metadata } = node.objects.get('secrets', namespace, name);
    expect(metadata.labels).toMatchObject({ 'secrets-store.csi.k8s.io/managed': 'true' });
    const entries = Object.entries(data as Record<string, string>);
    return {
      type: String(type),
      data: Object.fromEntries(entries.map(([key, value]) => [key, Buffer.from(value, 'base64')])),
    };
  };

  test(
    'mounts the three resources of examples/ and keeps Secrets of them',
    async () => {
      const classes = renderedClasses();
      const volumes = classes.map((object, i) => {
        node.objects.create('secretproviderclasses', object);
        const { name } = object.metadata;
        return node.addPod({
          name: `broker-${i}`,
          namespace: BROKERS,
          secretProviderClass: name,
          withCredentials: true,
        });
      });
      for (const volume of volumes) await node.kubelet.mount(volume);
      const [listener, passwords, bridge] = volumes.map((volume) => filesIn(node.look(volume)));
      expect(modesOf(listener)).toEqual({ 'ca.crt': '644', 'tls.crt': '644', 'tls.key': '644' });
      expect(modesOf(passwords)).toEqual({ 'passwords.toml': '644' });
      const pem = { 'client_cert.pem': '644', 'client_intermediate_certs.pem': '644', 'client_key.pem': '644' };
      expect(modesOf(bridge)).toEqual(pem);
      checkPair(listener?.['tls.crt'], listener?.['tls.key'], 2);
      checkPair(bridge?.['client_cert.pem'], bridge?.['client_key.pem'], 2);
      const authorities = certificatesIn(Buffer.from(node.emulator.authorityPem(ROOT_AUTHORITY)));
      expect(fingerprints(certificatesIn(listener?.['ca.crt']?.contents))).toEqual(fingerprints(authorities));
      const database = node.emulator.currentSecret(VAULT, 'my-username-password-db').value.reveal();
      expect(String(passwords?.['passwords.toml']?.contents)).toBe(database);

      const names = [SERVER_CERTIFICATE, 'my-username-password-db', 'my-remote-broker-certificate'];
      for (const [i, name] of names.entries()) {
        const volume = volumes[i] as PodVolume;
        const objects = [{ id: `secret/${name}`, version: node.emulator.currentSecret(VAULT, name).version }];
        expect(statusOf(volume)).toEqual({
          podName: volume.pod.name,
          secretProviderClassName: volume.secretProviderClass,
          mounted: true,
          targetPath: node.kubelet.pathOf(volume),
          objects,
        });
      }
      await eventually(() => {
        const [tls, database, client] = volumes.map((volume) => syncedSecret(BROKERS, volume.secretProviderClass));
        checkTls(tls, listener?.['tls.crt'], listener?.['tls.key']);
        expect(database).toEqual({ type: 'Opaque', data: contentsOf(passwords) });
        expect(client).toEqual({ type: 'Opaque', data: contentsOf(bridge) });
      });
    },
    LIMIT_MS,
  );

  test(
    'mounts twenty objects in folders, with modes, names, encodings and formats of their own',
    async () => {
      const expected = await fillVault(node.emulator);
      node.addClass('twenty', { parameters: expected.parameters });
      const volume = node.addPod({ name: 'twenty', secretProviderClass: 'twenty' });
      await node.kubelet.mount(volume);
      const files = filesIn(node.look(volume));
      expect(Object.keys(files)).toHaveLength(21);
      expect(modesOf(files)).toEqual(expected.modes);
      for (const [path, contents] of Object.entries(expected.contents)) {
        expect(files[path]?.contents.toString('hex'), path).toBe(contents.toString('hex'));
      }
      expect(statusOf(volume)).toMatchObject({ mounted: true, objects: expected.objects });
      checkKeys(files);
    },
    LIMIT_MS,
  );

  test(
    'keeps Secrets of files, for as long as a pod has them mounted',
    async () => {
      const { createCertificate, setSecret } = node.emulator;
      const web = { issuer: 'demo-intermediate', subject: 'CN=synced', key: { kty: 'RSA' } } as const;
      await createCertificate(VAULT, 'synced-web', { ...web, contentType: 'application/x-pkcs12' });
      setSecret(VAULT, 'synced-user', 'root');
      setSecret(VAULT, 'synced-password', 'pässword');
      const items = ['synced-web', 'synced-user', 'synced-password'].map((objectName) => ({
        objectName,
        objectType: 'secret',
        objectAlias: `in/${objectName}`,
      }));
      node.addClass('synced', { parameters: classicParameters(items), secretObjects: SECRET_OBJECTS });
      const pods = ['synced-0', 'synced-1'].map((name) => node.addPod({ name, secretProviderClass: 'synced' }));
      for (const pod of pods) await node.kubelet.mount(pod);
      const files = filesIn(node.look(pods[0] as PodVolume));
      const bundle = files['in/synced-web'];
      await eventually(() => {
        checkTls(syncedSecret('default', 'synced-tls'), bundle, bundle);
        expect(syncedSecret('default', 'synced-app')).toEqual({
          type: 'Opaque',
          data: { username: Buffer.from('root'), password: Buffer.from('pässword') },
        });
      });

      const owners = () =>
        ['synced-tls', 'synced-app'].map((name) => {
          const { ownerReferences = [] } = node.objects.find('secrets', 'default', name)?.metadata ?? {};
          return ownerReferences.map((owner) => `${owner.kind} ${owner.name}`).sort();
        });
      const ofPods = pods.map(({ pod }) => `SecretProviderClassPodStatus ${pod.name}-default-synced`);
      for (const [gone, pod] of pods.entries()) {
        await eventually(() => expect(owners()).toEqual([ofPods.slice(gone), ofPods.slice(gone)]));
        await node.kubelet.unmount(pod);
        expect(node.look(pod)).toEqual({ filesystem: undefined, generation: undefined, files: {} });
        node.deletePod(pod);
      }
      await eventually(() => {
        expect(node.objects.find('secrets', 'default', 'synced-tls')).toBeUndefined();
        expect(node.objects.find('secrets', 'default', 'synced-app')).toBeUndefined();
      });
    },
    LIMIT_MS,
  );
});
