import type { Document, Node, Pair, YAMLMap, YAMLParseError } from 'yaml';
import { Composer, isAlias, isMap, isScalar, isSeq, LineCounter, Parser, Scalar } from 'yaml';
import { quote } from '../base/words.ts';

/**
 * A YAML value as the manifests need it: scalars keep their text (`0755`, `1e3`, `true` stay what was written),
 * every node knows its line (from 1), aliases and merges (`<<`) are written out.
 */
export type Tree = MapTree | ListTree | TextTree | NullTree;

/** A mapping, in the order of the text. */
export interface MapTree {
  readonly kind: 'map';
  readonly line: number;
  readonly entries: ReadonlyMap<string, MapEntry>;
}

/** A value of a mapping, and the line of its key. */
export interface MapEntry {
  readonly line: number;
  readonly value: Tree;
}

/** A sequence. */
export interface ListTree {
  readonly kind: 'list';
  readonly line: number;
  readonly items: readonly Tree[];
}

/** A scalar. */
export interface TextTree {
  readonly kind: 'text';
  readonly line: number;
  readonly text: string;
  readonly quoted: boolean;
  /** Line on which the text itself begins: for a block scalar the line after its header. */
  readonly textLine: number;
}

/** `null`, `~` or nothing at all. */
export interface NullTree {
  readonly kind: 'null';
  readonly line: number;
}

/** A place where YAML cannot be read, and why. */
export interface YamlError {
  readonly line: number;
  readonly message: string;
}

/** The documents of a text, or why it cannot be read. */
export type ParsedYaml =
  | { readonly ok: true; readonly documents: readonly Tree[] }
  | { readonly ok: false; readonly errors: readonly YamlError[] };

/** The first document of a text, or why it cannot be read; later ones are not looked at. */
export type ParsedDocument =
  /** `document` is undefined in an empty text; `laterLine` is where a second document begins. */
  | { readonly ok: true; readonly document: Tree | undefined; readonly laterLine: number | undefined }
  | { readonly ok: false; readonly errors: readonly YamlError[] };

/** Values that a document of parameters may hold, and those of manifests beyond one a character: aliases unfold. */
const MAX_UNFOLDED = 20_000;
/** Characters of scalars, in the same way. */
const MAX_UNFOLDED_CHARS = 256 * 1024;
const MAX_DEPTH = 100;
const MAX_ERRORS = 5;
const NULL_WORDS = new Set(['', '~', 'null', 'Null', 'NULL']);

/** What to say for a mistake, by the parser's code or message; the first half of each is what Go's parser says. */
const WORDS: readonly (readonly [RegExp, string])[] = [
  [
    /^BLOCK_AS_IMPLICIT_KEY/,
    'mapping values are not allowed in this context; put a text that holds ": " in quotes, and begin each entry on a line of its own',
  ],
  [/^MULTILINE_IMPLICIT_KEY|need to be followed by map values/, "could not find expected ':' after a key"],
  [/^TAB_AS_INDENT/, 'found character that cannot start any token; indent with spaces, not with tabs'],
  [/^BAD_SCALAR_START/, 'found character that cannot start any token; put the text in quotes'],
  [/Missing closing/, 'found unexpected end of stream; a quote is not closed'],
  [/same column/, 'did not find expected key; the entries of one map or list start at the same column'],
  [/call stack/, `it nests deeper than ${MAX_DEPTH}`],
];

/**
 * Reads all documents of a YAML (or JSON) text. Duplicate keys are errors.
 * `firstLine` is the line number of the text's first line, for texts that stand inside another.
 */
export function parseYaml(text: string, firstLine = 1): ParsedYaml {
  const { documents, lineAt, broken } = readDocuments(text, firstLine);
  if (broken !== undefined) return { ok: false, errors: [broken] };
  const read = documents.map((document) => readDocument(document, text.length, lineAt));
  const errors = read.flatMap((one) => (one.ok ? [] : one.errors));
  return errors.length > 0
    ? { ok: false, errors: errors.slice(0, MAX_ERRORS) }
    : { ok: true, documents: read.flatMap((one) => (one.ok ? [one.tree] : [])) };
}

/** Reads the first document of a YAML (or JSON) text; see {@link parseYaml}. */
export function parseFirstDocument(text: string, firstLine = 1): ParsedDocument {
  const plain = PLAIN_MAP.test(text) ? plainMap(text, firstLine) : undefined;
  if (plain !== undefined) return { ok: true, document: plain, laterLine: undefined };
  const { documents, lineAt, broken } = readDocuments(text, firstLine, 1);
  if (broken !== undefined) return { ok: false, errors: [broken] };
  const [first, second] = documents;
  if (first === undefined) return { ok: true, document: undefined, laterLine: undefined };
  const read = readDocument(first, 0, lineAt);
  if (!read.ok) return { ok: false, errors: read.errors.slice(0, MAX_ERRORS) };
  return { ok: true, document: read.tree, laterLine: second && lineAt(second.range[0]) };
}

/** A word and a word on each line: most objects of most manifests, and nothing in which YAML could see anything else. */
const PLAIN_MAP = /^(?:[A-Za-z]+: [A-Za-z0-9][\w./-]*\n)+$/;

/** What the parser makes of such a text, fifty times as fast; undefined where a key stands twice, or is none. */
function plainMap(text: string, firstLine: number): MapTree | undefined {
  const entries = new Map<string, MapEntry>();
  for (const [index, pair] of text.trimEnd().split('\n').entries()) {
    const line = firstLine + index;
    const colon = pair.indexOf(':');
    const [key, word] = [pair.slice(0, colon), pair.slice(colon + 2)];
    if (entries.has(key) || NULL_WORDS.has(key)) return undefined;
    const value: Tree = NULL_WORDS.has(word)
      ? { kind: 'null', line }
      : { kind: 'text', line, text: word, quoted: false, textLine: line };
    entries.set(key, { line, value });
  }
  return { kind: 'map', line: firstLine, entries };
}

/** The tree as plain data: maps as objects without prototype, scalars as strings. */
export function plainOf(tree: Tree): unknown {
  switch (tree.kind) {
    case 'map': {
      const plain: Record<string, unknown> = Object.create(null);
      for (const [key, { value }] of tree.entries) plain[key] = plainOf(value);
      return plain;
    }
    case 'list':
      return tree.items.map(plainOf);
    case 'text':
      return tree.text;
    case 'null':
      return null;
  }
}

/** What a tree is, in the words of an error message; never what it holds. */
export function kindOf(tree: Tree): string {
  switch (tree.kind) {
    case 'map':
      return 'a map';
    case 'list':
      return 'a list';
    case 'text':
      return 'a text';
    case 'null':
      return 'nothing';
  }
}

type LineAt = (offset: number) => number;
type ReadDocument =
  | { readonly ok: true; readonly tree: Tree }
  | { readonly ok: false; readonly errors: readonly YamlError[] };

/** Documents as far as they are wanted; a place that no parser can pass ends the reading. */
interface ReadDocuments {
  readonly documents: readonly Document.Parsed[];
  readonly lineAt: LineAt;
  readonly broken: YamlError | undefined;
}

function readDocuments(text: string, firstLine: number, most = Number.POSITIVE_INFINITY): ReadDocuments {
  const lineCounter = new LineCounter();
  const lineAt = (offset: number) => Math.max(1, lineCounter.linePos(offset).line) + firstLine - 1;
  // The parser's own search for duplicate keys takes quadratic time and does not name the key.
  const composer = new Composer({ schema: 'failsafe', uniqueKeys: false });
  const documents: Document.Parsed[] = [];
  for (const token of new Parser(lineCounter.addNewLine).parse(text)) {
    if (token.type === 'error' && documents.length === 0) {
      const broken = { line: lineAt(token.offset), message: wordsFor({ code: 'UNEXPECTED_TOKEN', ...token }) };
      return { documents, lineAt, broken };
    }
    documents.push(...composer.next(token));
    if (documents.length >= most) break;
  }
  documents.push(...composer.end());
  return { documents, lineAt, broken: undefined };
}

function readDocument(document: Document.Parsed, textLength: number, lineAt: LineAt): ReadDocument {
  const [first] = document.errors;
  // What the parser says beyond its first mistake mostly follows from it.
  if (first !== undefined) return { ok: false, errors: [{ line: lineAt(first.pos[0]), message: wordsFor(first) }] };
  const growing = new TreeBuilder(textLength, lineAt);
  const tree = growing.build(document.contents, 0);
  return growing.errors.length > 0 ? { ok: false, errors: growing.errors } : { ok: true, tree };
}

/** Some messages of the parser end with the text that it choked on. */
function wordsFor({ code, message }: Pick<YAMLParseError, 'code' | 'message'>): string {
  const known = WORDS.find(([pattern]) => pattern.test(`${code} ${message}`));
  return known?.[1] ?? message.replace(/: ".*$/s, '');
}

class TreeBuilder {
  readonly errors: YamlError[] = [];
  readonly #anchors = new Map<string, Node>();
  readonly #anchored = new Set<Node>();
  readonly #lineAt: LineAt;
  #left: number;
  #charsLeft: number;
  #line: number;

  /** `textLength` is 0 for a text of parameters, whose size is bounded. */
  constructor(textLength: number, lineAt: LineAt) {
    this.#left = textLength + MAX_UNFOLDED;
    this.#charsLeft = textLength + MAX_UNFOLDED_CHARS;
    this.#lineAt = lineAt;
    this.#line = lineAt(0);
  }

  build(node: Node | null, depth: number): Tree {
    if (node?.range) this.#line = this.#lineAt(node.range[0]);
    const line = this.#line;
    if (isScalar(node)) this.#charsLeft -= String(node.value ?? '').length;
    if (--this.#left < 0 || this.#charsLeft < 0 || depth > MAX_DEPTH) {
      this.#fail(`it nests deeper than ${MAX_DEPTH}, or its aliases unfold without measure`);
      return { kind: 'null', line };
    }
    if (isAlias(node)) {
      const target = this.#anchors.get(node.source);
      if (target !== undefined) return this.build(target, depth + 1);
      this.#fail(`unknown anchor ${quote(node.source)} referenced`);
      return { kind: 'null', line };
    }
    if (node?.anchor !== undefined && !this.#anchored.has(node)) {
      this.#anchored.add(node);
      this.#anchors.set(node.anchor, node);
    }
    if (isMap(node)) return { kind: 'map', line, entries: this.#entries(node, depth) };
    if (isSeq(node)) {
      const items = node.items as (Node | null)[];
      return { kind: 'list', line, items: items.map((item) => this.build(item, depth + 1)) };
    }
    if (!isScalar(node)) return { kind: 'null', line };
    const text = String(node.value ?? '');
    const plain = node.type === undefined || node.type === Scalar.PLAIN;
    if (plain && NULL_WORDS.has(text)) return { kind: 'null', line };
    const block = node.type === Scalar.BLOCK_LITERAL || node.type === Scalar.BLOCK_FOLDED;
    return { kind: 'text', line, text, quoted: !plain && !block, textLine: block ? line + 1 : line };
  }

  #entries(map: YAMLMap, depth: number): ReadonlyMap<string, MapEntry> {
    const own = new Map<string, MapEntry>();
    let merged: MapTree[] = [];
    for (const { key, value } of map.items as Pair<Node | null, Node | null>[]) {
      const name = this.build(key, depth + 1);
      const { line } = name;
      const entry = { line, value: this.build(value, depth + 1) };
      const word = name.kind === 'text' ? name.text : '';
      const known = own.get(word);
      if (name.kind === 'map' || name.kind === 'list') {
        this.#fail('a key must be text; a text that begins with a bracket or a brace belongs in quotes', line);
      } else if (known !== undefined) {
        this.#fail(`mapping key ${quote(word)} already defined at line ${known.line}`, line);
      } else if (word === '<<' && isScalar(key) && key.type === Scalar.PLAIN) {
        merged = this.#merged(entry);
      } else own.set(word, entry);
    }
    for (const { entries } of merged) {
      for (const [name, entry] of entries) if (!own.has(name)) own.set(name, entry);
    }
    return own;
  }

  #merged({ line, value }: MapEntry): MapTree[] {
    const sources = value.kind === 'list' ? value.items : [value];
    const maps = sources.filter((source) => source.kind === 'map');
    if (maps.length === sources.length) return maps;
    this.#fail('map merge requires map or sequence of maps as the value', line);
    return [];
  }

  #fail(message: string, line = this.#line): void {
    if (this.errors.length < MAX_ERRORS) this.errors.push({ line, message });
  }
}
