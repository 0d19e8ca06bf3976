/**
 * Reads `metadata`: the file for what the vault says about an object. Called by the readers of objects in both forms.
 * Refuses paths that cannot be files.
 */

import type { Fields } from './fields.ts';
import { filePathProblem } from './file-path.ts';
import type { MetadataFile } from './model.ts';

/** The name of the field. */
export const METADATA_FIELD = 'metadata';

/** Returns the file, or undefined if the object has no such field. */
export function parseMetadata(fields: Fields, mode: number): MetadataFile | undefined {
  if (!fields.has(METADATA_FIELD)) return undefined;
  const path = fields.text(METADATA_FIELD);
  const problem = filePathProblem(path);
  const isText = ['text', 'null'].includes(fields.value(METADATA_FIELD)?.kind ?? '');
  if (problem !== undefined && isText) fields.error(METADATA_FIELD, `is not a usable path: ${problem.text}`);
  return { path, mode };
}
