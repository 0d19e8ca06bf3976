/**
 * Finds the `keyVault` fields in a text of manifests. Called by `render` for each source. It refuses documents that
 * cannot be read as YAML. It skips maps with the name `keyVault` that belong to other resources, with a note.
 */

import { nearest } from '../base/words.ts';
import { foreignDocument, foreignFile } from '../spc/foreign-text.ts';
import { readStream, type StreamDocument } from '../spc/yaml/stream.ts';
import type { MapEntry, MapTree, Tree, YamlError } from '../spc/yaml/tree.ts';
import { dataOf, type FieldText, fieldText } from './field-text.ts';
import { type LineAndColumn, linesOf } from './lines.ts';
import type { Remark } from './remark.ts';
import { NO_RESOURCE, type Resource, resourceAt, SKIPPED } from './resource.ts';

/** A text of manifests and its name in messages. */
export interface Source {
  readonly name: string;
  readonly text: string;
}

/** A `keyVault` object and its place. */
export interface FoundKeyVault extends FieldText {
  readonly source: string;
  /** The line on which the object begins, from 1. */
  readonly line: number;
  readonly resource: Resource;
  /** Offset of the name `keyVault`. */
  readonly offset: number;
  /** Offsets of the name `keyVault` and behind its value; undefined if the value is that of an alias. */
  readonly span: { readonly start: number; readonly end: number } | undefined;
  /** The names next to `keyVault`. */
  readonly beside: readonly string[];
  /** Names and list positions from the root of the resource to the object, without `keyVault`. */
  readonly path: readonly (string | number)[];
  /** The data of the object, with aliases and merges written out; every scalar is a text. */
  readonly data: unknown;
}

const MAX_VALUES = 1_000_000;
/** Kinds of resources whose `keyVault` is always the field that this program reads. */
const STRICT_KINDS: readonly string[] = [
  'BrokerListener',
  'BrokerAuthentication',
  'MqttBridgeConnector',
  'KafkaConnector',
];
const REFERENCES: readonly string[] = ['vaultSecret', 'vaultCert', 'vaultCaChainCert', 'vaultCaChainSecret'];
const MAX_KEY = 20;

/** The `keyVault` objects of a text, in its order, and the remarks on it. */
export interface Found {
  readonly found: readonly FoundKeyVault[];
  readonly remarks: readonly Remark[];
}

/** Finds every `keyVault` object of a YAML or JSON text, at any depth. `documents` are those of the text. */
export function findKeyVaults(source: Source, documents = readStream(source.text), command = 'render'): Found {
  const input = new Input(source, command);
  const results = documents.flatMap(({ read }) =>
    read.ok && read.tree !== undefined ? resultsIn(read.tree, input) : [],
  );
  return {
    found: results.flatMap((result) => ('severity' in result ? [] : [result])),
    remarks: [
      ...brokenRemarks(documents, input),
      ...results.flatMap((result) => ('severity' in result ? [result] : [])),
    ],
  };
}

/** Returns the `keyVault` objects and the remarks of one document, in the order of its text. */
function resultsIn(tree: Tree, input: Input): readonly (FoundKeyVault | Remark)[] {
  if (sizeOf(tree) > MAX_VALUES) {
    const message = `the document holds more than ${MAX_VALUES} values, or aliases that unfold to so many`;
    return [input.error(tree.start, message)];
  }
  return [...fieldsBelow(tree, { path: [], resource: NO_RESOURCE })].flatMap((field) => {
    const result = field.name === 'keyVault' ? foundAt(field, input) : misspeltRemark(field, input);
    return result === undefined ? [] : [result];
  });
}

/**
 * Returns errors about documents that cannot be read: the first mistake of each, or one error if the file has another
 * format.
 */
function brokenRemarks(documents: readonly StreamDocument[], input: Input): Remark[] {
  const broken = documents.flatMap(({ read, ...slice }) =>
    read.ok ? [] : read.errors.slice(0, 1).map((error) => ({ error, slice })),
  );
  const foreign = broken.length === 0 ? undefined : foreignFile(input.text);
  if (foreign !== undefined) return [input.error(0, foreign)];
  return broken.map(({ error, slice }) => {
    const message = foreignAt(input, slice, error) ?? error.message;
    return input.error(error.offset, message);
  });
}

/** Returns the format of a document that is not YAML, with the remedy; undefined if it is YAML with a mistake. */
function foreignAt(
  { text, command }: Input,
  { start, end }: Pick<StreamDocument, 'start' | 'end'>,
  { offset }: YamlError,
): string | undefined {
  const line = text.slice(start, offset).split('\n').length;
  return foreignDocument(text.slice(start, end), line, command);
}

function sizeOf(tree: Tree): number {
  if (tree.kind === 'list') return tree.items.reduce((size, item) => size + sizeOf(item), 1);
  if (tree.kind === 'map') return [...tree.entries.values()].reduce((size, { value }) => size + sizeOf(value), 1);
  return 1;
}

interface Position {
  /** The path from the root of the resource. */
  readonly path: readonly (string | number)[];
  readonly resource: Resource;
}

/** An entry with the name `keyVault`, or a similar name; `path` leads to it. */
interface Field extends Position {
  readonly name: string;
  readonly entry: MapEntry;
  readonly beside: readonly string[];
}

/**
 * Yields every such entry of a tree, in the order of the text. It does not search metadata, status and `keyVault` maps.
 */
function* fieldsBelow(tree: Tree, outer: Position): Generator<Field> {
  if (tree.kind === 'list') {
    for (const [index, item] of tree.items.entries())
      yield* fieldsBelow(item, { ...outer, path: [...outer.path, index] });
  }
  if (tree.kind !== 'map') return;
  const own = resourceAt(tree, outer.resource, outer.path);
  const { path, resource } = own === undefined ? outer : { path: [], resource: own };
  for (const [name, entry] of tree.entries) {
    if (own !== undefined && SKIPPED.includes(name)) continue;
    const position = { path: [...path, name], resource };
    if (isNearlyKeyVault(name)) yield { ...position, name, entry, beside: [...tree.entries.keys()] };
    if (name !== 'keyVault') yield* fieldsBelow(entry.value, position);
  }
}

function isNearlyKeyVault(name: string): boolean {
  return name.length < MAX_KEY && name.replace(/[-_]/g, '').toLowerCase() === 'keyvault';
}

function foundAt({ entry, path, resource, beside }: Field, input: Input): FoundKeyVault | Remark | undefined {
  const { value } = entry;
  if (value.kind !== 'map') {
    // In a SecretProviderClass, `keyVault` is a text, which this program prints itself.
    if (resource.kind === 'SecretProviderClass') return undefined;
    const message = `${path.join('.')} is skipped: it is not a map`;
    return input.note(value.start, message);
  }
  if (!STRICT_KINDS.includes(resource.kind) && !isField(value)) {
    const rule = 'it has neither a map "vault" nor vaultSecret, vaultCert or a CA chain';
    const message = `${path.join('.')} is skipped: it is not a keyVault field of a broker resource, because ${rule}`;
    return input.note(value.start, message);
  }
  const data = dataOf(value, input.text);
  return {
    source: input.name,
    line: input.lineOf(value.start),
    resource,
    offset: entry.start,
    span: value.start < entry.start ? undefined : { start: entry.start, end: value.end },
    beside: beside.filter((name) => name !== 'keyVault'),
    path: path.slice(0, -1),
    data,
    ...fieldText(value, data, input.text),
  };
}

/** Returns a remark on a field whose name is misspelt; such a field is not read. */
function misspeltRemark({ entry, path, resource }: Field, input: Input): Remark | undefined {
  if (entry.value.kind !== 'map' || !isField(entry.value)) return undefined;
  const message = `${path.join('.')} is skipped; did you mean "keyVault"?`;
  return STRICT_KINDS.includes(resource.kind) ? input.error(entry.start, message) : input.note(entry.start, message);
}

/**
 * True if a map can be the field, also if its names are misspelt. Other resources have maps with the name `keyVault`
 * too.
 */
function isField({ entries }: MapTree): boolean {
  return [...entries].some(
    ([name, { value }]) =>
      REFERENCES.includes(name) || (value.kind === 'map' && nearest(name, ['vault', ...REFERENCES]) !== undefined),
  );
}

/** The text that is searched, and the lines and columns of its offsets. */
class Input {
  readonly name: string;
  /** The command to pipe into, for remedies. */
  readonly command: string;
  readonly text: string;
  readonly #placeOf: (offset: number) => LineAndColumn;

  constructor({ name, text }: Source, command: string) {
    this.name = name;
    this.command = command;
    this.text = text;
    this.#placeOf = linesOf(text);
  }

  lineOf(offset: number): number {
    return this.#placeOf(offset).line;
  }

  error(offset: number, message: string): Remark {
    return { severity: 'error', source: this.name, ...this.#placeOf(offset), message };
  }

  note(offset: number, message: string): Remark {
    return { ...this.error(offset, message), severity: 'note' };
  }
}
