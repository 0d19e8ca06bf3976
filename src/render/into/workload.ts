/**
 * Finds the pod in a manifest: a Pod, or a workload with a pod template, of a known kind or by its shape. Called for
 * each manifest that may ask for volumes.
 */

import { isJsonObject } from '../../base/json.ts';
import { listAt, type Path, textAt, valueAt } from './data.ts';

/** The pod of a manifest. */
export interface Workload {
  readonly kind: string;
  readonly name: string;
  /** Empty if the manifest names none. */
  readonly namespace: string;
  /** Leads from the manifest to the map that holds `metadata` and `spec` of the pod; empty for a Pod. */
  readonly path: Path;
  /** The annotations of the pod. */
  readonly annotations: Readonly<Record<string, string>>;
  /** The spec of the pod. */
  readonly spec: unknown;
  /** Names, in the order of the spec; an empty name is one that is missing. */
  readonly containers: readonly string[];
  readonly initContainers: readonly string[];
}

/** Where a pod can be: in a Deployment and its like, in a CronJob, in a PodTemplate, and at the root of a Pod. */
const PLACES: readonly Path[] = [['spec', 'template'], ['spec', 'jobTemplate', 'spec', 'template'], ['template']];

/** Returns the pod of a manifest; undefined for a manifest without one. Lists are no manifests: pass their items. */
export function workloadOf(manifest: unknown): Workload | undefined {
  if (!isJsonObject(manifest)) return undefined;
  const kind = textAt(manifest, ['kind']);
  const hasPod = (path: Path) => Array.isArray(valueAt(manifest, [...path, 'spec', 'containers']));
  const path = kind === 'Pod' ? [] : PLACES.find(hasPod);
  if (path === undefined || !hasPod(path)) return undefined;
  const spec = valueAt(manifest, [...path, 'spec']);
  return {
    kind,
    name: textAt(manifest, ['metadata', 'name']) || textAt(manifest, ['metadata', 'generateName']),
    namespace: textAt(manifest, ['metadata', 'namespace']),
    path,
    annotations: annotationsAt(manifest, path),
    spec,
    containers: namesOf(listAt(spec, ['containers'])),
    initContainers: namesOf(listAt(spec, ['initContainers'])),
  };
}

/**
 * Returns the annotations of a manifest, or of the pod at a path in it. A value that is no text, which the API server
 * would refuse, is empty.
 */
export function annotationsAt(manifest: unknown, path: Path): Readonly<Record<string, string>> {
  const annotations = valueAt(manifest, [...path, 'metadata', 'annotations']);
  if (!isJsonObject(annotations)) return {};
  return Object.fromEntries(
    Object.entries(annotations).map(([name, value]) => [name, typeof value === 'string' ? value : '']),
  );
}

function namesOf(containers: readonly unknown[]): readonly string[] {
  return containers.map((container) => textAt(container, ['name']));
}
