import type { Logger } from '../base/log.ts';
import { RecentlyUsed } from '../base/recently-used.ts';
import type { ObjectVersion } from '../wire/contract.ts';

/** Volumes remembered; more than a node has. */
const MAX_VOLUMES = 1000;

/** Remembers which versions each volume was last answered with, so that a rotation is seen in the log. */
export class Journal {
  readonly #volumes = new RecentlyUsed<ReadonlyMap<string, string>>({ entries: MAX_VOLUMES });

  /** Writes a line for each object whose version is another than last time. */
  record(volume: string, objectVersions: readonly ObjectVersion[], log: Logger): void {
    const versions = new Map(objectVersions.map(({ id, version }) => [id, version]));
    const before = this.#volumes.peek(volume);
    for (const [id, version] of versions) {
      const previous = before?.get(id);
      if (previous !== undefined && previous !== version)
        log.info('Object version changed', { object: id, from: previous, to: version });
    }
    this.#volumes.set(volume, versions);
  }
}
