/** Reads a file of manifests into one result, for tests that compare it with another reader. */
import { readManifestParts } from '../../src/spc/yaml/manifests.ts';
import type { ParsedYaml } from '../../src/spc/yaml/parse.ts';

/** Returns all documents of a file, or all mistakes in it. */
export function parseManifests(file: string): ParsedYaml {
  const read = readManifestParts(file).map((part) => part.read);
  const errors = read.flatMap((one) => (one.ok ? [] : one.errors));
  const documents = read.flatMap((one) => (one.ok ? one.documents : []));
  return errors.length > 0 ? { ok: false, errors } : { ok: true, documents };
}
