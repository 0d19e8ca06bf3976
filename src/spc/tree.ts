import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseAllDocuments, Scalar } from 'yaml';

/**
 * A YAML value as the manifests need it: scalars keep their text (`0755`, `1e3`, `true` stay what was written),
 * every node knows its line (from 1).
 */
export type Tree = MapTree | ListTree | TextTree | NullTree;

/** A mapping, in the order of the text. */
export interface MapTree {
  readonly kind: 'map';
  readonly line: number;
  readonly entries: ReadonlyMap<string, { readonly line: number; readonly value: Tree }>;
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

const MAX_NODES = 20_000;
const MAX_DEPTH = 100;
const NULL_WORDS = new Set(['', '~', 'null', 'Null', 'NULL']);

/**
 * Reads all documents of a YAML (or JSON) text. Duplicate keys are errors.
 * `firstLine` is the line number of the text's first line, for texts that stand inside another.
 */
export function parseYaml(text: string, firstLine = 1): ParsedYaml {
  const lineCounter = new LineCounter();
  const documents = parseAllDocuments(text, { schema: 'failsafe', lineCounter, prettyErrors: false });
  if (!Array.isArray(documents)) return { ok: true, documents: [] };
  const lineAt = (offset: number) => Math.max(1, lineCounter.linePos(offset).line) + firstLine - 1;
  const errors: YamlError[] = [];
  const trees: Tree[] = [];
  for (const document of documents) {
    if (document.errors.length > 0) {
      for (const error of document.errors) errors.push({ line: lineAt(error.pos[0]), message: error.message });
      continue;
    }
    let nodes = 0;
    const convert = (node: Node | null | undefined, depth: number): Tree => {
      if (++nodes > MAX_NODES || depth > MAX_DEPTH) {
        throw new Unreadable(`it holds more than ${MAX_NODES} values or nests deeper than ${MAX_DEPTH}`);
      }
      const line = node?.range ? lineAt(node.range[0]) : firstLine;
      if (isAlias(node)) {
        const target = node.resolve(document);
        if (target === undefined) throw new Unreadable(`the alias *${node.source} is not defined`);
        return convert(target, depth + 1);
      }
      if (isMap(node)) {
        const entries = new Map<string, { line: number; value: Tree }>();
        for (const { key, value } of node.items) {
          const name = convert(key as Node, depth + 1);
          entries.set(name.kind === 'text' ? name.text : '', {
            line: name.line,
            value: convert(value as Node | null, depth + 1),
          });
        }
        return { kind: 'map', line, entries };
      }
      if (isSeq(node)) return { kind: 'list', line, items: node.items.map((item) => convert(item as Node, depth + 1)) };
      if (!isScalar(node)) return { kind: 'null', line };
      const text = String(node.value ?? '');
      const plain = node.type === undefined || node.type === Scalar.PLAIN;
      if (plain && NULL_WORDS.has(text)) return { kind: 'null', line };
      const block = node.type === Scalar.BLOCK_LITERAL || node.type === Scalar.BLOCK_FOLDED;
      return { kind: 'text', line, text, quoted: !plain && !block, textLine: block ? line + 1 : line };
    };
    try {
      trees.push(convert(document.contents as Node | null, 0));
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error;
      errors.push({ line: firstLine, message: error.message });
    }
  }
  return errors.length > 0 ? { ok: false, errors } : { ok: true, documents: trees };
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

/** What a tree is, in the words of an error message. */
export function kindOf(tree: Tree): string {
  switch (tree.kind) {
    case 'map':
      return 'a map';
    case 'list':
      return 'a list';
    case 'text':
      return `the text ${JSON.stringify(tree.text.length > 40 ? `${tree.text.slice(0, 40)}…` : tree.text)}`;
    case 'null':
      return 'nothing';
  }
}

class Unreadable extends Error {}
