/**
 * The filter `render --into`: passes a stream of manifests through, adds the SecretProviderClasses of its resources, and
 * gives the pods that ask their volumes. Called by the command. Documents that need no change stay byte for byte.
 */

import { DEFAULT_MOUNT_PATH } from '../mount-path.ts';
import { printClass } from '../print.ts';
import type { Remark } from '../remark.ts';
import { type RenderOptions, renderFound } from '../render.ts';
import { classOf } from '../volume.ts';
import type { Change } from './changes.ts';
import { type PlacedVolume, planClasses } from './class-plan.ts';
import type { KnownClass } from './classes.ts';
import { joinDocuments } from './join.ts';
import { resourceListsOf, resultsOf, withPathOf } from './krm.ts';
import type { InputDocument, InputManifest, InputSource } from './manifests.ts';
import { mountInto } from './mount-into.ts';
import { type PodOption, targetsOf } from './pod-option.ts';
import { rewrite } from './rewrite.ts';

/** Options of {@link filterInputs}. */
export interface IntoOptions extends RenderOptions {
  /** Pods that ask without an annotation. */
  readonly pods?: readonly PodOption[];
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
  const manifests = inputs.flatMap((input) => input.manifests);
  const owners = inputs.flatMap((input) => input.owners);
  const rendering = renderFound(inputs, options);
  const placed = rendering.volumes.flatMap((rendered, index): PlacedVolume[] => {
    const owner = owners[index];
    return owner === undefined ? [] : [{ rendered, owner }];
  });
  const plan = planClasses(placed, manifests);
  const pods = mountAll(manifests, plan.known, options);
  const remarks: readonly Remark[] = [
    ...rendering.remarks,
    ...plan.mistakes.map(({ manifest, message }) => remarkAt(manifest, 'error', message)),
    ...plan.notes.map(({ manifest, message }) => remarkAt(manifest, 'note', message)),
    ...pods.remarks,
  ];
  const mistakes = [...rendering.mistakes, ...pods.mistakes];
  if (mistakes.length > 0 || hasError(remarks)) return failed(inputs, { remarks, mistakes });
  const changes = new Map<InputDocument, readonly Change[]>();
  const add = (document: InputDocument, more: readonly Change[]) =>
    changes.set(document, [...(changes.get(document) ?? []), ...more]);
  for (const one of [...plan.changes, ...pods.changes]) add(one.document, one.changes);
  const beside = new Map<InputDocument, readonly string[]>();
  const lengths = new Map<InputDocument, number>();
  for (const { rendered, owner } of plan.added) {
    const { document } = owner;
    const index = lengths.get(document) ?? document.length;
    lengths.set(document, index + 1);
    if (document.list === undefined) beside.set(document, [...(beside.get(document) ?? []), printClass(rendered)]);
    else add(document, [{ op: 'add', path: ['items', index], value: withPathOf(classOf(rendered), owner.data) }]);
  }
  for (const document of resourceListsOf(inputs)) add(document, resultsOf(document, remarks, mistakes));
  return written(inputs, { changes, beside, remarks });
}

function hasError(remarks: readonly Remark[]): boolean {
  return remarks.some(({ severity }) => severity === 'error');
}

function remarkAt({ source, line }: InputManifest, severity: Remark['severity'], message: string): Remark {
  return { severity, source: source.name, line, message };
}

/** Finds the changes of all pods that ask. */
function mountAll(manifests: readonly InputManifest[], classes: readonly KnownClass[], options: IntoOptions) {
  const { pods = [], mountPath = DEFAULT_MOUNT_PATH } = options;
  const { targets, mistakes } = targetsOf(pods, manifests);
  const remarks: Remark[] = [];
  const changes: { readonly document: InputDocument; readonly changes: readonly Change[] }[] = [];
  for (const manifest of manifests) {
    const wishes = (targets.get(manifest) ?? []).map(({ target, items }) => ({
      place: `--pod ${target}`,
      text: items,
    }));
    const result = mountInto(manifest.data, { classes, mountPath, place: 'in the stream' }, wishes);
    remarks.push(
      ...result.mistakes.map((message) => remarkAt(manifest, 'error', message)),
      ...result.notes.map((message) => remarkAt(manifest, 'note', message)),
    );
    const own = result.changes.map((change) => ({ ...change, path: [...manifest.path, ...change.path] }));
    if (own.length > 0) changes.push({ document: manifest.document, changes: own });
  }
  return { changes, remarks, mistakes };
}

interface Output {
  readonly changes: ReadonlyMap<InputDocument, readonly Change[]>;
  /** The classes that follow each document. */
  readonly beside: ReadonlyMap<InputDocument, readonly string[]>;
  readonly remarks: readonly Remark[];
}

/** Returns the output. A document that cannot be changed is an error. */
function written(inputs: readonly InputSource[], { changes, beside, remarks }: Output): Filtered {
  const problems: Remark[] = [];
  const texts = inputs.map(({ source, documents, manifests }) =>
    documents.flatMap((document) => {
      const wanted = changes.get(document) ?? [];
      const text = wanted.length === 0 ? document.text : rewrite(document.text, wanted);
      if (text === undefined) {
        const line = manifests.find((manifest) => manifest.document === document)?.line ?? 1;
        const message = 'the document cannot be changed; write it in block style, without anchors and merges';
        problems.push({ severity: 'error', source: source.name, line, message });
      }
      return [{ text: text ?? '', added: beside.get(document) ?? [] }];
    }),
  );
  if (problems.length > 0) return failed(inputs, { remarks: [...remarks, ...problems], mistakes: [] });
  return { text: joinDocuments(texts), remarks, mistakes: [] };
}

function failed(inputs: readonly InputSource[], result: Pick<Filtered, 'remarks' | 'mistakes'>): Filtered {
  const [list] = resourceListsOf(inputs);
  const text = list === undefined ? undefined : rewrite(list.text, resultsOf(list, result.remarks, result.mistakes));
  return { ...result, text };
}
