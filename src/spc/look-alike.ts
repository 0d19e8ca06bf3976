// Finds which field of an object an unknown one is meant to be, where the two do not differ by a slip of the finger but by
// habit: `alias` for `objectAlias`, `mode` for `filePermission`. Called for the objects of the classic form.
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
  key: 'objectName',
  secret: 'objectName',
};

/** What becomes of an object without the field. */
const WITHOUT: Readonly<Record<string, string>> = {
  objectAlias: 'the file is called by objectName',
  objectVersion: 'the current version is mounted, not this one',
  filePermission: 'the file has the permission of the driver',
};

const MIN_WORD = 4;

/** The field that is meant by an unknown name; undefined where none is like it. */
export function meantField(name: string, known: readonly string[]): string | undefined {
  const lower = name.toLowerCase();
  const synonym = SYNONYMS[lower];
  if (synonym !== undefined && Object.hasOwn(SYNONYMS, lower)) return synonym;
  // Such as the "Permission" of "objectPermission", or all of "alias".
  const last = (/[A-Z][a-z]+$/.exec(name)?.[0] ?? name).toLowerCase();
  const byWord = last.length < MIN_WORD ? undefined : known.find((field) => field.toLowerCase().endsWith(last));
  return byWord ?? nearest(name, known);
}

/** Warns of unknown fields that are meant to be known ones, and notes the others, as far as findings are shown. */
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
