/**
 * Recognises maps that are resources: a Kubernetes object, an item of a typed list, or a resource of an ARM template.
 * Called by find.ts for every map on the path to a `keyVault` field.
 */

import { type MapTree, textOf } from '../spc/yaml/tree.ts';

/**
 * The Kubernetes object, or resource of an ARM template, that a field belongs to. A text is empty if the object does
 * not say.
 */
export interface Resource {
  readonly kind: string;
  readonly name: string;
  readonly namespace: string;
  readonly isArm?: true;
}

/** Parts of a resource that are not searched, because they hold no fields of its specification. */
export const SKIPPED: readonly string[] = ['metadata', 'status'];

/** The resource of a map that is in no resource. */
export const NO_RESOURCE: Resource = { kind: '', name: '', namespace: '' };

/**
 * Returns the resource that begins at a map, or undefined where none does. `path` leads to the map from the outer
 * resource.
 */
export function resourceAt(map: MapTree, outer: Resource, path: readonly (string | number)[]): Resource | undefined {
  return kubernetesResourceAt(map, outer, path) ?? armResourceAt(map, outer);
}

function kubernetesResourceAt(map: MapTree, outer: Resource, path: readonly (string | number)[]): Resource | undefined {
  const kind = textOf(map, 'kind');
  const isItem = outer.kind.endsWith('List') && path.length === 2 && path[0] === 'items';
  const isObject = kind !== '' && (map.entries.has('metadata') || map.entries.has('apiVersion'));
  if (!isObject && !isItem) return undefined;
  return {
    kind: kind || outer.kind.slice(0, -'List'.length),
    name: textOf(map, 'metadata', 'name') || textOf(map, 'metadata', 'generateName'),
    namespace: textOf(map, 'metadata', 'namespace'),
  };
}

/**
 * An ARM resource has the type `Namespace/type/of/child` and the name `parent/child`; inside its parent it has its own
 * part.
 */
function armResourceAt(map: MapTree, outer: Resource): Resource | undefined {
  const type = textOf(map, 'type');
  const name = textOf(map, 'name');
  const isInner = outer.isArm === true && !type.includes('/');
  if (type === '' || name === '' || !map.entries.has('properties')) return undefined;
  if (!isInner && !/^[\w.-]+\/[\w./-]+$/.test(type)) return undefined;
  return {
    kind: type.split('/').at(-1) ?? type,
    name: isInner ? `${outer.name}/${name}` : name,
    namespace: '',
    isArm: true,
  };
}
