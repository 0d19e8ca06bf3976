// A node without a cluster: the emulator as Azure, the stub as API server, the real driver, and the tests as its
// kubelet. Tests start one for each driver line. `close` fails if the driver ended or sent the stub a request that it
// does not implement.
import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CREDENTIALS_SECRET, EXAMPLE_SEED, NODE_PUBLISH_SECRET, TENANT } from '../../src/cli/demo/fixtures.ts';
import { type ProviderProcess, startProviderProcess } from '../../src/cli/demo/provider-process.ts';
import { type Emulator, startEmulator } from '../../src/emulator/emulator.ts';
import { builtProgram } from '../support/e2e.ts';
import { startApiServer } from './api-server.ts';
import { type Driver, type DriverLine, type MountedVolume, NODE_NAME, startDriver } from './driver.ts';
import { type Kubelet, type PodVolume, startKubelet } from './kubelet.ts';
import type { KubeObject, ObjectStore } from './objects.ts';
import { startRelay } from './relay.ts';

const AUDIENCE = 'api://AzureADTokenExchange';
/** A second vault, which the pods' identity may read. */
export const FALLBACK_VAULT = 'kv-fallback';
const SEED = EXAMPLE_SEED.replace(
  /^vaults:$/m,
  `$&
  - name: ${FALLBACK_VAULT}
    tenant: "${TENANT}"
    grants: [{identity: demo-workload, secrets: [get]}]`,
);

/** The issuer of the federated identity in the example seed. */
const ISSUER = 'https://kubernetes.default.svc.cluster.local';
export const WORKLOAD_CLIENT = '33333333-3333-3333-3333-333333333333';
const WORKLOAD_ACCOUNT = 'app';

/** Options of {@link startNode}. */
export interface NodeOptions {
  readonly line: DriverLine;
  readonly rotationInterval: string;
  /** Flags of `serve`. */
  readonly serveArgs?: readonly string[];
  /** Port of the emulator's IMDS; 0, the default: any. */
  readonly imdsPort?: number;
  /** Address at which the emulator listens; default: the loopback address. */
  readonly host?: string;
  /** If set, a relay between driver and provider calls it when a response begins. */
  readonly onAnswer?: () => void;
}

/** A pod with a volume named `secrets`. */
export interface PodOptions {
  readonly name: string;
  /** Default: `default`, the namespace of the federated identity. */
  readonly namespace?: string;
  readonly secretProviderClass: string;
  /** The classes of further volumes, by the names of these. */
  readonly others?: Readonly<Record<string, string>>;
  /** Further `volumeAttributes`. */
  readonly attributes?: Readonly<Record<string, string>>;
  /** If true, the pod logs in with the credentials Secret instead of its token. */
  readonly withCredentials?: boolean;
}

/** The node. */
export interface Node {
  readonly emulator: Emulator;
  readonly objects: ObjectStore;
  readonly driver: Driver;
  readonly kubelet: Kubelet;
  /** Where the driver looks for our provider. */
  readonly providerSocket: string;
  /** Starts a provider on the node's socket. It replaces a running one. */
  startProvider(): Promise<ProviderProcess>;
  /** Creates a SecretProviderClass of our provider. */
  addClass(name: string, spec: { readonly parameters: object; readonly secretObjects?: readonly object[] }): void;
  /** Creates a pod. The first pod of a namespace also creates its credentials Secret. */
  addPod(pod: PodOptions): PodVolume;
  deletePod(volume: PodVolume): void;
  look(volume: PodVolume): MountedVolume;
  /** Returns the texts of the files of a volume, by path. */
  textsOf(volume: PodVolume): Readonly<Record<string, string>>;
  /** Returns the path by which other processes see a volume. */
  outside(volume: PodVolume): string;
  close(): Promise<void>;
}

/** Starts everything but the provider. Needs root, for mount namespaces and tmpfs. */
export async function startNode({
  line,
  rotationInterval,
  serveArgs = [],
  imdsPort = 0,
  host = '127.0.0.1',
  onAnswer,
}: NodeOptions): Promise<Node> {
  const directory = mkdtempSync(join(tmpdir(), 'akv-node-'));
  const undos: (() => unknown)[] = [() => rmSync(directory, { recursive: true, force: true })];
  const close = async () => {
    const failures: unknown[] = [];
    for (let undo = undos.pop(); undo !== undefined; undo = undos.pop()) {
      await (async () => undo())().catch((error: unknown) => failures.push(error));
    }
    if (failures.length > 0) throw failures[0];
  };
  try {
    const providers = join(directory, 'providers');
    mkdirSync(providers);
    const socket = join(providers, 'azure.sock');
    const ownSocket = onAnswer === undefined ? socket : join(directory, 'behind.sock');
    if (onAnswer !== undefined) undos.push(await startRelay({ path: socket, target: ownSocket, onAnswer }));
    const emulator = await startEmulator({ seed: SEED, imdsPort, host });
    undos.push(() => emulator.close());
    const token = (namespace: string, serviceAccount: string) =>
      emulator.issueServiceAccountToken({
        subject: `system:serviceaccount:${namespace}:${serviceAccount}`,
        audience: AUDIENCE,
        issuer: ISSUER,
      });
    const api = await startApiServer(({ namespace, serviceAccount }) => token(namespace, serviceAccount));
    undos.push(async () => {
      await api.close();
      if (api.unknown.length > 0) throw new Error(`the stub API server lacks:\n${api.unknown.join('\n')}`);
    });
    api.objects.create('csidrivers', csiDriver(line));
    const driver = startDriver({ line, directory, kubeconfig: api.kubeconfig, rotationInterval });
    undos.push(() => driver.stop());
    const kubelet = await startKubelet(driver.socket, directory);
    undos.push(() => kubelet.close());
    return {
      emulator,
      objects: api.objects,
      driver,
      kubelet,
      providerSocket: socket,
      close,
      ...views(driver, kubelet),
      ...manifests(api.objects, token),
      async startProvider() {
        // Each provider has a new directory, so that the files of a running one are not overwritten.
        const own = mkdtempSync(join(directory, 'p-'));
        const args = ['--endpoint', `unix://${ownSocket}`, ...serveArgs];
        const provider = await startProviderProcess({ program: builtProgram(), directory: own, emulator, args });
        undos.push(() => provider.stop());
        return provider;
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function views(driver: Driver, kubelet: Kubelet): Pick<Node, 'look' | 'textsOf' | 'outside'> {
  const look = (volume: PodVolume) => driver.look(kubelet.pathOf(volume));
  return {
    look,
    textsOf: (volume) =>
      Object.fromEntries(Object.entries(look(volume).files).map(([path, { contents }]) => [path, String(contents)])),
    outside: (volume) => driver.outside(kubelet.pathOf(volume)),
  };
}

function csiDriver({ rotation }: DriverLine): KubeObject {
  return {
    metadata: { name: 'secrets-store.csi.k8s.io' },
    spec: {
      podInfoOnMount: true,
      attachRequired: false,
      volumeLifecycleModes: ['Ephemeral'],
      requiresRepublish: rotation === 'kubelet',
      tokenRequests: [{ audience: AUDIENCE }],
    },
  };
}

type Manifests = Pick<Node, 'addClass' | 'addPod' | 'deletePod'>;

function manifests(objects: ObjectStore, token: (namespace: string, serviceAccount: string) => string): Manifests {
  return {
    addClass(name, spec) {
      objects.create('secretproviderclasses', {
        apiVersion: 'secrets-store.csi.x-k8s.io/v1',
        kind: 'SecretProviderClass',
        metadata: { name, namespace: 'default' },
        spec: { provider: 'azure', ...spec },
      });
    },
    addPod(options) {
      const { name, namespace = 'default', withCredentials = false } = options;
      const pod = { name, namespace, uid: randomUUID() };
      objects.create('pods', podObject(pod, options));
      if (withCredentials && objects.find('secrets', namespace, CREDENTIALS_SECRET) === undefined) {
        objects.create('secrets', credentialsObject(namespace));
      }
      return {
        pod,
        serviceAccount: WORKLOAD_ACCOUNT,
        name: 'secrets',
        secretProviderClass: options.secretProviderClass,
        attributes: options.attributes ?? {},
        tokens: tokensAttribute(token(namespace, WORKLOAD_ACCOUNT)),
        ...(withCredentials && { secrets: NODE_PUBLISH_SECRET }),
      };
    },
    deletePod: ({ pod }) => objects.delete('pods', pod.namespace, pod.name),
  };
}

function podObject(
  pod: PodVolume['pod'],
  { secretProviderClass, others, attributes = {}, withCredentials = false }: PodOptions,
): KubeObject {
  const volumes = Object.entries({ secrets: secretProviderClass, ...others }).map(([name, ofVolume]) => ({
    name,
    csi: {
      driver: 'secrets-store.csi.k8s.io',
      readOnly: true,
      volumeAttributes: { ...attributes, secretProviderClass: ofVolume },
      ...(withCredentials && { nodePublishSecretRef: { name: CREDENTIALS_SECRET } }),
    },
  }));
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: pod,
    spec: { nodeName: NODE_NAME, serviceAccountName: WORKLOAD_ACCOUNT, volumes },
    status: { phase: 'Running' },
  };
}

/** Returns the credentials Secret. Drivers up to v1.5 read it when they rotate, and only if it has this label. */
function credentialsObject(namespace: string): KubeObject {
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: CREDENTIALS_SECRET, namespace, labels: { 'secrets-store.csi.k8s.io/used': 'true' } },
    type: 'Opaque',
    data: Object.fromEntries(Object.entries(NODE_PUBLISH_SECRET).map(([key, value]) => [key, base64(value)])),
  };
}

function tokensAttribute(token: string): string {
  const expirationTimestamp = new Date(Date.now() + 3_600_000).toISOString();
  return JSON.stringify({ [AUDIENCE]: { token, expirationTimestamp } });
}
