/**
 * Reads fields of objects of Kubernetes, which are JSON of any form. All files of this room use it. A field of another
 * form counts as absent.
 */

import { isJsonObject } from '../base/json.ts';
import { valueAt } from '../render/into/data.ts';
import { DRIVER } from '../render/volume.ts';

/** An object of Kubernetes. */
export type KubeObject = Readonly<Record<string, unknown>>;

/** Returns the value at a path; undefined if there is none. */
export function at(value: unknown, ...path: readonly string[]): unknown {
  return valueAt(value, path);
}

/** Returns the text at a path; empty if there is none. */
export function textAt(value: unknown, ...path: readonly string[]): string {
  const found = at(value, ...path);
  return typeof found === 'string' ? found : '';
}

/** Returns the texts of the list at a path; none if there is no list. */
export function textsAt(value: unknown, ...path: readonly string[]): readonly string[] {
  const found = at(value, ...path);
  return Array.isArray(found) ? found.filter((one) => typeof one === 'string') : [];
}

/** Returns the number at a path; undefined if there is none. */
export function numberAt(value: unknown, ...path: readonly string[]): number | undefined {
  const found = at(value, ...path);
  return typeof found === 'number' ? found : undefined;
}

/** Returns the objects of the list at a path; none if there is no list. */
export function objectsAt(value: unknown, ...path: readonly string[]): readonly KubeObject[] {
  const found = at(value, ...path);
  return Array.isArray(found) ? found.filter(isJsonObject) : [];
}

/** Name and namespace of an object. */
export function nameOf(object: KubeObject): { readonly namespace: string; readonly name: string } {
  return { namespace: textAt(object, 'metadata', 'namespace'), name: textAt(object, 'metadata', 'name') };
}

/**
 * True for a SecretProviderClass of this provider: by its name, or by its parameters, as for a provider under a name of
 * its own.
 */
export function isOurs(object: KubeObject, providerNames: readonly string[]): boolean {
  if (providerNames.includes(textAt(object, 'spec', 'provider'))) return true;
  return ['keyvaultName', 'keyVault'].some((name) => textAt(object, 'spec', 'parameters', name) !== '');
}

/** A volume of a pod that the driver mounts. */
export interface ClassVolume {
  readonly volume: string;
  /** Name of the SecretProviderClass; empty if the volume names none. */
  readonly className: string;
  /** Name of the Secret in `nodePublishSecretRef`; empty if there is none. */
  readonly secretName: string;
}

/** Returns the volumes of a pod that the driver mounts. */
export function classVolumesOf(pod: KubeObject): readonly ClassVolume[] {
  return objectsAt(pod, 'spec', 'volumes')
    .filter((volume) => textAt(volume, 'csi', 'driver') === DRIVER)
    .map((volume) => ({
      volume: textAt(volume, 'name'),
      className: textAt(volume, 'csi', 'volumeAttributes', 'secretProviderClass'),
      secretName: textAt(volume, 'csi', 'nodePublishSecretRef', 'name'),
    }));
}

/** Returns a time of Kubernetes in milliseconds since 1970; undefined if the text is none. */
export function timeOf(text: string): number | undefined {
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? undefined : ms;
}

const UNITS: readonly (readonly [number, string])[] = [
  [86_400, 'd'],
  [3_600, 'h'],
  [60, 'm'],
];

/** Returns a time span as kubectl prints it, in its largest unit, such as `5m`, `3h` or `12d`. */
export function spanOf(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const [size, unit] = UNITS.find(([length]) => seconds >= 2 * length) ?? [1, 's'];
  return `${Math.floor(seconds / size)}${unit}`;
}
