/**
 * Reads `extract`: a map from files to the parts of a JSON or YAML secret that they hold, as JMESPath expressions. Called
 * by the readers of objects in both forms. Refuses it next to fields that say what the whole value becomes.
 */

import { quote } from '../base/words.ts';
import { readExpression } from './expression.ts';
import type { Fields } from './fields.ts';
import type { ExtractSpec } from './model.ts';
import { parseMode } from './outputs.ts';
import { hasPattern, patternProblem } from './path-pattern.ts';
import { kindOf, type Tree } from './yaml/tree.ts';

/** The name of the field. */
export const EXTRACT_FIELD = 'extract';
/** The word in a path that stands for each key of a map. */
export const KEY_WORD = 'key';
/** Names of the fields of an entry. */
export const ENTRY_FIELDS = ['jmesPath', 'filePermission', 'optional'] as const;

const MAX_ENTRIES = 100;

/**
 * Reads the entries: FILE to expression, or to `{jmesPath, filePermission, optional}`. `besides` are fields of the object
 * that have no meaning next to it.
 */
export function parseExtract(fields: Fields, mode: number, besides: readonly string[]): readonly ExtractSpec[] {
  for (const field of besides) {
    if (fields.has(field)) fields.error(field, `has no meaning next to ${EXTRACT_FIELD}; remove one of them`);
  }
  const map = fields.map(EXTRACT_FIELD);
  if (map === undefined) return [];
  const { names } = map;
  if (names.length === 0)
    fields.error(EXTRACT_FIELD, 'names no file; write FILE: EXPRESSION, such as db/port: database.port');
  if (names.length > MAX_ENTRIES) {
    fields.error(
      EXTRACT_FIELD,
      `has ${names.length} entries, more than ${MAX_ENTRIES}; with "{key}" one entry gives many files`,
    );
    return [];
  }
  return names.flatMap((path) => parseEntry(map, path, mode) ?? []);
}

function parseEntry(map: Fields, path: string, mode: number): ExtractSpec | undefined {
  const problem = patternProblem(path, KEY_WORD);
  if (problem !== undefined) map.error(path, `is not a usable path: ${problem}`);
  const value = map.value(path);
  const options = value?.kind === 'map' ? map.map(path) : undefined;
  options?.onlyKnown(ENTRY_FIELDS, 'error');
  const text =
    options === undefined ? plainText(map, path, value) : options.required('jmesPath', 'it says what the file holds');
  if (text === '') return undefined;
  const read = readExpression(text);
  if (!read.ok) map.error(path, `${quote(text)} ${read.problem}`);
  if (!read.ok) return undefined;
  return {
    path,
    each: hasPattern(path, KEY_WORD),
    expression: read.expression,
    mode: options === undefined ? mode : parseMode(options, mode),
    optional: options?.flag('optional') ?? false,
  };
}

function plainText(map: Fields, path: string, value: Tree | undefined): string {
  const text = value?.kind === 'text' ? value.text.trim() : '';
  if (text === '') {
    const found = value === undefined || value.kind === 'text' ? 'nothing' : kindOf(value);
    map.error(
      path,
      `must be a JMESPath expression or a map with "jmesPath", not ${found}; for the whole value write "@"`,
    );
  }
  return text;
}
