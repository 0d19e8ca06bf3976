/**
 * Names volumes in log and metrics. Drivers up to v1.5 send the SecretProviderClass only with the first Mount of a
 * volume, so it is remembered by target path. The report of every Mount calls it.
 */

import { Cache } from '../base/cache.ts';

/** Number of volumes that are remembered; a node has fewer. */
const MAX_VOLUMES = 1000;
/** The path at which the kubelet mounts the volumes of pods; the group is the name of the volume. */
const TARGET_PATH = /[\\/]volumes[\\/]kubernetes\.io~csi[\\/]([^\\/]{1,253})[\\/]mount[\\/]?$/;

/** Remembers the SecretProviderClass of each volume. */
export class VolumeNames {
  readonly #classes = new Cache<string>({ entries: MAX_VOLUMES });

  /**
   * Returns the SecretProviderClass of the volume at `targetPath`: the given one, or the one given before, or the name
   * of the volume in the pod, or an empty text if none is known.
   */
  nameOf(targetPath: string, secretProviderClass: string): string {
    if (secretProviderClass === '') return this.#classes.get(targetPath) ?? TARGET_PATH.exec(targetPath)?.[1] ?? '';
    if (targetPath !== '') this.#classes.set(targetPath, secretProviderClass);
    return secretProviderClass;
  }
}
