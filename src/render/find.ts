/**
 * Finds the `keyVault` fields in a text of manifests. Called by `render` for each source. It refuses documents that
 * cannot be read as YAML, and passes over maps called `keyVault` that belong to other resources, with a note.
 */

import { nearest } from '../base/words.ts';
import { foreignDocument, foreignFile } from '../spc/foreign-text.ts';
import { readStream, type StreamDocument } from '../spc/yaml/stream.ts';
import type { MapEntry, MapTree, Tree, YamlError } from '../spc/yaml/tree.ts';
import { dataOf, type FieldText, fieldText } from './field-text.ts';
import { type LineAndColumn, linesOf } from './lines.ts';
import type { Remark } from './remark.ts';
import { NO_RESOURCE, type Resource, resourceAt } from './resource.ts';

/** A text of manifests and its name in messages. */
export interface Source {
  readonly name: string;
  readonly text: string;
}

/** A `keyVault` object and where it stands. */
export interface FoundKeyVault extends FieldText {
  readonly source: string;
  /** Line on which the object begins, from 1. */
  readonly line: number;
  readonly resource: Resource;
  /** Names and list positions from the root of the resource down to the object, `keyVault` left out. */
  readonly path: readonly (string | number)[];
  /** The object's data, with aliases and merges written out; every scalar is a text. */
  readonly data: unknown;
}

const MAX_VALUES = 100_000;
/** Parts of a resource that its author does not write: Kubernetes fills them in. */
const UNREAD: readonly string[] = ['metadata', 'status'];
/** Kinds whose `keyVault` is a field of this program, whatever it holds. */
const STRICT_KINDS: readonly string[] = [
  'BrokerListener',
  'BrokerAuthentication',
  'MqttBridgeConnector',
  'KafkaConnector',
];
const REFERENCES: readonly string[] = ['vaultSecret', 'vaultCert', 'vaultCaChainCert', 'vaultCaChainSecret'];
const MAX_KEY = 20;

/** Finds every `keyVault` object of a YAML or JSON text, at any depth. */
export function findKeyVaults(source: Source): { found: readonly FoundKeyVault[]; remarks: readonly Remark[] } {
  const input = new Input(source);
  const documents = readStream(source.text);
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

/** The `keyVault` objects and the remarks of one document, in the order of its text. */
function resultsIn(tree: Tree, input: Input): readonly (FoundKeyVault | Remark)[] {
  if (sizeOf(tree) > MAX_VALUES) {
    const message = `the document holds more than ${MAX_VALUES} values, or aliases that unfold to so many`;
    return [input.error(0, message)];
  }
  return [...fieldsBelow(tree, { path: [], resource: NO_RESOURCE })].flatMap((field) => {
    const result = field.name === 'keyVault' ? foundAt(field, input) : misspeltRemark(field, input);
    return result === undefined ? [] : [result];
  });
}

/**
 * Errors about documents that cannot be read: the first mistake of each, or one line if the file is of another format.
 */
function brokenRemarks(documents: readonly StreamDocument[], input: Input): Remark[] {
  const broken = documents.flatMap(({ read, ...slice }) =>
    read.ok ? [] : read.errors.slice(0, 1).map((error) => ({ error, slice })),
  );
  const foreign = broken.length === 0 ? undefined : foreignFile(input.text);
  if (foreign !== undefined) return [input.error(0, foreign)];
  return broken.map(({ error, slice }) => {
    const message = foreignAt(input.text, slice, error) ?? error.message;
    return input.error(error.offset, message);
  });
}

/** The kind of text that a document is in place of YAML; undefined where it is YAML with a mistake. */
function foreignAt(
  text: string,
  { start, end }: Pick<StreamDocument, 'start' | 'end'>,
  { offset }: YamlError,
): string | undefined {
  const line = text.slice(start, offset).split('\n').length;
  return foreignDocument(text.slice(start, end), line, 'render');
}

function sizeOf(tree: Tree): number {
  if (tree.kind === 'list') return tree.items.reduce((size, item) => size + sizeOf(item), 1);
  if (tree.kind === 'map') return [...tree.entries.values()].reduce((size, { value }) => size + sizeOf(value), 1);
  return 1;
}

interface Position {
  /** From the root of the resource. */
  readonly path: readonly (string | number)[];
  readonly resource: Resource;
}

/** An entry of a map called `keyVault`, or nearly so; `path` leads to it. */
interface Field extends Position {
  readonly name: string;
  readonly entry: MapEntry;
}

/** Every such entry of a tree, in the order of the text. Metadata, status and what `keyVault` holds are left out. */
function* fieldsBelow(tree: Tree, outer: Position): Generator<Field> {
  if (tree.kind === 'list') {
    for (const [index, item] of tree.items.entries())
      yield* fieldsBelow(item, { ...outer, path: [...outer.path, index] });
  }
  if (tree.kind !== 'map') return;
  const own = resourceAt(tree, outer.resource, outer.path);
  const { path, resource } = own === undefined ? outer : { path: [], resource: own };
  for (const [name, entry] of tree.entries) {
    if (own !== undefined && UNREAD.includes(name)) continue;
    const position = { path: [...path, name], resource };
    if (isNearlyKeyVault(name)) yield { ...position, name, entry };
    if (name !== 'keyVault') yield* fieldsBelow(entry.value, position);
  }
}

function isNearlyKeyVault(name: string): boolean {
  return name.length < MAX_KEY && name.replace(/[-_]/g, '').toLowerCase() === 'keyvault';
}

function foundAt({ entry, path, resource }: Field, input: Input): FoundKeyVault | Remark | undefined {
  const { value } = entry;
  if (value.kind !== 'map') {
    // In a SecretProviderClass the field is the text that this program prints.
    if (resource.kind === 'SecretProviderClass') return undefined;
    const message = `${path.join('.')} is no map and is passed over`;
    return input.note(value.start, message);
  }
  if (!STRICT_KINDS.includes(resource.kind) && !isField(value)) {
    const rule = 'it has neither a map "vault" nor vaultSecret, vaultCert or a CA chain';
    const message = `${path.join('.')} is no keyVault field of a broker resource and is passed over: ${rule}`;
    return input.note(value.start, message);
  }
  const data = dataOf(value, input.text);
  return {
    source: input.name,
    line: input.lineOf(value.start),
    resource,
    path: path.slice(0, -1),
    data,
    ...fieldText(value, data, input.text),
  };
}

/** A field whose name is written in another way is not read. */
function misspeltRemark({ entry, path, resource }: Field, input: Input): Remark | undefined {
  if (entry.value.kind !== 'map' || !isField(entry.value)) return undefined;
  const message = `${path.join('.')} is passed over; did you mean "keyVault"?`;
  return STRICT_KINDS.includes(resource.kind) ? input.error(entry.start, message) : input.note(entry.start, message);
}

/**
 * True if a map can be the field, with its names misspelt or not: maps of other resources are called `keyVault` too.
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
  readonly text: string;
  readonly #placeOf: (offset: number) => LineAndColumn;

  constructor({ name, text }: Source) {
    this.name = name;
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
