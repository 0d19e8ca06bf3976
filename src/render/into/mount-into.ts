/**
 * Gives the pod of a manifest the volumes that it asks for: reads its annotation, resolves the items, finds the changes.
 * Called by the filter `render --into`, and by all others that add volumes to pods. Does no I/O.
 */

import { nearest, quote } from '../../base/words.ts';
import { MOUNT } from './annotations.ts';
import { type Change, changesOf } from './changes.ts';
import { textAt } from './data.ts';
import { parseItems } from './items.ts';
import { resolveItems, type Surroundings } from './resolve.ts';
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
 * Returns the changes that give the pod of a manifest what its annotation `akv-csi/mount` and `wishes` ask for. Mistakes
 * are complete: all items are read. The result for the changed manifest has no changes.
 */
export function mountInto(manifest: unknown, given: Surroundings, wishes: readonly Wish[] = []): MountedInto {
  const workload = workloadOf(manifest);
  if (workload === undefined) return withoutPod(manifest, wishes);
  const name = nameOf(manifest);
  const annotation = workload.annotations[MOUNT];
  const all = [...(annotation === undefined ? [] : [{ place: ANNOTATION, text: annotation }]), ...wishes];
  const misplaced = workload.path.length === 0 ? [] : misplacedIn(manifest, workload);
  const parsed = all.map(({ place, text }) => ({ place, ...parseItems(text) }));
  const read = parsed.map(({ place, items, mistakes }) => {
    const resolved = resolveItems(items, workload, given);
    const about = (words: string) => `${name}: ${place}: ${words}`;
    return {
      mounts: resolved.mounts,
      mistakes: [...mistakes, ...resolved.mistakes].map(about),
      notes: resolved.notes.map(about),
    };
  });
  const asks = all.length > 0;
  const found = changesOf(
    read.flatMap(({ mounts }) => mounts),
    workload,
  );
  const mistakes = [
    ...misplaced,
    ...read.flatMap((one) => one.mistakes),
    ...found.mistakes.map((words) => `${name}: ${words}`),
  ];
  const own = [...(asks ? found.notes : []), ...Object.keys(workload.annotations).flatMap(misspeltNote)];
  const notes = [...read.flatMap((one) => one.notes), ...own.map((words) => `${name}: ${words}`)];
  return { asks, changes: asks && mistakes.length === 0 ? found.changes : [], mistakes, notes };
}

const ANNOTATION = `annotation ${MOUNT}`;

/** Returns the mistakes about a manifest that asks and has no pod. */
function withoutPod(manifest: unknown, wishes: readonly Wish[]): MountedInto {
  const places = [
    ...(annotationsAt(manifest, [])[MOUNT] === undefined ? [] : [ANNOTATION]),
    ...wishes.map(({ place }) => place),
  ];
  const mistakes = places.map(
    (place) => `${nameOf(manifest)}: ${place}: there is no pod in it (no list spec.template.spec.containers)`,
  );
  return { asks: places.length > 0, changes: [], mistakes, notes: [] };
}

/** An annotation of a Deployment is not one of its pods. */
function misplacedIn(manifest: unknown, { path }: Workload): readonly string[] {
  if (annotationsAt(manifest, [])[MOUNT] === undefined) return [];
  const right = [...path, 'metadata', 'annotations'].join('.');
  return [`${nameOf(manifest)}: metadata.annotations has ${MOUNT}, which belongs to the pod; move it to ${right}`];
}

function misspeltNote(annotation: string): readonly string[] {
  if (annotation === MOUNT || !annotation.includes('/') || nearest(annotation, [MOUNT]) === undefined) return [];
  return [`annotation ${quote(annotation)} has no effect; did you mean ${quote(MOUNT)}?`];
}

/** Returns kind and name of a manifest, and its namespace if it names one, such as `Deployment front in prod`. */
function nameOf(manifest: unknown): string {
  const name = textAt(manifest, ['metadata', 'name']) || textAt(manifest, ['metadata', 'generateName']);
  const namespace = textAt(manifest, ['metadata', 'namespace']);
  return `${textAt(manifest, ['kind'])} ${name}${namespace === '' ? '' : ` in ${namespace}`}`;
}
