import { isDeepStrictEqual } from 'node:util';
import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseAllDocuments,
  parseDocument,
  stringify,
  type YAMLMap,
} from 'yaml';
import { nearest } from '../base/words.ts';
import { foreignDocument, foreignFile } from '../spc/foreign-text.ts';
import type { Remark } from './remark.ts';

/** A text of manifests and its name in messages. */
export interface Source {
  readonly name: string;
  readonly text: string;
}

/** The Kubernetes object, or resource of an ARM template, that a field belongs to; texts are empty where it does not say. */
export interface Resource {
  readonly kind: string;
  readonly name: string;
  readonly namespace: string;
  readonly isArm?: true;
}

/** A `keyVault` object and where it stands. */
export interface FoundKeyVault {
  readonly source: string;
  /** Line on which the object begins, from 1. */
  readonly line: number;
  readonly resource: Resource;
  /** Names and list positions from the root of the resource down to the object, `keyVault` left out. */
  readonly path: readonly (string | number)[];
  /** The object's data, with aliases and merges written out; every scalar is a text. */
  readonly data: unknown;
  /** The object as YAML: its own text with the indentation taken off, aliases and merges written out. */
  readonly text: string;
  /** Whether line n of `text` is line `line + n - 1` of the source; false where it was written anew. */
  readonly inPlace: boolean;
}

const MAX_NODES = 100_000;
const MAX_DEPTH = 100;
const MAX_ALIASES = 10_000;
const YAML_OPTIONS = { schema: 'failsafe', merge: true, prettyErrors: false } as const;
/** Parts of a resource that nobody writes: what a field there says is said elsewhere, or of something else. */
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
const NO_RESOURCE: Resource = { kind: '', name: '', namespace: '' };

/** Finds every `keyVault` object of a YAML or JSON text, whatever stands above it. */
export function findKeyVaults(source: Source): { found: readonly FoundKeyVault[]; remarks: readonly Remark[] } {
  const lines = new LineCounter();
  const documents = parseAllDocuments(source.text, { ...YAML_OPTIONS, lineCounter: lines });
  const walker = new Walker(source, lines);
  const broken = documents.flatMap(({ errors }) => errors.slice(0, 1));
  const foreign = broken.length === 0 ? undefined : foreignFile(source.text);
  if (foreign !== undefined) walker.fail(0, foreign);
  else for (const { pos, message } of broken) walker.fail(pos[0], foreignAt(source.text, pos[0]) ?? message);
  for (const document of documents) if (document.errors.length === 0) walker.walkDocument(document);
  return { found: walker.found, remarks: walker.remarks };
}

/** What the document at an offset is in place of YAML; undefined where it is just wrong YAML. */
function foreignAt(text: string, offset: number): string | undefined {
  const start = Math.max(0, text.lastIndexOf('\n---', offset - 1) + 1);
  const end = text.indexOf('\n---', offset);
  const line = text.slice(start, offset).split('\n').length;
  return foreignDocument(text.slice(start, end === -1 ? undefined : end), line, 'render');
}

interface Place {
  /** The way from the root of the document. */
  readonly root: readonly (string | number)[];
  readonly path: readonly (string | number)[];
  readonly resource: Resource;
  readonly depth: number;
}

class Walker {
  readonly found: FoundKeyVault[] = [];
  readonly remarks: Remark[] = [];
  readonly #source: Source;
  readonly #lines: LineCounter;
  readonly #targets = new Map<Alias, Node | undefined>();
  #nodes = 0;
  #data: unknown;

  constructor(source: Source, lines: LineCounter) {
    this.#source = source;
    this.#lines = lines;
  }

  fail(offset: number, message: string): void {
    this.remarks.push({ severity: 'error', source: this.#source.name, ...this.#position(offset), message });
  }

  walkDocument(document: Document): void {
    this.#nodes = 0;
    this.#data = undefined;
    this.#walk(document, document.contents as Node | null, { root: [], path: [], resource: NO_RESOURCE, depth: 0 });
    if (this.#nodes > MAX_NODES) {
      this.fail(0, `the document holds more than ${MAX_NODES} values, or aliases that unfold to so many`);
    }
  }

  #walk(document: Document, unresolved: Node | null, { root, path, resource: outer, depth }: Place): void {
    if (++this.#nodes > MAX_NODES || depth > MAX_DEPTH) return;
    const node = this.#resolved(document, unresolved);
    const below = (place: Pick<Place, 'path' | 'resource'>, ...step: (string | number)[]) => ({
      root: [...root, ...step],
      path: [...place.path, ...step],
      resource: place.resource,
      depth: depth + 1,
    });
    if (isSeq(node)) {
      for (const [index, item] of node.items.entries()) {
        this.#walk(document, item as Node, below({ path, resource: outer }, index));
      }
    }
    if (!isMap(node)) return;
    const own = resourceAt(node, outer, path);
    const here = own === undefined ? { path, resource: outer } : { path: [], resource: own };
    for (const pair of node.items as Pair<Node, Node | null>[]) {
      const key = isScalar(pair.key) ? String(pair.key.value) : '';
      if (key === '<<')
        for (const merged of this.#mergedMaps(document, pair)) this.#walk(document, merged, below(here));
      else if (own !== undefined && UNREAD.includes(key)) continue;
      else if (key === 'keyVault') this.#take(document, pair, below(here, key));
      else if (key.length < MAX_KEY && key.replace(/[-_]/g, '').toLowerCase() === 'keyvault') {
        this.#noteMisspelt(document, pair, below(here, key));
        this.#walk(document, pair.value, below(here, key));
      } else this.#walk(document, pair.value, below(here, key));
    }
  }

  #take(document: Document, { key, value }: Pair<Node, Node | null>, { root, path, resource }: Place): void {
    const node = this.#resolved(document, value);
    const offset = node?.range?.[0] ?? key.range?.[0] ?? 0;
    const { line, column } = this.#position(offset);
    if (isMap(node)) {
      try {
        const data = this.#dataAt(document, root);
        if (!STRICT_KINDS.includes(resource.kind) && !isField(data)) {
          const rule = 'it has neither a map "vault" nor vaultSecret, vaultCert or a CA chain';
          const message = `${path.join('.')} is no keyVault field of a broker resource and is passed over: ${rule}`;
          this.remarks.push({ severity: 'note', source: this.#source.name, line, column, message });
          return;
        }
        const text = textOf(node, data, this.#source.text);
        this.found.push({ source: this.#source.name, line, resource, path: path.slice(0, -1), data, ...text });
      } catch (error) {
        // The parser stops at aliases that unfold without measure.
        if (!(error instanceof ReferenceError)) throw error;
        this.fail(offset, error.message);
      }
      return;
    }
    // In a SecretProviderClass the field is the text that this program prints.
    if (resource.kind === 'SecretProviderClass') return;
    const message = `${path.join('.')} is no map and is passed over`;
    this.remarks.push({ severity: 'note', source: this.#source.name, line, column, message });
  }

  /** A field whose name is written in another way is not read. */
  #noteMisspelt(document: Document, { key }: Pair<Node, Node | null>, { root, path, resource }: Place): void {
    if (!isField(this.#dataAt(document, root))) return;
    const severity = STRICT_KINDS.includes(resource.kind) ? 'error' : 'note';
    const message = `${path.join('.')} is passed over; did you mean "keyVault"?`;
    const position = this.#position(key.range?.[0] ?? 0);
    this.remarks.push({ severity, source: this.#source.name, ...position, message });
  }

  /** The document's data at a place, with aliases and merges written out. */
  #dataAt(document: Document, root: readonly (string | number)[]): unknown {
    this.#data ??= document.toJS({ maxAliasCount: MAX_ALIASES });
    return root.reduce((at: unknown, step) => (at as Record<string | number, unknown> | undefined)?.[step], this.#data);
  }

  #resolved(document: Document, node: Node | null | undefined): Node | null | undefined {
    if (!isAlias(node)) return node;
    if (!this.#targets.has(node)) this.#targets.set(node, node.resolve(document));
    return this.#targets.get(node);
  }

  #mergedMaps(document: Document, { value }: Pair<Node, Node | null>): readonly Node[] {
    const node = this.#resolved(document, value);
    if (isSeq(node)) return node.items as Node[];
    return node === undefined || node === null ? [] : [node];
  }

  #position(offset: number): { line: number; column: number } {
    const { line, col } = this.#lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  }
}

/**
 * The resource that begins at this map: an object with a kind, an item of a list such as `BrokerListenerList`, or a
 * resource of an ARM template.
 */
function resourceAt(map: YAMLMap, outer: Resource, path: readonly (string | number)[]): Resource | undefined {
  return kubernetesResourceAt(map, outer, path) ?? armResourceAt(map, outer);
}

/** Its type is `Namespace/type/of/child` and its name `parent/child`; inside of its parent both are the child's alone. */
function armResourceAt(map: YAMLMap, outer: Resource): Resource | undefined {
  const type = scalarAt(map, ['type']);
  const name = scalarAt(map, ['name']);
  const inner = outer.isArm === true && !type.includes('/');
  if (type === '' || name === '' || !map.has('properties') || !(inner || /^[\w.-]+\/[\w./-]+$/.test(type)))
    return undefined;
  return {
    kind: type.split('/').at(-1) ?? type,
    name: inner ? `${outer.name}/${name}` : name,
    namespace: '',
    isArm: true,
  };
}

function kubernetesResourceAt(map: YAMLMap, outer: Resource, path: readonly (string | number)[]): Resource | undefined {
  const kind = scalarAt(map, ['kind']);
  const isItem = outer.kind.endsWith('List') && path.length === 2 && path[0] === 'items';
  if (!(kind !== '' && (map.has('metadata') || map.has('apiVersion'))) && !isItem) return undefined;
  return {
    kind: kind || outer.kind.slice(0, -'List'.length),
    name: scalarAt(map, ['metadata', 'name']) || scalarAt(map, ['metadata', 'generateName']),
    namespace: scalarAt(map, ['metadata', 'namespace']),
  };
}

function scalarAt(map: YAMLMap, path: readonly string[]): string {
  const value = map.getIn(path);
  return typeof value === 'string' ? value : '';
}

/** Whether a map can be the field, misspelt as it may be: maps of other resources are called `keyVault` too. */
function isField(data: unknown): boolean {
  if (typeof data !== 'object' || data === null) return false;
  return Object.entries(data).some(([name, value]: [string, unknown]) => {
    if (REFERENCES.includes(name)) return true;
    const isMap = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isMap && nearest(name, ['vault', ...REFERENCES]) !== undefined;
  });
}

/** The map's own text where that says the same on its own; else (aliases, merges) its data, written anew. */
function textOf(node: YAMLMap, data: unknown, source: string): { text: string; inPlace: boolean } {
  const own = sliceOf(node, source);
  if (isDeepStrictEqual(dataAlone(own), data)) return { text: own, inPlace: true };
  return { text: stringify(data, { schema: 'failsafe', lineWidth: 0 }), inPlace: false };
}

/** What a text says without the rest of its document; undefined where it says nothing without it. */
function dataAlone(text: string): unknown {
  const parsed = parseDocument(text, { ...YAML_OPTIONS, merge: false });
  if (parsed.errors.length > 0) return undefined;
  try {
    return parsed.toJS();
  } catch {
    // An alias of an anchor that stands elsewhere.
    return undefined;
  }
}

function sliceOf({ range, flow }: YAMLMap, source: string): string {
  const [start, end] = range ?? [0, 0];
  const [first = '', ...rest] = source.slice(start, end).trimEnd().split(/\r?\n/);
  const column = start - (source.lastIndexOf('\n', start - 1) + 1);
  const indents = rest.filter((line) => line.trim() !== '').map((line) => line.search(/[^ ]/));
  const width = flow ? Math.min(...indents) : column;
  const dedented = rest.map((line) => line.slice(Math.min(width, Math.max(0, line.search(/[^ ]|$/)))));
  return `${[first, ...dedented].join('\n')}\n`;
}
