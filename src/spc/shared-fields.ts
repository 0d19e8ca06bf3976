/**
 * Names of the fields that an object has in both forms, and that the official provider does not have. Called by the
 * readers of objects in both forms, so that a new field is known in both.
 */

import { EXTRACT_FIELD } from './extract.ts';
import { METADATA_FIELD } from './metadata.ts';
import { PRESENCE_FIELDS } from './presence.ts';
import type { SelectionWords } from './selection.ts';
import { TEMPLATE_ONLY_FIELD } from './templates.ts';
import { VALIDITY_FIELD } from './validity.ts';
import { VAULT_FIELD } from './vaults.ts';

/** Returns the names; `words` are those of a selection in the form. */
export function sharedFields({ names, tags }: SelectionWords): readonly string[] {
  return [
    'files',
    'keyFormat',
    'passwordFrom',
    ...PRESENCE_FIELDS,
    METADATA_FIELD,
    VALIDITY_FIELD,
    EXTRACT_FIELD,
    VAULT_FIELD,
    names,
    tags,
    TEMPLATE_ONLY_FIELD,
  ];
}
