/**
 * Logs which objects have a new version since the last Mount of their volume, and knows whether that Mount gave files.
 * The report of a Mount calls it. It remembers the versions of a thousand volumes.
 */

import { Cache } from '../base/cache.ts';
import type { Logger } from '../base/log.ts';
import type { MountOutput } from './handler.ts';

/** Number of volumes that are remembered; a node has fewer. */
const MAX_VOLUMES = 1000;

/** Remembers the versions of the last answer to each volume, so that a rotation is visible in the log. */
export class VersionLog {
  /** Versions as JSON, which needs a fifth of the memory. */
  readonly #volumes = new Cache<{ readonly versions: string; readonly hadFiles: boolean }>({ entries: MAX_VOLUMES });

  /** True if the last answer to a volume had files. False for a volume that is not remembered. */
  hadFiles(volume: string): boolean {
    return this.#volumes.peek(volume)?.hadFiles ?? false;
  }

  /** Writes a line for each object whose version has changed, and for each that came to the volume or left it. */
  record(volume: string, { files, objectVersions }: Pick<MountOutput, 'files' | 'objectVersions'>, log: Logger): void {
    const versions = new Map(objectVersions.map(({ id, version }) => [id, version]));
    const text = JSON.stringify([...versions]);
    const before = this.#volumes.peek(volume)?.versions;
    this.#volumes.set(volume, { versions: text, hadFiles: files.length > 0 });
    if (before === undefined || before === text) return;
    const previous = new Map(JSON.parse(before) as [string, string][]);
    for (const [id, version] of versions) {
      const from = previous.get(id);
      if (from === undefined) log.info('Object added to the volume', { object: id, to: version });
      else if (from !== version) log.info('Object version changed', { object: id, from, to: version });
    }
    for (const [id, from] of previous)
      if (!versions.has(id)) log.info('Object removed from the volume', { object: id, from });
  }
}
