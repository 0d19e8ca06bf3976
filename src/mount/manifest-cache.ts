import { Cache } from '../base/cache.ts';
import type { ReadText, Remember } from '../spc/parameter-reader.ts';

/** Estimated bytes of all that is kept: as much as the two largest lists of objects take. */
const MAX_BYTES = 2 * 1024 * 1024;
/** What an object and a finding take in memory, whatever they say. */
const OBJECT_BYTES = 1024;
const OUTPUT_BYTES = 256;
const FINDING_BYTES = 512;

/**
 * Keeps what was read of the texts of manifests: the pods of a workload, and every republish, come with the same ones.
 * Bounded by bytes; what is unused for longest goes first. It is what manifests say, which is no secret.
 */
export function rememberTexts(): Remember {
  const kept = new Cache<ReadText>({ bytes: MAX_BYTES });
  return <T extends ReadText>(key: string, read: () => T): T => {
    const known = kept.get(key);
    // Under one key there is what one function read, of one type.
    if (known !== undefined) return known as T;
    const fresh = read();
    kept.set(key, fresh, { bytes: 2 * key.length + sizeOf(fresh) });
    return fresh;
  };
}

function sizeOf({ objects, findings }: ReadText): number {
  const outputs = objects.map(({ content }) => (content.kind === 'outputs' ? content.outputs.length : 0));
  return (
    objects.length * OBJECT_BYTES +
    outputs.reduce((sum, count) => sum + count * OUTPUT_BYTES, 0) +
    findings.all.length * FINDING_BYTES
  );
}
