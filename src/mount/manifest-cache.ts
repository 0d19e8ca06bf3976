/**
 * Keeps the parsed texts of manifests, since the pods of a workload and every republish send the same ones. The readers
 * of parameters in `spc/` use it. It keeps no secrets, and at most two mebibytes.
 */

import { Cache } from '../base/cache.ts';
import type { ReadText, Remember } from '../spc/parameter-reader.ts';

/** Estimated bytes of all entries: the size of the two largest lists of objects. */
const MAX_BYTES = 2 * 1024 * 1024;
/** Estimated bytes of one object, one file of an object and one finding in memory. */
const OBJECT_BYTES = 1024;
const OUTPUT_BYTES = 256;
const FINDING_BYTES = 512;

/**
 * Makes the cache. It is bounded by bytes, and the least recently used text goes first. Manifests hold no secrets.
 */
export function rememberTexts(): Remember {
  const kept = new Cache<ReadText>({ bytes: MAX_BYTES });
  return <T extends ReadText>(key: string, read: () => T): T => {
    const known = kept.get(key);
    // All values under one key come from the same function, and have one type.
    if (known !== undefined) return known as T;
    const fresh = read();
    kept.set(key, fresh, { bytes: 2 * key.length + sizeOf(fresh) });
    return fresh;
  };
}

function sizeOf({ objects: named, selections, findings }: ReadText): number {
  const objects = [...named, ...selections.map(({ pattern }) => pattern)];
  const outputs = objects.map(({ content }) =>
    content.kind === 'outputs' ? content.outputs.length : content.kind === 'parts' ? content.parts.length : 0,
  );
  return (
    objects.length * OBJECT_BYTES +
    outputs.reduce((sum, count) => sum + count * OUTPUT_BYTES, 0) +
    findings.all.length * FINDING_BYTES
  );
}
