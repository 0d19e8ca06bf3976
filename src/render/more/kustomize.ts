/**
 * Makes a Kustomize Component: the classes, and a strategic merge patch for each workload that asks for volumes. Called by
 * `render --format kustomize`. Refuses workloads whose lists Kustomize cannot merge.
 */

import { isJsonObject } from '../../base/json.ts';
import { oneOf, quote } from '../../base/words.ts';
import { MOUNT } from '../into/annotations.ts';
import { applyChanges, type Change } from '../into/changes.ts';
import { classOfManifest, classOfVolume } from '../into/classes.ts';
import { type Path, textAt, valueAt } from '../into/data.ts';
import { parseItems } from '../into/items.ts';
import { isKind } from '../into/kinds.ts';
import { type MountedInto, mountInto } from '../into/mount-into.ts';
import { isTarget, type PodOption } from '../into/pod-option.ts';
import type { Surroundings } from '../into/resolve.ts';
import { workloadOf } from '../into/workload.ts';
import { DEFAULT_MOUNT_PATH } from '../mount-path.ts';
import { block, toYaml } from '../print.ts';
import type { RenderedVolume } from '../volume.ts';

/** What a Component is made of. */
export interface ComponentInput {
  readonly volumes: readonly RenderedVolume[];
  readonly pods: readonly PodOption[];
  /** The manifests that were read, as plain data. Workloads among them are patched if they are named, or annotated. */
  readonly manifests: readonly unknown[];
  /** The template of the mount paths. Default: {@link DEFAULT_MOUNT_PATH}. */
  readonly mountPath?: string | undefined;
}

/** The text of `kustomization.yaml`, or the mistakes in what was asked for. */
export interface Component {
  readonly text: string;
  readonly mistakes: readonly string[];
  readonly notes: readonly string[];
}

/** The file of the classes, which the Component names. */
export const CLASSES_FILE = 'akv-csi.yaml';
/** The first line of both files. A file without it is not overwritten. */
export const HEADER = '# Made by akv-csi render --format kustomize, which overwrites this file.\n';

/** The `apiVersion` of the kinds whose lists Kustomize merges by name. */
const BUILT_IN: Readonly<Record<string, string>> = {
  Deployment: 'apps/v1',
  StatefulSet: 'apps/v1',
  DaemonSet: 'apps/v1',
  ReplicaSet: 'apps/v1',
  ReplicationController: 'v1',
  Pod: 'v1',
  PodTemplate: 'v1',
  Job: 'batch/v1',
  CronJob: 'batch/v1',
};
const PATHS: Readonly<Record<string, Path>> = {
  Pod: [],
  PodTemplate: ['template'],
  CronJob: ['spec', 'jobTemplate', 'spec', 'template'],
};
const TEMPLATE: Path = ['spec', 'template'];

/** A patch, or why there is none. */
interface Patched {
  readonly patch?: unknown;
  readonly mistakes: readonly string[];
  readonly notes: readonly string[];
}

/** Makes the Component. */
export function componentOf({ volumes, pods, manifests, mountPath = DEFAULT_MOUNT_PATH }: ComponentInput): Component {
  const known = manifests.flatMap((manifest) => classOfManifest(manifest) ?? []);
  const given: Surroundings = { classes: [...volumes.map(classOfVolume), ...known], mountPath };
  const patched = [...pods.map((pod) => patchNamed(pod, manifests, given)), ...annotated(manifests, pods, given)];
  const mistakes = patched.flatMap((one) => one.mistakes);
  if (patched.length === 0) mistakes.push(NOTHING_TO_PATCH);
  // Without a target, Kustomize stops if no resource has the kind, name and namespace of the patch.
  const patches = patched.flatMap(({ patch }) => (patch === undefined ? [] : [{ patch: block(toYaml(patch)) }]));
  const component = {
    apiVersion: 'kustomize.config.k8s.io/v1alpha1',
    kind: 'Component',
    resources: [CLASSES_FILE],
    patches,
  };
  return {
    text: HEADER + toYaml(component),
    mistakes,
    notes: patched.flatMap((one) => one.notes),
  };
}

const NOTHING_TO_PATCH = `--format kustomize needs --pod KIND/NAME=ITEMS, or a workload with the annotation ${MOUNT} among the files`;

/** Patches the workload of `--pod`: that of the files, or one that is known by its name only. */
function patchNamed(pod: PodOption, manifests: readonly unknown[], given: Surroundings): Patched {
  const about = `--pod ${pod.target}`;
  const found = manifests.filter((one) => isNamed(one, pod));
  if (found.length > 1) {
    const form = `${about}: there are ${found.length} of it in the files; write NAMESPACE/${pod.kind}/${pod.name}`;
    return { mistakes: [form], notes: [] };
  }
  const [manifest = unseen(pod)] = found;
  if (typeof manifest === 'string') return { mistakes: [`${about}: ${manifest}`], notes: [] };
  return patchOf(manifest, mountInto(manifest, given, [{ place: about, text: pod.items }]));
}

function isNamed(manifest: unknown, pod: PodOption): boolean {
  const workload = workloadOf(manifest);
  return workload !== undefined && isTarget(workload, pod);
}

/** Patches the workloads of the files that ask for volumes by their annotation, and that `--pod` does not name. */
function annotated(manifests: readonly unknown[], pods: readonly PodOption[], given: Surroundings): readonly Patched[] {
  const others = manifests.filter((manifest) => !pods.some((pod) => isNamed(manifest, pod)));
  return others.flatMap((manifest) => {
    const mounted = mountInto(manifest, given);
    return mounted.asks ? [patchOf(manifest, mounted)] : [];
  });
}

/**
 * Returns the manifest of a workload that is known by its name only, or the reason why there can be no patch. Its
 * containers are those that the items name.
 */
function unseen({ kind: written, name, namespace, items: text }: PodOption): object | string {
  const kind = Object.keys(BUILT_IN).find((one) => isKind(written, one));
  if (kind === undefined) return unmergeable(written);
  const { items, mistakes } = parseItems(text);
  const unnamed = items.find(({ container }) => container === undefined);
  if (mistakes.length === 0 && unnamed !== undefined)
    return `item ${quote(unnamed.text)} names no container, and the manifest of the workload is not among the files; write CONTAINER=${unnamed.text}`;
  const names = [...new Set(items.flatMap(({ container }) => container ?? []))];
  const spec = { containers: names.map((container) => ({ name: container })) };
  const metadata = { name, ...(namespace === '' ? {} : { namespace }) };
  const path = PATHS[kind] ?? TEMPLATE;
  return applyChanges({ kind, metadata }, [{ op: 'add', path: [...path, 'spec'], value: spec }]) as object;
}

function unmergeable(kind: string): string {
  const rule = `Kustomize merges the lists of ${oneOf(Object.keys(BUILT_IN))} by name, and replaces those of ${quote(kind)}`;
  return `${rule}; use kustomize build DIR | akv-csi render --into`;
}

function patchOf(manifest: unknown, { changes, mistakes, notes }: MountedInto): Patched {
  const workload = workloadOf(manifest);
  if (workload === undefined || mistakes.length > 0) return { mistakes, notes };
  const { kind, name, namespace } = workload;
  const apiVersion = BUILT_IN[kind];
  if (apiVersion === undefined) return { mistakes: [`${kind} ${name}: ${unmergeable(kind)}`], notes };
  const named = { apiVersion, kind, metadata: { name, ...(namespace === '' ? {} : { namespace }) } };
  const patch = changes.reduce<unknown>((made, change) => merged(made, manifest, change), named);
  return { ...(changes.length === 0 ? {} : { patch }), mistakes: [], notes };
}

/**
 * Returns a strategic merge patch with one more change. `original` is what the patch will be merged into: an element of a
 * list is named by its `name` there, and new elements are added.
 */
function merged(patch: unknown, original: unknown, { path, value }: Pick<Change, 'path' | 'value'>): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return Array.isArray(value) && Array.isArray(patch) ? [...patch, ...value] : value;
  if (typeof key === 'string') {
    const map = isJsonObject(patch) ? patch : {};
    return { ...map, [key]: merged(valueAt(map, [key]), valueAt(original, [key]), { path: rest, value }) };
  }
  const list: readonly unknown[] = Array.isArray(patch) ? patch : [];
  if (rest.length === 0) return [...list, value];
  const element = valueAt(original, [key]);
  const name = textAt(element, ['name']);
  const index = list.findIndex((one) => textAt(one, ['name']) === name);
  const next = merged(list[index] ?? { name }, element, { path: rest, value });
  return index === -1 ? [...list, next] : list.with(index, next);
}
