/**
 * Finds the classes and the containers that the items of a pod mean. Called by mount-into.ts. Refuses items that name
 * nothing, or more than one thing; each mistake says what there is.
 */

import { nearest, quote } from '../../base/words.ts';
import { subdomainProblem } from '../../spc/kubernetes-names.ts';
import { partsOfFrom } from '../from.ts';
import { mountPathNames, mountPathOf } from '../mount-path.ts';
import { type CsiVolume, csiVolume, mountOf, type VolumeMount } from '../volume.ts';
import { DEFAULT_CONTAINER, NODE_PUBLISH_SECRET, WATCHER } from './annotations.ts';
import type { KnownClass } from './classes.ts';
import { listAt, textAt } from './data.ts';
import { type MountItem, mountPathProblem } from './items.ts';
import { isKind } from './kinds.ts';
import type { Workload } from './workload.ts';

/** A class in a container. */
export interface PodMount {
  readonly volume: CsiVolume;
  readonly volumeMount: VolumeMount;
  /** Name of the container or init container. */
  readonly container: string;
}

/** What items are resolved against. */
export interface Surroundings {
  readonly classes: readonly KnownClass[];
  /** The template of paths; see mount-path.ts. */
  readonly mountPath: string;
  /** Where the classes were searched, for messages, such as `in the stream`. */
  readonly place?: string;
  /** The namespace of the pod, if its manifest does not name it; empty if it is not known. */
  readonly namespace?: string;
  /** The image of the container that watches volumes, for pods whose annotation names none. */
  readonly watchImage?: string;
  /** What is to be done when the volumes of the pod change, beside its annotation; see watch-items.ts. */
  readonly watches?: readonly { readonly place: string; readonly text: string }[];
}

/** The mounts of items, the mistakes in them, and what a person has to know. Each names its item. */
export interface Resolved {
  readonly mounts: readonly PodMount[];
  readonly mistakes: readonly string[];
  readonly notes: readonly string[];
}

/** A mistake in an item, in words that follow the item. */
class ItemMistake extends Error {}

const CLASS = 'SecretProviderClass';
const MAX_LISTED = 10;

/** Resolves the items of one pod. */
export function resolveItems(items: readonly MountItem[], workload: Workload, given: Surroundings): Resolved {
  const mounts: PodMount[] = [];
  const mistakes: string[] = [];
  const notes: string[] = [];
  for (const item of items) {
    const about = (words: string) => `item ${quote(item.text)}: ${words}`;
    try {
      const found = classesOf(item, workload, given);
      const container = containerOf(item, workload);
      mounts.push(...found.map((one) => mountOfClass(one, container, item.mountPath ?? pathOf(one, given))));
      notes.push(...found.flatMap((one) => notesOf(one, workload, given)).map(about));
    } catch (error) {
      if (!(error instanceof ItemMistake)) throw error;
      mistakes.push(about(error.message));
    }
  }
  return { mounts, mistakes, notes: [...new Set(notes)] };
}

function mountOfClass({ name, secretName }: KnownClass, container: string, mountPath: string): PodMount {
  return { volume: csiVolume(name, secretName), volumeMount: mountOf(name, mountPath), container };
}

function pathOf({ name, from }: KnownClass, { mountPath }: Surroundings): string {
  const path = mountPathOf(mountPath, mountPathNames(name, from));
  const problem = mountPathProblem(path);
  if (problem !== undefined) throw new ItemMistake(`${problem}; it comes from the template ${quote(mountPath)}`);
  return path;
}

/** Returns the classes of an item: all of its resource, or those of its role. */
function classesOf(item: MountItem, workload: Workload, given: Surroundings): readonly KnownClass[] {
  const named = given.classes.filter((one) => isNamed(one, item));
  const inReach = reachable(named, workload.namespace || (given.namespace ?? ''));
  if (inReach.length === 0) throw new ItemMistake(missing(item, named, workload, given));
  const namespaces = [...new Set(inReach.map(({ namespace }) => namespace))];
  if (namespaces.length > 1) {
    const places = namespaces.map((namespace) => namespace || 'none').join(' and ');
    throw new ItemMistake(`${item.name} is in several namespaces (${places}); name the namespace of the pod`);
  }
  const found = item.role === undefined ? inReach : inReach.filter((one) => roleOf(one) === item.role?.toLowerCase());
  const roles = inReach.map(roleOf).join(', ');
  if (found.length === 0)
    throw new ItemMistake(`${item.kind} ${quote(item.name)} has no ${quote(item.role ?? '')}; it has: ${roles}`);
  if (found.length > 1 && item.mountPath !== undefined) {
    const choice = `${item.kind}/${item.name}/${found[0] === undefined ? '' : roleOf(found[0])}:${item.mountPath}`;
    throw new ItemMistake(
      `it means ${found.length} volumes (${roles}), which cannot have one path; name one: ${choice}`,
    );
  }
  const bad = found.find(({ secretName }) => secretName !== undefined && subdomainProblem(secretName) !== undefined);
  if (bad?.secretName !== undefined)
    throw new ItemMistake(`the Secret of ${CLASS} ${bad.name}: ${subdomainProblem(bad.secretName)}`);
  return found;
}

function isNamed(one: KnownClass, item: MountItem): boolean {
  if (isKind(item.kind, CLASS)) return one.name === item.name && item.role === undefined;
  const { kind, name } = partsOfFrom(one.from);
  return isKind(item.kind, kind) && name === item.name;
}

function roleOf({ from }: KnownClass): string {
  return partsOfFrom(from).role.toLowerCase();
}

/** Returns the classes that a pod in a namespace can mount: those of its namespace, or else those of no known one. */
function reachable(classes: readonly KnownClass[], namespace: string): readonly KnownClass[] {
  if (namespace === '') return classes;
  const own = classes.filter((one) => one.namespace === namespace);
  return own.length > 0 ? own : classes.filter((one) => one.namespace === '');
}

/** Returns why an item means no class, and what there is. */
function missing(item: MountItem, elsewhere: readonly KnownClass[], workload: Workload, given: Surroundings): string {
  const what = `${item.kind} ${quote(item.name)}`;
  const [other] = elsewhere;
  if (other !== undefined) {
    const own = workload.namespace || given.namespace;
    return `${what} is in namespace ${other.namespace}, and the pod is in ${own}; a pod mounts only classes of its own namespace`;
  }
  if (isKind(item.kind, CLASS) && item.role !== undefined)
    return `a ${CLASS} has no roles; write ${item.kind}/${item.name}`;
  const known = [
    ...new Set(
      given.classes.flatMap(({ name, from }) => [
        ...(from === undefined ? [] : [resourceOf(from)]),
        `${CLASS}/${name}`,
      ]),
    ),
  ];
  const none = `there is no ${what}${given.place === undefined ? '' : ` ${given.place}`}`;
  if (known.length === 0) return `${none}, and no other resource with a keyVault field; add its manifest`;
  const names = known.map((one) => one.split('/')[1] ?? '');
  const guess = nearest(`${item.kind}/${item.name}`, known) ?? known[names.indexOf(nearest(item.name, names) ?? '')];
  if (guess !== undefined) return `${none}; did you mean ${quote(guess)}?`;
  const more = known.length > MAX_LISTED ? `, and ${known.length - MAX_LISTED} more` : '';
  return `${none}; there are: ${known.slice(0, MAX_LISTED).join(', ')}${more}`;
}

function resourceOf(from: string): string {
  const { kind, name } = partsOfFrom(from);
  return `${kind}/${name}`;
}

/** Returns the container of an item: the one that it names, the only one, or kubectl's default. */
function containerOf(item: MountItem, workload: Workload): string {
  const { annotations } = workload;
  const [containers = [], initContainers = []] = [workload.containers, workload.initContainers].map((names) =>
    names.filter((name) => name !== WATCHER),
  );
  const all = [...containers, ...initContainers];
  const list = all.join(', ');
  if (item.container !== undefined) {
    if (item.container !== '' && all.includes(item.container)) return item.container;
    throw new ItemMistake(`there is no container ${quote(item.container)}; there are: ${list}`);
  }
  if (containers.some((name) => name === '') || containers.length === 0)
    throw new ItemMistake(containers.length === 0 ? 'the pod has no container' : 'a container of the pod has no name');
  const [only = ''] = containers;
  if (containers.length === 1) return only;
  const preferred = annotations[DEFAULT_CONTAINER];
  if (preferred !== undefined && preferred !== '' && containers.includes(preferred)) return preferred;
  if (preferred !== undefined)
    throw new ItemMistake(
      `the annotation ${DEFAULT_CONTAINER} names ${quote(preferred)}, which is no container; there are: ${list}`,
    );
  throw new ItemMistake(`the pod has several containers (${list}); name one: ${only}=${item.text}`);
}

function notesOf(one: KnownClass, workload: Workload, given: Surroundings): readonly string[] {
  const notes: string[] = [];
  const namespace = workload.namespace || (given.namespace ?? '');
  if (namespace === '' && one.namespace !== '')
    notes.push(
      `${CLASS} ${one.name} is in namespace ${one.namespace}; apply the pod in that namespace, since its manifest names none`,
    );
  if (one.lacksSecret && !namesSecret(one.name, workload))
    notes.push(
      `${CLASS} ${one.name} uses a service principal, but no Secret with its credentials is known; annotate the class with ${NODE_PUBLISH_SECRET}: NAME`,
    );
  return notes;
}

/** True if the pod has the volume of the class already, with a Secret that somebody named there. */
function namesSecret(className: string, { spec }: Workload): boolean {
  return listAt(spec, ['volumes']).some(
    (volume) =>
      textAt(volume, ['name']) === className && textAt(volume, ['csi', 'nodePublishSecretRef', 'name']) !== '',
  );
}
