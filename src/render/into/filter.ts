/**
 * The filter `render --into`: passes a stream of manifests through, adds the SecretProviderClasses of its resources, and
 * gives the pods that ask their volumes. Called by the command. Documents that need no change stay byte for byte.
 */

import { DEFAULT_MOUNT_PATH } from '../mount-path.ts';
import type { Remark } from '../remark.ts';
import { type RenderOptions, renderFound } from '../render.ts';
import type { Change } from './changes.ts';
import { type PlacedVolume, planClasses } from './class-plan.ts';
import { classOfManifest, type KnownClass } from './classes.ts';
import { resourceListsOf, resultsOf } from './krm.ts';
import type { InputDocument, InputManifest, InputSource } from './manifests.ts';
import { mountInto } from './mount-into.ts';
import { Output } from './output.ts';
import { type PodOption, targetsOf } from './pod-option.ts';
import { rewrite } from './rewrite.ts';

/** Options of {@link filterInputs}. */
export interface IntoOptions extends RenderOptions {
  /** Pods that ask without an annotation. */
  readonly pods?: readonly PodOption[];
  /** Resources whose classes are added, and classes that pods can ask for, which are not printed themselves. */
  readonly resources?: readonly InputSource[];
  /** What is done when the volumes of pods change, where they have no annotation for it. */
  readonly watches?: readonly PodOption[];
  readonly watchImage?: string;
}

/** The output, and what there is to say. */
export interface Filtered {
  /** The whole output. Undefined after a mistake, unless the input is a ResourceList, which then tells the mistakes. */
  readonly text: string | undefined;
  readonly remarks: readonly Remark[];
  /** Mistakes in the options. */
  readonly mistakes: readonly string[];
}

/**
 * Filters sources that make one stream.
 * Throws: LanguagesNeeded.
 */
export function filterInputs(inputs: readonly InputSource[], options: IntoOptions): Filtered {
  const { resources = [] } = options;
  const manifests = inputs.flatMap((input) => input.manifests);
  const owners = [...inputs, ...resources].flatMap((input) => input.owners);
  const rendering = renderFound([...inputs, ...resources], options);
  const placed = rendering.volumes.flatMap((rendered, index): PlacedVolume[] => {
    const owner = owners[index];
    return owner === undefined ? [] : [{ rendered, owner }];
  });
  const plan = planClasses(placed, manifests);
  const others = resources.flatMap((input) => input.manifests.flatMap(({ data }) => classOfManifest(data) ?? []));
  const pods = mountAll(manifests, [...plan.known, ...others.filter((one) => !isIn(plan.known, one))], options);
  const remarks: readonly Remark[] = [
    ...rendering.remarks,
    ...plan.mistakes.map(({ manifest, message }) => remarkAt(manifest, 'error', message)),
    ...plan.notes.map(({ manifest, message }) => remarkAt(manifest, 'note', message)),
    ...pods.remarks,
  ];
  const mistakes = [...rendering.mistakes, ...pods.mistakes];
  if (mistakes.length > 0 || hasError(remarks)) return failed(inputs, { remarks, mistakes });
  const output = new Output(inputs);
  for (const { document, changes } of [...plan.changes, ...pods.changes]) output.change(document, changes);
  for (const { rendered, owner } of plan.added) output.addClass(rendered, owner);
  for (const document of resourceListsOf(inputs)) output.change(document, resultsOf(document, remarks, mistakes));
  const { text, problems } = output.write();
  if (problems.length > 0) return failed(inputs, { remarks: [...remarks, ...problems], mistakes });
  return { text, remarks, mistakes };
}

function isIn(classes: readonly KnownClass[], { name, namespace }: KnownClass): boolean {
  return classes.some((one) => one.name === name && one.namespace === namespace);
}

function hasError(remarks: readonly Remark[]): boolean {
  return remarks.some(({ severity }) => severity === 'error');
}

function remarkAt({ source, line }: InputManifest, severity: Remark['severity'], message: string): Remark {
  return { severity, source: source.name, line, message };
}

/** Finds the changes of all pods that ask. */
function mountAll(manifests: readonly InputManifest[], classes: readonly KnownClass[], options: IntoOptions) {
  const { pods = [], watches = [], watchImage, mountPath = DEFAULT_MOUNT_PATH } = options;
  const mounted = targetsOf('--pod', pods, manifests);
  const watched = targetsOf('--watch', watches, manifests);
  const image = watchImage === undefined ? {} : { watchImage };
  const remarks: Remark[] = [];
  const changes: { readonly document: InputDocument; readonly changes: readonly Change[] }[] = [];
  for (const manifest of manifests) {
    const wishesOf = ({ targets }: typeof mounted, name: string) =>
      (targets.get(manifest) ?? []).map(({ target, items }) => ({ place: `${name} ${target}`, text: items }));
    const given = { classes, mountPath, place: 'in the stream', watches: wishesOf(watched, '--watch'), ...image };
    const result = mountInto(manifest.data, given, wishesOf(mounted, '--pod'));
    remarks.push(
      ...result.mistakes.map((message) => remarkAt(manifest, 'error', message)),
      ...result.notes.map((message) => remarkAt(manifest, 'note', message)),
    );
    const own = result.changes.map((change) => ({ ...change, path: [...manifest.path, ...change.path] }));
    if (own.length > 0) changes.push({ document: manifest.document, changes: own });
  }
  return { changes, remarks, mistakes: [...mounted.mistakes, ...watched.mistakes] };
}

function failed(inputs: readonly InputSource[], result: Pick<Filtered, 'remarks' | 'mistakes'>): Filtered {
  const [list] = resourceListsOf(inputs);
  const text = list === undefined ? undefined : rewrite(list.text, resultsOf(list, result.remarks, result.mistakes));
  return { ...result, text };
}
