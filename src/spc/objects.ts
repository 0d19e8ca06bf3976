/**
 * Reads the `objects` parameter: the list, and the text of each object in it. Called by the reader of the classic form.
 * Refuses texts that are too large to be read quickly, and lists that the official provider cannot read.
 */

import { misspelt, quote } from '../base/words.ts';
import { Fields } from './fields.ts';
import type { Findings } from './finding.ts';
import { type NamedObject, type ObjectContext, type ObjectDefaults, parseObject, unmarshalFailure } from './object.ts';
import { withPlaceholderAt } from './placeholder.ts';
import { parseFirstDocument } from './yaml/parse.ts';
import { goValue } from './yaml/scalar.ts';
import { kindOf, type MapTree, type Tree } from './yaml/tree.ts';
import { yamlSize } from './yaml/yaml-size.ts';

/** Lists written by hand are shorter. Reading a longer list would delay the mounts of other pods. */
export const MAX_TEXT_BYTES = 256 * 1024;
/** Limit of {@link yamlSize}, with the texts of objects; an object with every field has about fifty. */
const MAX_SIZE = 25_000;
const MAX_OBJECTS = 500;
const SPREAD = 'spread it over several SecretProviderClasses';
const TOO_MUCH = `objects holds more than ${MAX_SIZE} lines, entries, brackets and quotes; ${SPREAD}`;

/** Inputs for reading the `objects` parameter. */
export interface ObjectsContext {
  readonly defaults: ObjectDefaults;
  /** Number of the text's first line. */
  readonly firstLine?: number;
}

/**
 * Reads the `objects` parameter: a list under `array`, or a plain list, of maps or of texts that hold a map.
 * If the official provider has a text for a mistake, that text is used.
 */
export function parseObjects(
  text: string,
  findings: Findings,
  { defaults, firstLine = 1 }: ObjectsContext,
): readonly NamedObject[] {
  const fail = (line: number, reason: string) =>
    findings.error('objects', `failed to yaml unmarshal objects, error: yaml: ${reason}`, { line, stage: 'objects' });
  if (Buffer.byteLength(text) > MAX_TEXT_BYTES) {
    fail(firstLine, `objects is longer than ${MAX_TEXT_BYTES} bytes; ${SPREAD}`);
    return [];
  }
  const size = yamlSize(text, MAX_SIZE);
  if (size > MAX_SIZE) {
    fail(firstLine, TOO_MUCH);
    return [];
  }
  const parsed = parseFirstDocument(text, firstLine);
  if (!parsed.ok) {
    for (const { line, message } of parsed.errors) {
      fail(line, `line ${line}: ${withPlaceholderAt(message, text, line - firstLine)}`);
    }
    return [];
  }
  noteLater(findings, 'objects', parsed.laterLine);
  const items = listOf(parsed.document, findings, (tree, type) => {
    const reason = `cannot unmarshal ${goValue(tree)} into ${type}`;
    fail(tree.line, `unmarshal errors: line ${tree.line}: ${reason}; "array:" must hold a list of objects`);
  });
  if (items.length > MAX_OBJECTS) {
    fail(firstLine, `objects holds ${items.length} objects, more than ${MAX_OBJECTS}; ${SPREAD}`);
    return [];
  }
  const bytes = items.reduce((sum, item) => sum + (item.kind === 'text' ? Buffer.byteLength(item.text) : 0), 0);
  if (bytes > MAX_TEXT_BYTES) {
    fail(firstLine, `objects has ${bytes} bytes with its aliases written out, more than ${MAX_TEXT_BYTES}; ${SPREAD}`);
    return [];
  }
  const inner = items.reduce((sum, item) => sum + (item.kind === 'text' ? yamlSize(item.text, MAX_SIZE) : 0), size);
  if (inner > MAX_SIZE) {
    fail(firstLine, TOO_MUCH);
    return [];
  }
  return items.flatMap((item, index) => parseItem(item, { index, findings, defaults }) ?? []);
}

function listOf(
  document: Tree | undefined,
  findings: Findings,
  refuse: (tree: Tree, type: string) => void,
): readonly Tree[] {
  if (document === undefined || document.kind === 'null') return [];
  if (document.kind === 'list') return document.items;
  if (document.kind === 'text') {
    refuse(document, 'types.StringArray');
    return [];
  }
  noteUnknown(document, findings);
  const array = document.entries.get('array')?.value;
  if (array === undefined || array.kind === 'null') return [];
  if (array.kind === 'list') return array.items;
  refuse(array, '[]string');
  return [];
}

function noteUnknown({ entries }: MapTree, findings: Findings): void {
  const typo = entries.has('array') ? undefined : misspelt('array', [...entries.keys()], ['array']);
  for (const [name, { line }] of entries) {
    if (name === 'array') continue;
    if (findings.isFull('note')) return;
    const hint = name === typo ? 'did you mean "array"?' : 'the list of objects is under "array"';
    findings.note('objects', `objects: the key ${quote(name)} is unknown and ignored; ${hint}`, line);
  }
}

function parseItem(item: Tree, context: ObjectContext): NamedObject | undefined {
  const { index, findings } = context;
  const path = `objects[${index}]`;
  const fail = (line: number, reason: string) =>
    findings.error(path, unmarshalFailure(index, reason), { line, stage: 'objects' });
  if (item.kind === 'null') {
    findings.note(path, `${path} is empty and ignored`, item.line);
    return undefined;
  }
  let tree: Tree | undefined = item;
  if (item.kind === 'text') {
    const parsed = parseFirstDocument(item.text, item.textLine);
    if (!parsed.ok) {
      for (const { line, message } of parsed.errors) {
        fail(line, `line ${line}: ${withPlaceholderAt(message, item.text, line - item.textLine)}`);
      }
      return undefined;
    }
    noteLater(findings, path, parsed.laterLine);
    tree = parsed.document;
  }
  if (tree === undefined || tree.kind === 'null') {
    const { line, start, end } = item;
    tree = { kind: 'map', line, start, end, entries: new Map() };
  }
  if (tree.kind !== 'map') {
    const reason = `cannot unmarshal ${goValue(tree)} into types.KeyVaultObject`;
    const remedy = `${path} must be a map with objectName and objectType, not ${kindOf(tree)}`;
    fail(tree.line, `unmarshal errors: line ${tree.line}: ${reason}; ${remedy}`);
    return undefined;
  }
  return parseObject(new Fields(findings, tree, path), context);
}

function noteLater(findings: Findings, path: string, line: number | undefined): void {
  if (line === undefined) return;
  findings.note(path, `${path} holds more than one YAML document; only the first is read`, line);
}
