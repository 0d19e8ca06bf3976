/**
 * Finds the field of an object that an unknown name means, if the two differ by more than a typing error: `alias`
 * for `objectAlias`, `mode` for `filePermission`. Called for the objects of the classic form, which ignores unknown
 * fields.
 */

import { nearest, oneOf } from '../base/words.ts';
import type { Fields } from './fields.ts';

/** Other words for the fields, in lower case. */
const SYNONYMS: Readonly<Record<string, string>> = {
  filename: 'objectAlias',
  filepath: 'objectAlias',
  file: 'objectAlias',
  path: 'objectAlias',
  mode: 'filePermission',
  filemode: 'filePermission',
  permissions: 'filePermission',
  filepermissions: 'filePermission',
  history: 'objectVersionHistory',
  versions: 'objectVersionHistory',
  password: 'passwordFrom',
  required: 'optional',
  ignoremissing: 'optional',
  allowmissing: 'optional',
  defaultvalue: 'default',
  jmespath: 'extract',
  extractjsonkey: 'extract',
  extractyamlkey: 'extract',
  secretkey: 'extract',
  property: 'extract',
  keyvault: 'vault',
  keyvaultname: 'vault',
  vaultname: 'vault',
  names: 'objectNames',
  tags: 'objectTags',
  selector: 'objectNames',
  key: 'objectName',
  secret: 'objectName',
};

/** The consequence for an object without the field. */
const WITHOUT: Readonly<Record<string, string>> = {
  objectAlias: 'the file is called by objectName',
  objectVersion: 'the current version is mounted, not this one',
  filePermission: 'the file has the permission of the driver',
  extract: 'the file holds the whole secret; write extract: {FILE: EXPRESSION}',
};

const MIN_WORD = 4;

/** Returns the field that an unknown name means, or undefined. */
function meantField(name: string, known: readonly string[]): string | undefined {
  const lower = name.toLowerCase();
  const synonym = SYNONYMS[lower];
  if (synonym !== undefined && Object.hasOwn(SYNONYMS, lower)) return synonym;
  // Such as the "Permission" of "objectPermission", or all of "alias".
  const last = (/[A-Z][a-z]+$/.exec(name)?.[0] ?? name).toLowerCase();
  const byWord = last.length < MIN_WORD ? undefined : known.find((field) => field.toLowerCase().endsWith(last));
  return byWord ?? nearest(name, known);
}

/** Warns of unknown fields that mean known ones, and notes the others, as long as findings are shown. */
export function reportUnknownFields(fields: Fields, known: readonly string[]): void {
  for (const name of fields.names) {
    if (known.includes(name)) continue;
    if (fields.isFullOf('warning') || fields.isFullOf('note')) return;
    const meant = meantField(name, known);
    if (meant === undefined) {
      fields.note(name, `is unknown and ignored; known here: ${oneOf(known)}`);
      continue;
    }
    const result = fields.has(meant) ? undefined : WITHOUT[meant];
    fields.warning(
      name,
      `is unknown and ignored; did you mean "${meant}"?${result === undefined ? '' : ` Without it ${result}`}`,
    );
  }
}
