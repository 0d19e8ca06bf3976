/**
 * What a volume is called in log and metrics. Drivers up to v1.5 name the SecretProviderClass at the first mount of a
 * volume only, so it is remembered by target path. Every Mount asks here; nothing is refused.
 */
import { Cache } from '../base/cache.ts';

/** Volumes remembered; more than a node has. */
const MAX_VOLUMES = 1000;
/** Where the kubelet mounts the volumes of pods; the group is the volume's name. */
const TARGET_PATH = /[\\/]volumes[\\/]kubernetes\.io~csi[\\/]([^\\/]{1,253})[\\/]mount[\\/]?$/;

/** Remembers the SecretProviderClass of each volume. */
export class VolumeNames {
  readonly #classes = new Cache<string>({ entries: MAX_VOLUMES });

  /**
   * The SecretProviderClass of the volume at `targetPath`: as given, or else as given before, or else the volume's own
   * name in the pod; empty where none is known.
   */
  nameOf(targetPath: string, secretProviderClass: string): string {
    if (secretProviderClass === '') return this.#classes.get(targetPath) ?? TARGET_PATH.exec(targetPath)?.[1] ?? '';
    if (targetPath !== '') this.#classes.set(targetPath, secretProviderClass);
    return secretProviderClass;
  }
}
