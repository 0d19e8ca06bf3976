/**
 * Puts together the state of SecretProviderClasses from objects of the cluster and metrics of the provider. `status.ts`
 * calls it. A version is compared with that of the pod that got its files last.
 */

import { clip } from '../base/words.ts';
import { causeOfEvent } from './causes.ts';
import { eventTimeOf } from './events.ts';
import { type Metrics, seriesKey } from './metrics.ts';
import { classVolumesOf, type KubeObject, nameOf, objectsAt, textAt, timeOf } from './objects.ts';

/** A version of an object in the volume of a pod. */
export interface MountedObject {
  /** Such as `secret/db-password`. */
  readonly id: string;
  readonly version: string;
  /** The current version, as far as it is known. */
  readonly current: string;
  /** True if `current` was read from the vault; false if it is the version of the pod that got its files last. */
  readonly fetched: boolean;
  /** When the object expires, in milliseconds since 1970. */
  readonly expiresAt?: number;
}

/** A failed mount. */
export interface Failure {
  readonly pod: string;
  /** The provider's or the driver's words. */
  readonly message: string;
  /** Milliseconds since 1970; undefined if the event does not say. */
  readonly at: number | undefined;
}

/** A pod that mounts a class, or tries to. */
export interface ClassPod {
  readonly name: string;
  readonly node: string;
  readonly mounted: boolean;
  readonly objects: readonly MountedObject[];
  /** Failed Mounts since the last one that succeeded, by the provider's metrics; undefined if they are not known. */
  readonly failures?: number;
}

/** A SecretProviderClass and its pods. */
export interface ClassStatus {
  readonly namespace: string;
  readonly name: string;
  /** False for a class that pods name and that does not exist. */
  readonly exists: boolean;
  readonly pods: readonly ClassPod[];
  readonly lastFailure?: Failure;
}

/** Reasons of events about volumes that could not be mounted or, by drivers up to v1.5, renewed. */
export const FAILURES = ['FailedMount', 'MountRotationFailed'] as const;

/** Everything that was read from the API server. */
export interface ReadObjects {
  readonly classes: readonly KubeObject[];
  readonly statuses: readonly KubeObject[];
  /** Pods that have not started all their containers. */
  readonly pending: readonly KubeObject[];
  readonly events: readonly KubeObject[];
  readonly metrics: Metrics;
}

/** Returns the node of a mounted volume. */
export function nodeOf(status: KubeObject): string {
  return textAt(status, 'metadata', 'labels', 'internal.secrets-store.csi.k8s.io/node-name');
}

/** A pod of a class before the versions of all pods are compared. */
interface SeenPod {
  readonly namespace: string;
  readonly className: string;
  readonly name: string;
  readonly node: string;
  readonly mounted: boolean;
  readonly versions: readonly (readonly [string, string])[];
  /** When the driver last changed the status: milliseconds since 1970. */
  readonly changedAt: number;
}

/** Returns the state of each class of `read`. `all` has the classes of other providers too. */
export function classStatuses(read: ReadObjects, all: readonly KubeObject[]): readonly ClassStatus[] {
  const mounted = read.statuses.map(mountedPodOf);
  const seen = new Set(mounted.map(({ namespace, name, className }) => `${namespace}/${name}/${className}`));
  const waiting = read.pending
    .flatMap(waitingPodsOf)
    .filter(({ namespace, name, className }) => !seen.has(`${namespace}/${name}/${className}`));
  const pods = groupBy([...mounted, ...waiting], ({ namespace, className }) => `${namespace}/${className}`);
  const failures = failuresOf(read, mounted);
  const known = new Set(all.map((one) => keyOf(nameOf(one))));
  const named = read.classes.map((one) => ({ ...nameOf(one), exists: true }));
  const missing = [...pods]
    .filter(([key]) => !known.has(key))
    .map(([key, [first]]) => ({
      namespace: first?.namespace ?? '',
      name: key.slice(key.indexOf('/') + 1),
      exists: false,
    }));
  return [...named, ...missing]
    .sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
    .map((one) => {
      const key = keyOf(one);
      const failure = failures.get(key);
      const own = podsOf(pods.get(key) ?? [], read.metrics);
      return { ...one, pods: own, ...(failure === undefined ? {} : { lastFailure: failure }) };
    });
}

function keyOf({ namespace, name }: { readonly namespace: string; readonly name: string }): string {
  return `${namespace}/${name}`;
}

function mountedPodOf(status: KubeObject): SeenPod {
  const { namespace } = nameOf(status);
  const times = objectsAt(status, 'metadata', 'managedFields').map((entry) => timeOf(textAt(entry, 'time')) ?? 0);
  return {
    namespace,
    className: textAt(status, 'status', 'secretProviderClassName'),
    name: textAt(status, 'status', 'podName'),
    node: nodeOf(status),
    mounted: true,
    versions: objectsAt(status, 'status', 'objects').map((one) => [textAt(one, 'id'), textAt(one, 'version')]),
    changedAt: Math.max(timeOf(textAt(status, 'metadata', 'creationTimestamp')) ?? 0, ...times),
  };
}

function waitingPodsOf(pod: KubeObject): readonly SeenPod[] {
  const { namespace, name } = nameOf(pod);
  const node = textAt(pod, 'spec', 'nodeName');
  const rest = { namespace, name, node, mounted: false, versions: [], changedAt: 0 };
  const names = new Set(classVolumesOf(pod).map(({ className }) => className));
  return [...names].filter((className) => className !== '').map((className) => ({ ...rest, className }));
}

function podsOf(seen: readonly SeenPod[], metrics: Metrics): readonly ClassPod[] {
  const newest = new Map<string, string>();
  for (const { versions } of seen.toSorted((a, b) => a.changedAt - b.changedAt))
    for (const [id, version] of versions) newest.set(id, version);
  return seen
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, node, mounted, versions, namespace, className }) => {
      const failures = metrics.get(
        seriesKey('akv_csi_mount_consecutive_failures', { namespace, pod: name, secretproviderclass: className }),
      );
      const objects = versions.map(([id, version]): MountedObject => {
        const [objectName = '', objectType = ''] = id.split('/').reverse();
        const labels = { namespace, pod: name, object_type: objectType, object_name: objectName };
        const seconds = metrics.get(seriesKey('akv_csi_object_expiration_timestamp_seconds', labels));
        const expiry = seconds === undefined ? {} : { expiresAt: seconds * 1000 };
        return { id, version, current: newest.get(id) ?? version, fetched: false, ...expiry };
      });
      return { name, node, mounted, objects, ...(failures === undefined ? {} : { failures }) };
    });
}

/** Returns the newest failure of each class: by the volume that the event names, in a pod that waits or has mounted. */
function failuresOf({ events, pending }: ReadObjects, mountedPods: readonly SeenPod[]): ReadonlyMap<string, Failure> {
  const volumes = new Map(pending.map((pod) => [keyOf(nameOf(pod)), classVolumesOf(pod)]));
  const mounted = groupBy(mountedPods, keyOf);
  const found = new Map<string, Failure>();
  for (const event of events) {
    const message = textAt(event, 'message');
    const namespace = textAt(event, 'involvedObject', 'namespace');
    const pod = textAt(event, 'involvedObject', 'name');
    if (textAt(event, 'involvedObject', 'kind') !== 'Pod') continue;
    const [, volume] = /failed for volume "([^"]*)"/.exec(message) ?? [];
    const waiting = volumes.get(`${namespace}/${pod}`)?.filter((one) => one.volume === volume) ?? [];
    const reason = textAt(event, 'reason');
    const at = eventTimeOf(event);
    // The kubelet mounts a volume again until it succeeds: earlier failures are over.
    const isOver = ({ changedAt }: SeenPod) => reason === 'FailedMount' && (at ?? 0) < changedAt;
    const classes = [
      ...waiting.map(({ className }) => className),
      ...(mounted.get(`${namespace}/${pod}`) ?? [])
        .filter((one) => message.includes(one.className) && !isOver(one))
        .map(({ className }) => className),
    ];
    const failure = { pod, message: clip(causeOfEvent({ reason, message }).text), at };
    for (const className of classes) {
      const key = `${namespace}/${className}`;
      if ((found.get(key)?.at ?? -1) < (failure.at ?? 0)) found.set(key, failure);
    }
  }
  return found;
}

function groupBy<T>(all: readonly T[], key: (one: T) => string): ReadonlyMap<string, readonly T[]> {
  const groups = new Map<string, T[]>();
  for (const one of all) {
    const group = groups.get(key(one));
    if (group === undefined) groups.set(key(one), [one]);
    else group.push(one);
  }
  return groups;
}
