/**
 * Reads what becomes of an object that may be missing: `optional`, `ifMissing` and `default`. Called by the readers of
 * objects in both forms. Refuses a replacement where the object gives more than one file, or where it is not optional.
 */

import { oneOf, quote } from '../base/words.ts';
import type { Fields } from './fields.ts';
import type { IfMissing } from './model.ts';
import { kindOf } from './yaml/tree.ts';

/** Names of the fields that {@link parsePresence} reads. */
export const PRESENCE_FIELDS = ['optional', 'ifMissing', 'default'] as const;

const RULES = ['skip', 'empty'] as const;

/**
 * Returns what becomes of the files of a missing object, or undefined if the object is required. `severalBy` is the
 * field by which the object gives other files than one; undefined: it gives one.
 */
export function parsePresence(fields: Fields, severalBy: string | undefined): IfMissing | undefined {
  const optional = fields.flag('optional');
  for (const field of ['ifMissing', 'default']) {
    if (fields.has(field) && !optional) fields.error(field, 'has a meaning only with optional: "true"; add that');
  }
  const rule = readRule(fields);
  if (rule.kind !== 'skip' && severalBy !== undefined) {
    const field = rule.kind === 'default' ? 'default' : 'ifMissing';
    fields.error(field, `replaces one file, and ${severalBy} decides which files there are; use ifMissing: skip`);
  }
  return optional ? rule : undefined;
}

function readRule(fields: Fields): IfMissing {
  const text = fields.text('ifMissing').toLowerCase();
  if (text !== '' && !RULES.some((known) => known === text))
    fields.error('ifMissing', `${quote(text)} must be ${oneOf(RULES)}; for a text of your own write default`);
  const replaced = readDefault(fields);
  if (replaced === undefined) return { kind: text === 'empty' ? 'empty' : 'skip' };
  if (text !== '') fields.error('default', 'and ifMissing say two things; remove one of them');
  return { kind: 'default', text: replaced };
}

/** Returns the text of `default` as it stands, or undefined. */
function readDefault(fields: Fields): string | undefined {
  const value = fields.value('default');
  if (value === undefined) return undefined;
  if (value.kind === 'text') return value.text;
  const remedy = value.kind === 'null' ? 'for an empty file write ifMissing: empty' : 'write "default: |" and the text';
  fields.error('default', `must be text, not ${kindOf(value)}; ${remedy}`);
  return undefined;
}
