/**
 * Decides what becomes of the SecretProviderClasses of a stream: those of its resources are added, those that `render`
 * made before are brought up to date in their place. Called by the filter `render --into`. Refuses to change classes
 * that others made.
 */

import { quote } from '../../base/words.ts';
import { partsOfFrom } from '../from.ts';
import { classOf, type RenderedVolume } from '../volume.ts';
import { FROM } from './annotations.ts';
import type { Change } from './changes.ts';
import { classOfManifest, classOfVolume, type KnownClass } from './classes.ts';
import { isSame, textAt, valueAt } from './data.ts';
import type { InputDocument, InputManifest } from './manifests.ts';

/** A class of a resource in the stream. */
export interface PlacedVolume {
  readonly rendered: RenderedVolume;
  /** The manifest of the resource. */
  readonly owner: InputManifest;
}

/** A message about a manifest. */
export interface About {
  readonly manifest: InputManifest;
  readonly message: string;
}

/** The classes of a stream. */
export interface ClassPlan {
  /** Classes that are not in the stream yet. */
  readonly added: readonly PlacedVolume[];
  /** Changes of classes that are in the stream, with paths from their documents. */
  readonly changes: readonly { readonly document: InputDocument; readonly changes: readonly Change[] }[];
  /** All classes that pods can ask for. */
  readonly known: readonly KnownClass[];
  readonly mistakes: readonly About[];
  readonly notes: readonly About[];
}

interface Existing {
  readonly manifest: InputManifest;
  readonly known: KnownClass;
}

/**
 * Compares the classes of the resources with those in the stream.
 * Throws: LanguagesNeeded.
 */
export function planClasses(placed: readonly PlacedVolume[], manifests: readonly InputManifest[]): ClassPlan {
  const existing = manifests.flatMap((manifest): Existing[] => {
    const known = classOfManifest(manifest.data);
    return known === undefined ? [] : [{ manifest, known }];
  });
  const added: PlacedVolume[] = [];
  const mistakes: About[] = [...contradictions(placed)];
  const changes: { document: InputDocument; changes: readonly Change[] }[] = [];
  const byPlace = new Map<string, Existing[]>();
  for (const one of existing) byPlace.set(placeOf(one.known), [...(byPlace.get(placeOf(one.known)) ?? []), one]);
  const taken = new Set<Existing>();
  const wanted = unique(placed);
  for (const one of wanted) {
    const { name } = one.rendered;
    const same = byPlace.get(placeOf(one.rendered)) ?? [];
    if (same.length === 0) added.push(one);
    // The last of several is the one that the cluster keeps, so all of them are brought up to date.
    for (const { manifest, known } of same) {
      const needed = changesOf(manifest, one.rendered);
      const isOurs = known.from !== undefined || needed.every(({ path }) => path.at(-1) !== 'spec');
      if (isOurs) changes.push({ document: manifest.document, changes: needed });
      else
        mistakes.push({
          manifest,
          message: `SecretProviderClass ${quote(name)} would replace this one, which render did not make (it has no annotation ${FROM}); rename it or take it out`,
        });
    }
    for (const each of same) taken.add(each);
  }
  const others = existing.filter((one) => !taken.has(one));
  const resources = new Set(placed.map(({ rendered }) => resourceOf(rendered)));
  const left = new Set(others.filter(({ known }) => known.from !== undefined && resources.has(resourceOf(known))));
  return {
    added,
    changes,
    mistakes,
    known: [
      ...wanted.map(({ rendered }) => classOfVolume(rendered)),
      ...others.filter((one) => !left.has(one)).map(({ known }) => known),
    ],
    notes: [...left].map(({ manifest, known }) => ({
      manifest,
      message: `SecretProviderClass ${quote(known.name)} stays, but pods no longer get it: its resource is in the stream without the field ${known.from ?? ''}; take it out`,
    })),
  };
}

/** Leaves out repetitions: the same resource may be in the stream twice. */
function unique(placed: readonly PlacedVolume[]): readonly PlacedVolume[] {
  const seen = new Map<string, PlacedVolume>();
  for (const one of placed) {
    const { from, namespace, name, parameters } = one.rendered;
    const key = from === '' ? `${namespace}/${name}` : JSON.stringify([namespace, from, parameters]);
    if (!seen.has(key)) seen.set(key, one);
  }
  return [...seen.values()];
}

/** Returns a mistake for each resource that is in the stream again with another field at the same place. */
function contradictions(placed: readonly PlacedVolume[]): readonly About[] {
  const seen = new Map<string, PlacedVolume>();
  return placed.flatMap((one) => {
    const { from, namespace, parameters } = one.rendered;
    const key = JSON.stringify([namespace, from]);
    const first = seen.get(key) ?? one;
    seen.set(key, first);
    if (from === '' || isSame(first.rendered.parameters, parameters)) return [];
    const place = `${first.owner.source.name}:${first.owner.line}`;
    return [
      {
        manifest: one.owner,
        message: `${one.rendered.origin} differs from the same resource at ${place}; take one of them out`,
      },
    ];
  });
}

/** Returns name and namespace of a class as one text. */
function placeOf({ name, namespace }: { readonly name: string; readonly namespace: string }): string {
  return JSON.stringify([namespace, name]);
}

/** Returns kind, name and namespace of the resource of a class as one text. */
function resourceOf({ from, namespace }: { readonly from?: string; readonly namespace: string }): string {
  const { kind, name } = partsOfFrom(from);
  return JSON.stringify([namespace, kind, name]);
}

/** Returns the changes that bring a class of the stream up to date. Its other labels and annotations stay. */
function changesOf({ data, path }: InputManifest, rendered: RenderedVolume): readonly Change[] {
  const { spec } = classOf(rendered);
  const { from } = rendered;
  const metadata = [...path, 'metadata'];
  const hasAnnotations = valueAt(data, ['metadata', 'annotations']) !== undefined;
  const annotation: Change = hasAnnotations
    ? { op: 'add', path: [...metadata, 'annotations', FROM], value: from }
    : { op: 'add', path: [...metadata, 'annotations'], value: { [FROM]: from } };
  return [
    ...(from === '' || textAt(data, ['metadata', 'annotations', FROM]) === from ? [] : [annotation]),
    ...(isSame(valueAt(data, ['spec']), spec)
      ? []
      : [{ op: 'replace', path: [...path, 'spec'], value: spec } as const]),
  ];
}
