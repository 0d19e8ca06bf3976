/**
 * Reads `metadata`: the file for what the vault says about an object. Called by the readers of objects in both forms.
 * Refuses paths that cannot be files, or are not meant as such.
 */

import { quote } from '../base/words.ts';
import type { Fields } from './fields.ts';
import { filePathProblem } from './file-path.ts';
import type { MetadataFile } from './model.ts';

/** The name of the field. */
export const METADATA_FIELD = 'metadata';
/** Who writes this wants to turn metadata on or off, and would get a file of this name. */
const SWITCH = /^(true|false)$/i;

/** Returns the file, or undefined if the object has no such field. */
export function parseMetadata(fields: Fields, mode: number): MetadataFile | undefined {
  if (!fields.has(METADATA_FIELD)) return undefined;
  const path = fields.text(METADATA_FIELD);
  const problem = filePathProblem(path);
  const isText = ['text', 'null'].includes(fields.value(METADATA_FIELD)?.kind ?? '');
  if (problem !== undefined && isText) fields.error(METADATA_FIELD, `is not a usable path: ${problem.text}`);
  if (SWITCH.test(path))
    fields.error(METADATA_FIELD, `${quote(path)} must be the path of a file, such as "about.json"`);
  return { path, mode };
}
