/**
 * Finds the changes by which a pod gets its volumes and mounts. Called by mount-into.ts. Refuses to replace volumes and
 * mounts of others. A pod that has them already needs no change.
 */

import { isJsonObject } from '../../base/json.ts';
import { quote } from '../../base/words.ts';
import { type CsiVolume, DRIVER } from '../volume.ts';
import { WATCHER } from './annotations.ts';
import { type Data, isSame, listAt, type Path, textAt, valueAt } from './data.ts';
import type { PodMount } from './resolve.ts';
import type { Workload } from './workload.ts';

/**
 * One change of a manifest, in the order in which they are to be made. `add` at the end of a list appends to it; `add`
 * of a name sets it. The paths are those of a JSON patch (RFC 6902) as lists.
 */
export interface Change {
  readonly op: 'add' | 'replace';
  readonly path: Path;
  readonly value: unknown;
}

/** The changes of one pod, the mistakes, and what stays although nothing asks for it. */
export interface PodChanges {
  readonly changes: readonly Change[];
  readonly mistakes: readonly string[];
  readonly notes: readonly string[];
}

/** Returns the changes of a manifest that give its pod the mounts. */
export function changesOf(mounts: readonly PodMount[], workload: Workload): PodChanges {
  const volumes = new Map(mounts.map(({ volume }) => [volume.name, volume]));
  const parts = [
    listChanges([...workload.path, 'spec', 'volumes'], listAt(workload.spec, ['volumes']), {
      wanted: [...volumes.values()],
      match: matchVolume,
    }),
    ...(['containers', 'initContainers'] as const).flatMap((list) =>
      workload[list].map((container, index) =>
        mountChanges(
          mounts.filter((mount) => mount.container === container),
          workload,
          { list, index, container },
        ),
      ),
    ),
  ];
  return {
    changes: parts.flatMap(({ changes }) => changes),
    mistakes: [...notLists(workload), ...parts.flatMap(({ mistakes }) => mistakes)],
    notes: leftOvers(mounts, workload),
  };
}

/** Returns a mistake for each list of volumes or mounts that is something else. */
function notLists({ path, spec, containers, initContainers }: Workload): readonly string[] {
  const places: readonly Path[] = [
    ['volumes'],
    ...containers.map((_, index): Path => ['containers', index, 'volumeMounts']),
    ...initContainers.map((_, index): Path => ['initContainers', index, 'volumeMounts']),
  ];
  return places.flatMap((place) => {
    const value = valueAt(spec, place);
    if (value === undefined || value === null || Array.isArray(value)) return [];
    return [`${[...path, 'spec', ...place].join('.')} is not a list`];
  });
}

/** How an element of a list relates to a wanted one: the same that is ours, another that is in its way, or neither. */
type Match = { readonly is: 'ours' } | { readonly is: 'foreign'; readonly problem: string } | { readonly is: 'other' };

interface Wanted<T> {
  readonly wanted: readonly T[];
  readonly match: (existing: unknown, wanted: T) => Match;
}

function listChanges<T>(path: Path, existing: readonly unknown[], { wanted, match }: Wanted<T>) {
  const changes: Change[] = [];
  const mistakes: string[] = [];
  const added: T[] = [];
  for (const value of wanted) {
    const matches = existing.map((element) => match(element, value));
    mistakes.push(...matches.flatMap((one) => (one.is === 'foreign' ? [one.problem] : [])));
    const index = matches.findIndex(({ is }) => is === 'ours');
    if (index === -1) added.push(value);
    else {
      const kept = over(existing[index], value);
      if (!isSame(existing[index], kept)) changes.push({ op: 'replace', path: [...path, index], value: kept });
    }
  }
  if (existing.length === 0 && added.length > 0) changes.push({ op: 'add', path, value: added });
  else
    for (const [count, value] of added.entries())
      changes.push({ op: 'add', path: [...path, existing.length + count], value });
  return { changes, mistakes };
}

/**
 * Returns a map with all fields of another one set in it. The other fields stay: whoever wrote the volume may have named
 * its Secret, which the class does not tell.
 */
function over(existing: unknown, wanted: unknown): unknown {
  if (!isJsonObject(existing) || !isJsonObject(wanted)) return wanted;
  const set = Object.entries(wanted).map(([name, value]) => [name, over(valueAt(existing, [name]), value)]);
  return { ...existing, ...Object.fromEntries(set) };
}

function matchVolume(existing: unknown, wanted: CsiVolume): Match {
  if (textAt(existing, ['name']) !== wanted.name) return { is: 'other' };
  if (isVolumeOf(existing, wanted.csi.volumeAttributes.secretProviderClass)) return { is: 'ours' };
  const problem = `the pod has another volume with the name ${quote(wanted.name)}; rename that volume`;
  return { is: 'foreign', problem };
}

/** True for a volume of the driver that names a class. */
function isVolumeOf(volume: unknown, className: string): boolean {
  const isOurs = textAt(volume, ['csi', 'driver']) === DRIVER;
  return isOurs && textAt(volume, ['csi', 'volumeAttributes', 'secretProviderClass']) === className;
}

interface ContainerPlace {
  readonly list: 'containers' | 'initContainers';
  readonly index: number;
  readonly container: string;
}

function mountChanges(mounts: readonly PodMount[], workload: Workload, { list, index, container }: ContainerPlace) {
  const byPath = new Map<string, PodMount>();
  const mistakes: string[] = [];
  for (const mount of mounts) {
    const { mountPath, name } = mount.volumeMount;
    const other = byPath.get(mountPath)?.volumeMount.name ?? name;
    if (other !== name)
      mistakes.push(`${quote(mountPath)} in container ${container} would hold both ${other} and ${name}`);
    byPath.set(mountPath, mount);
  }
  const result = listChanges(
    [...workload.path, 'spec', list, index, 'volumeMounts'],
    listAt(workload.spec, [list, index, 'volumeMounts']),
    {
      wanted: [...byPath.values()].map(({ volumeMount }) => volumeMount),
      match: (existing, { mountPath, name }): Match => {
        if (withoutEndSlashes(textAt(existing, ['mountPath'])) !== mountPath) return { is: 'other' };
        const isPart = ['subPath', 'subPathExpr'].some((field) => textAt(existing, [field]) !== '');
        if (textAt(existing, ['name']) === name && !isPart) return { is: 'ours' };
        const problem = `container ${container} has another volume at ${quote(mountPath)} (${quote(textAt(existing, ['name']))}); give the item another path: …:/PATH`;
        return { is: 'foreign', problem };
      },
    },
  );
  return { changes: result.changes, mistakes: [...mistakes, ...result.mistakes] };
}

function withoutEndSlashes(path: string): string {
  return path.replace(/(.)\/+$/, '$1');
}

/**
 * Returns notes about volumes and mounts in the form of ours that no item asks for: those of an item that was removed
 * or changed. They may have been written by hand, so they stay.
 */
function leftOvers(mounts: readonly PodMount[], workload: Workload): readonly string[] {
  const wanted = new Set(mounts.map(({ volume }) => volume.name));
  const places = new Set(
    mounts.map(({ container, volumeMount }) => `${container} ${volumeMount.name} ${volumeMount.mountPath}`),
  );
  const stays = 'stays, although no item asks for it; remove it from the manifest if nothing uses it';
  const volumes = listAt(workload.spec, ['volumes']).flatMap((volume) => {
    const name = textAt(volume, ['name']);
    return !wanted.has(name) && isVolumeOf(volume, name) ? [`volume ${quote(name)} ${stays}`] : [];
  });
  const lists = (['containers', 'initContainers'] as const).flatMap((list) =>
    workload[list].flatMap((container, index) =>
      // It mounts what other containers mount.
      container === WATCHER ? [] : [{ container, held: listAt(workload.spec, [list, index, 'volumeMounts']) }],
    ),
  );
  const leftMounts = lists.flatMap(({ container, held }) =>
    held.flatMap((mount) => {
      const [name, path] = [textAt(mount, ['name']), textAt(mount, ['mountPath'])];
      if (!wanted.has(name) || places.has(`${container} ${name} ${withoutEndSlashes(path)}`)) return [];
      return [`the mount of ${quote(name)} at ${quote(path)} in container ${container} ${stays}`];
    }),
  );
  return [...volumes, ...leftMounts];
}

/** Returns a copy of a manifest with the changes made. */
export function applyChanges(manifest: unknown, changes: readonly Change[]): unknown {
  return changes.reduce((changed, { path, value }) => setAt(changed, path, value), manifest);
}

function setAt(inner: unknown, path: Path, value: unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return value;
  if (typeof key === 'number') {
    const list: unknown[] = Array.isArray(inner) ? [...inner] : [];
    list[key] = setAt(list[key], rest, value);
    return list;
  }
  const map: Data = isJsonObject(inner) ? inner : {};
  return { ...map, [key]: setAt(valueAt(map, [key]), rest, value) };
}

/** Returns the changes as a JSON patch (RFC 6902). */
export function jsonPatchOf(
  changes: readonly Change[],
): readonly { readonly op: string; readonly path: string; readonly value: unknown }[] {
  const escaped = (key: string | number) => String(key).replaceAll('~', '~0').replaceAll('/', '~1');
  return changes.map(({ op, path, value }) => ({ op, path: path.map((key) => `/${escaped(key)}`).join(''), value }));
}
