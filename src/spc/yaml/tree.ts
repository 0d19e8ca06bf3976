import { DocumentReader, type YamlDocument } from './yaml-nodes.ts';
import { YamlProblem } from './yaml-source.ts';
import { MAX_DEPTH, readDocument } from './yaml-tree.ts';
import { NULL_WORDS } from './yaml-types.ts';

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

const MAX_ERRORS = 5;

/** What to do about a mistake, by Go's words for it. */
const REMEDIES: Readonly<Record<string, string>> = {
  'mapping values are not allowed in this context':
    'put a text that holds ": " in quotes, and begin each entry on a line of its own',
  "could not find expected ':'": 'a key needs a colon and a space behind it, on the same line',
  'found character that cannot start any token':
    'indent with spaces, not with tabs, and put a text that begins with @ or ` in quotes',
  'found a tab character where an indentation space is expected': 'indent with spaces',
  'found a tab character that violates indentation': 'indent with spaces',
  'found unexpected end of stream': 'a quote is not closed',
  'found unexpected document indicator': 'a quote is not closed',
  'did not find expected key': 'the entries of one map or list start at the same column',
  "did not find expected '-' indicator": 'the entries of one map or list start at the same column',
  'did not find expected node content': 'a value is missing, or a bracket is not closed',
  "did not find expected ',' or ']'": 'a bracket is not closed, or a comma is missing',
  "did not find expected ',' or '}'": 'a brace is not closed, or a comma is missing',
  'found unknown escape character': 'write \\\\ for a backslash, or use single quotes',
  'found incompatible YAML document': 'leave the %YAML line out',
};

/**
 * Reads all documents of a YAML (or JSON) text. Duplicate keys are errors.
 * `firstLine` is the line number of the text's first line, for texts that stand inside another.
 */
export function parseYaml(text: string, firstLine = 1): ParsedYaml {
  const all = attempt(firstLine, () => allDocuments(text));
  if ('problem' in all) return { ok: false, errors: [all.problem] };
  const read = all.value.map((document) => readDocument(document, { textLength: text.length, firstLine }));
  const errors = read.flatMap((one) => (one.ok ? [] : one.errors));
  return errors.length > 0
    ? { ok: false, errors: errors.slice(0, MAX_ERRORS) }
    : { ok: true, documents: read.flatMap((one) => (one.ok ? [one.tree] : [])) };
}

/** One document of a file of manifests: its text, the number of its first line in the file, and what was read of it. */
export interface ManifestPart {
  readonly text: string;
  readonly line: number;
  readonly read: ParsedYaml;
}

/**
 * Reads a file of manifests as kubectl does: documents are what stands between lines that begin with `---`, and what
 * follows the first document of such a part is passed over.
 */
export function parseManifests(file: string): ParsedYaml {
  const read = readManifestParts(file).map((part) => part.read);
  const errors = read.flatMap((one) => (one.ok ? [] : one.errors));
  return errors.length > 0
    ? { ok: false, errors: errors.slice(0, MAX_ERRORS) }
    : { ok: true, documents: read.flatMap((one) => (one.ok ? one.documents : [])) };
}

/** Reads the documents of such a file one by one: those that can be read, and those that cannot. */
export function readManifestParts(file: string): readonly ManifestPart[] {
  const text = file.replaceAll('\r\n', '\n').replace(/[^\n]$/, '$&\n');
  const parts: { readonly text: string; readonly line: number }[] = [];
  let begin = { at: 0, line: 1 };
  let line = 1;
  for (let at = 0; at < text.length; line++) {
    const end = text.indexOf('\n', at) + 1;
    if (text.startsWith('---', at)) {
      const rest = text.slice(at + 3, end).trim();
      const read: ParsedYaml = { ok: false, errors: [{ line, message: BAD_SEPARATOR }] };
      if (rest !== '' && !rest.startsWith('#')) return [{ text, line: 1, read }];
      if (at > begin.at) {
        parts.push({ text: text.slice(begin.at, at), line: begin.line });
        begin = { at: end, line: line + 1 };
      }
    }
    at = end;
  }
  parts.push({ text: text.slice(begin.at), line: begin.line });
  return parts.map((part) => ({ ...part, read: readPart(part.text, part.line) }));
}

const BAD_SEPARATOR = 'invalid Yaml document separator: nothing but a comment may follow "---" on its line';

function readPart(part: string, firstLine: number): ParsedYaml {
  // In front of JSON kubectl takes tabs, too.
  const text = part.replace(/^[ \t\r\n]+(?=\{)/, (blanks) => blanks.replaceAll('\t', ' '));
  const first = attempt(firstLine, () => readerOf(text, 'kubectl').next());
  if ('problem' in first) return { ok: false, errors: [first.problem] };
  if (first.value === undefined) return { ok: true, documents: [] };
  const read = readDocument(first.value, { textLength: text.length, firstLine, tag: 'text' });
  return read.ok ? { ok: true, documents: [read.tree] } : read;
}

/** Reads the first document of a YAML (or JSON) text; see {@link parseYaml}. */
export function parseFirstDocument(text: string, firstLine = 1): ParsedDocument {
  const plain = PLAIN_MAP.test(text) ? plainMap(text, firstLine) : undefined;
  if (plain !== undefined) return { ok: true, document: plain, laterLine: undefined };
  const first = attempt(firstLine, () => {
    const reader = readerOf(text);
    return { reader, document: reader.next() };
  });
  if ('problem' in first) return { ok: false, errors: [first.problem] };
  const { reader, document } = first.value;
  if (document === undefined) return { ok: true, document: undefined, laterLine: undefined };
  const read = readDocument(document, { textLength: 0, firstLine });
  if (!read.ok) return { ok: false, errors: read.errors };
  const later = attempt(firstLine, () => reader.nextLine());
  const laterLine =
    'problem' in later ? later.problem.line : later.value === undefined ? undefined : later.value + firstLine;
  return { ok: true, document: read.tree, laterLine };
}

/** A word and a word on each line: most objects of most manifests, and nothing in which YAML could see anything else. */
const PLAIN_MAP = /^(?:[A-Za-z]{1,100}: [A-Za-z0-9][\w./-]*\n)+$/;

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

/** What stands under a name of a map; undefined in anything else. */
export function childOf(tree: Tree | undefined, name: string): Tree | undefined {
  return tree?.kind === 'map' ? tree.entries.get(name)?.value : undefined;
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

function readerOf(text: string, reader: 'provider' | 'kubectl' = 'provider'): DocumentReader {
  return new DocumentReader(text, { json: /^\s*\{/.test(text), maxDepth: MAX_DEPTH, reader });
}

/** What `read` gives, or the mistake that ends the reading. */
function attempt<T>(firstLine: number, read: () => T): { readonly value: T } | { readonly problem: YamlError } {
  try {
    return { value: read() };
  } catch (error) {
    if (!(error instanceof YamlProblem)) throw error;
    const remedy = REMEDIES[error.message];
    const message = remedy === undefined ? error.message : `${error.message}; ${remedy}`;
    return { problem: { line: error.line + firstLine, message } };
  }
}

function allDocuments(text: string): readonly YamlDocument[] {
  const reader = readerOf(text);
  const documents: YamlDocument[] = [];
  for (let next = reader.next(); next !== undefined; next = reader.next()) documents.push(next);
  return documents;
}
