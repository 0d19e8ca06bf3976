/**
 * Gives the pod of a manifest the volumes that it asks for: reads its annotation, resolves the items, finds the changes.
 * Called by the filter `render --into`, and by all others that add volumes to pods. Does no I/O.
 */

import { nearest, quote } from '../../base/words.ts';
import { MOUNT, WATCH, WATCH_IMAGE } from './annotations.ts';
import { applyChanges, type Change, changesOf } from './changes.ts';
import { textAt } from './data.ts';
import { parseItems } from './items.ts';
import { resolveItems, type Surroundings } from './resolve.ts';
import { watchInto } from './watch-container.ts';
import { annotationsAt, type Workload, workloadOf } from './workload.ts';

/** Items that are not in an annotation, and where they are written, such as `--pod deploy/front`. */
export interface Wish {
  readonly place: string;
  readonly text: string;
}

/** What a manifest asks for, and how it gets it. */
export interface MountedInto {
  /** True if the annotation or a wish asks for volumes. Otherwise there are no changes. */
  readonly asks: boolean;
  /** Paths are from the root of the manifest. Empty if there is a mistake, or nothing to change. */
  readonly changes: readonly Change[];
  /** Each names the workload, and the annotation or the wish. */
  readonly mistakes: readonly string[];
  readonly notes: readonly string[];
}

/**
 * Returns the changes that give the pod of a manifest what its annotations `akv-csi/mount` and `akv-csi/watch`, and
 * `wishes`, ask for. Mistakes are complete: all items are read. The result for the changed manifest has no changes.
 */
export function mountInto(manifest: unknown, given: Surroundings, wishes: readonly Wish[] = []): MountedInto {
  const workload = workloadOf(manifest);
  if (workload === undefined) return withoutPod(manifest, wishes);
  const name = nameOf(manifest);
  const named = (words: readonly string[]) => words.map((one) => `${name}: ${one}`);
  const mounted = mountVolumes(workload, given, wishes);
  // The container that watches needs the volumes that were added.
  const changed = workloadOf(applyChanges(manifest, mounted.changes)) ?? workload;
  const watched = watchInto(changed, given);
  const misplaced = workload.path.length === 0 ? [] : misplacedIn(manifest, workload);
  const mistakes = [...misplaced, ...named([...mounted.mistakes, ...watched.mistakes])];
  const misspelt = Object.keys(workload.annotations).flatMap(misspeltNote);
  return {
    asks: mounted.asks || watched.asks,
    changes: mistakes.length === 0 ? [...mounted.changes, ...watched.changes] : [],
    mistakes,
    notes: named([...mounted.notes, ...watched.notes, ...misspelt]),
  };
}

function mountVolumes(workload: Workload, given: Surroundings, wishes: readonly Wish[]): MountedInto {
  const annotation = workload.annotations[MOUNT];
  const all = [...(annotation === undefined ? [] : [{ place: `annotation ${MOUNT}`, text: annotation }]), ...wishes];
  if (all.length === 0) return { asks: false, changes: [], mistakes: [], notes: [] };
  const read = all.map(({ place, text }) => {
    const parsed = parseItems(text);
    const resolved = resolveItems(parsed.items, workload, given);
    const about = (words: string) => `${place}: ${words}`;
    return {
      mounts: resolved.mounts,
      mistakes: [...parsed.mistakes, ...resolved.mistakes].map(about),
      notes: resolved.notes.map(about),
    };
  });
  const found = changesOf(
    read.flatMap(({ mounts }) => mounts),
    workload,
  );
  const mistakes = [...read.flatMap((one) => one.mistakes), ...found.mistakes];
  const notes = [...read.flatMap((one) => one.notes), ...found.notes];
  return { asks: true, changes: mistakes.length === 0 ? found.changes : [], mistakes, notes };
}

/** The annotations of pods, which have no effect elsewhere. */
const OF_PODS = [MOUNT, WATCH, WATCH_IMAGE];

/** Returns the mistakes about a manifest that asks and has no pod. */
function withoutPod(manifest: unknown, wishes: readonly Wish[]): MountedInto {
  const annotations = annotationsAt(manifest, []);
  const places = [
    ...[MOUNT, WATCH].filter((name) => annotations[name] !== undefined).map((name) => `annotation ${name}`),
    ...wishes.map(({ place }) => place),
  ];
  const mistakes = places.map(
    (place) => `${nameOf(manifest)}: ${place}: there is no pod in it (no list spec.template.spec.containers)`,
  );
  return { asks: places.length > 0, changes: [], mistakes, notes: [] };
}

/** An annotation of a Deployment is not one of its pods. */
function misplacedIn(manifest: unknown, { path }: Workload): readonly string[] {
  const annotations = annotationsAt(manifest, []);
  const right = [...path, 'metadata', 'annotations'].join('.');
  return OF_PODS.filter((name) => annotations[name] !== undefined).map(
    (name) => `${nameOf(manifest)}: metadata.annotations has ${name}, which belongs to the pod; move it to ${right}`,
  );
}

function misspeltNote(annotation: string): readonly string[] {
  const right = nearest(annotation, OF_PODS);
  if (right === undefined || OF_PODS.includes(annotation) || !annotation.includes('/')) return [];
  return [`annotation ${quote(annotation)} has no effect; did you mean ${quote(right)}?`];
}

/** Returns kind and name of a manifest, and its namespace if it names one, such as `Deployment front in prod`. */
function nameOf(manifest: unknown): string {
  const name = textAt(manifest, ['metadata', 'name']) || textAt(manifest, ['metadata', 'generateName']);
  const namespace = textAt(manifest, ['metadata', 'namespace']);
  return `${textAt(manifest, ['kind'])} ${name}${namespace === '' ? '' : ` in ${namespace}`}`;
}
