// Acts as the kubelet: makes the driver publish and unpublish volumes, and retries as the kubelet does. node.ts calls
// it.
import { createHash } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import protobuf from 'protobufjs';
import proto from './csi.proto?raw';

/** A volume of a pod. */
export interface PodVolume {
  readonly pod: { readonly name: string; readonly namespace: string; readonly uid: string };
  readonly serviceAccount: string;
  /** Name of the volume in the pod's spec. */
  readonly name: string;
  readonly secretProviderClass: string;
  /** Further `volumeAttributes`. */
  readonly attributes?: Readonly<Record<string, string>>;
  /** Data of the Secret that `nodePublishSecretRef` names. */
  readonly secrets?: Readonly<Record<string, string>>;
  /** The attribute with service account tokens. */
  readonly tokens?: string;
}

/** A publish that failed. */
export interface Failure {
  readonly code: status;
  readonly message: string;
}

/** The kubelet of a node. */
export interface Kubelet {
  /** Returns the path at which a volume is mounted. */
  pathOf(volume: PodVolume): string;
  /**
   * Calls NodePublishVolume once: the first time, or for a republish from v1.6 on. Returns undefined if it succeeds.
   */
  publish(volume: PodVolume): Promise<Failure | undefined>;
  /** Publishes until it succeeds. Returns the failures before. */
  mount(volume: PodVolume): Promise<readonly Failure[]>;
  /** Unpublishes until it succeeds. */
  unmount(volume: PodVolume): Promise<void>;
  close(): void;
}

const DEADLINE_MS = 120_000;
const READY_MS = 120_000;
const RETRY_MS = 500;
const MAX_TRIES = 20;
const READ_ONLY_MANY = 2;

/** After these codes the kubelet assumes that the volume may be mounted, and keeps its directory. */
const UNCERTAIN: readonly status[] = [
  status.CANCELLED,
  status.DEADLINE_EXCEEDED,
  status.RESOURCE_EXHAUSTED,
  status.ABORTED,
  status.UNAVAILABLE,
];

const { root } = protobuf.parse(proto);

/** Connects to the driver and waits until it answers. `directory` is for the volumes of pods. */
export async function startKubelet(socket: string, directory: string): Promise<Kubelet> {
  const client = new Client(`unix://${socket}`, credentials.createInsecure(), {
    'grpc.default_authority': 'localhost',
    'grpc.use_local_subchannel_pool': 1,
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 500,
  });
  await new Promise<void>((resolve, reject) =>
    client.waitForReady(Date.now() + READY_MS, (error) => (error ? reject(error) : resolve())),
  );
  const pathOf = ({ pod, name }: PodVolume) =>
    join(directory, 'pods', pod.uid, 'volumes/kubernetes.io~csi', name, 'mount');
  const publish = async (volume: PodVolume) => {
    const path = pathOf(volume);
    mkdirSync(dirname(path), { recursive: true });
    const failure = await call(client, 'NodePublishVolume', publishRequest(volume, path));
    if (failure !== undefined && !UNCERTAIN.includes(failure.code)) rmSync(path, { recursive: true, force: true });
    return failure;
  };
  return {
    pathOf,
    publish,
    mount: (volume) => repeat(() => publish(volume)),
    unmount: async (volume) => {
      const request = { volumeId: idOf(volume), targetPath: pathOf(volume) };
      await repeat(() => call(client, 'NodeUnpublishVolume', request));
    },
    close: () => client.close(),
  };
}

/** Repeats a call until it succeeds. Returns the failures. */
async function repeat(attempt: () => Promise<Failure | undefined>): Promise<readonly Failure[]> {
  const failures: Failure[] = [];
  for (let wait = RETRY_MS; failures.length < MAX_TRIES; wait *= 1.2) {
    const failure = await attempt();
    if (failure === undefined) return failures;
    failures.push(failure);
    await sleep(wait);
  }
  throw new Error(`failed ${MAX_TRIES} times: ${failures.at(-1)?.message}`);
}

function call(client: Client, method: string, request: object): Promise<Failure | undefined> {
  const requestType = root.lookupType(`csi.v1.${method}Request`);
  return new Promise((resolve) =>
    client.makeUnaryRequest(
      `/csi.v1.Node/${method}`,
      (message: object) => Buffer.from(requestType.encode(message).finish()),
      () => ({}),
      request,
      new Metadata({ waitForReady: true }),
      { deadline: Date.now() + DEADLINE_MS },
      (error: ServiceError | null) =>
        resolve(error === null ? undefined : { code: error.code, message: error.details }),
    ),
  );
}

function idOf({ pod, name }: PodVolume): string {
  return `csi-${createHash('sha256').update(`${pod.uid}${name}`).digest('hex')}`;
}

function publishRequest(volume: PodVolume, targetPath: string): object {
  const { pod, serviceAccount, secretProviderClass, attributes = {}, secrets = {}, tokens } = volume;
  const kubelet = 'csi.storage.k8s.io/';
  return {
    volumeId: idOf(volume),
    targetPath,
    volumeCapability: { mount: {}, accessMode: { mode: READ_ONLY_MANY } },
    readonly: true,
    secrets,
    volumeContext: {
      ...attributes,
      secretProviderClass,
      [`${kubelet}pod.name`]: pod.name,
      [`${kubelet}pod.namespace`]: pod.namespace,
      [`${kubelet}pod.uid`]: pod.uid,
      [`${kubelet}serviceAccount.name`]: serviceAccount,
      [`${kubelet}ephemeral`]: 'true',
      ...(tokens !== undefined && { [`${kubelet}serviceAccount.tokens`]: tokens }),
    },
  };
}
