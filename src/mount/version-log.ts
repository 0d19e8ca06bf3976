import { Cache } from '../base/cache.ts';
import type { Logger } from '../base/log.ts';
import type { ObjectVersion } from '../wire/contract.ts';

/** Volumes remembered; more than a node has. */
const MAX_VOLUMES = 1000;

/** Remembers which versions each volume was last answered with, so that a rotation is seen in the log. */
export class Journal {
  /** As JSON, which takes a fifth of the memory. */
  readonly #volumes = new Cache<string>({ entries: MAX_VOLUMES });

  /** Writes a line for each object whose version is another than last time. */
  record(volume: string, objectVersions: readonly ObjectVersion[], log: Logger): void {
    const versions = new Map(objectVersions.map(({ id, version }) => [id, version]));
    const text = JSON.stringify([...versions]);
    const before = this.#volumes.peek(volume);
    this.#volumes.set(volume, text);
    if (before === undefined || before === text) return;
    const previous = new Map(JSON.parse(before) as [string, string][]);
    for (const [id, version] of versions) {
      const from = previous.get(id);
      if (from !== undefined && from !== version) log.info('Object version changed', { object: id, from, to: version });
    }
  }
}
