/**
 * Makes the tree of a YAML document from its nodes: aliases and merges are written out, tags applied. Called by
 * parse.ts, manifests.ts and stream.ts. Refuses duplicate keys, keys that are not text, unknown anchors, and aliases
 * that unfold to too many values.
 */

import { quote } from '../../base/words.ts';
import type { MapEntry, MapTree, Span, Tree, YamlError } from './tree.ts';
import type { MapNode, ScalarNode, YamlDocument, YamlNode } from './yaml-nodes.ts';
import { isMerge, readScalar } from './yaml-types.ts';

/** Levels of collections in one another. */
export const MAX_DEPTH = 100;
/** Values that a document of parameters may hold with its aliases; a manifest may hold one more for each character. */
const MAX_UNFOLDED = 20_000;
/** Characters of scalars, in the same way. */
const MAX_UNFOLDED_CHARS = 256 * 1024;
/** Mistakes that are reported for one document. */
export const MAX_ERRORS = 5;

/** The tree of a document, or the mistakes in it. */
export type ReadDocument =
  | { readonly ok: true; readonly tree: Tree }
  | { readonly ok: false; readonly errors: readonly YamlError[] };

/** Options of {@link readDocument}. */
export interface ReadOptions {
  /** Length of the text around the document; 0 for a text of parameters, whose size is bounded. */
  readonly textLength: number;
  /** Number of the text's first line. */
  readonly firstLine: number;
  /** Offset of the text in the one that it is part of; 0 by default. */
  readonly firstOffset?: number;
  /** The meaning of the tag `!`: its value is text, as for kubectl, or nothing, as for the official provider. */
  readonly tag?: 'text' | 'nothing';
}

/** Makes the tree of a document. */
export function readDocument({ root }: YamlDocument, options: ReadOptions): ReadDocument {
  const growing = new TreeBuilder(options);
  const tree = growing.build(root, 0);
  return growing.errors.length > 0 ? { ok: false, errors: growing.errors } : { ok: true, tree };
}

class TreeBuilder {
  readonly errors: YamlError[] = [];
  readonly #anchors = new Map<string, YamlNode>();
  readonly #anchored = new Set<YamlNode>();
  readonly #firstLine: number;
  readonly #firstOffset: number;
  readonly #tagIsText: boolean;
  #left: number;
  #charsLeft: number;

  constructor({ textLength, firstLine, firstOffset = 0, tag = 'nothing' }: ReadOptions) {
    this.#left = textLength + MAX_UNFOLDED;
    this.#charsLeft = textLength + MAX_UNFOLDED_CHARS;
    this.#firstLine = firstLine;
    this.#firstOffset = firstOffset;
    this.#tagIsText = tag === 'text';
  }

  build(node: YamlNode, depth: number): Tree {
    const span = this.#spanOf(node);
    if (node.kind === 'scalar') this.#charsLeft -= node.text.length;
    if (--this.#left < 0 || this.#charsLeft < 0 || depth > MAX_DEPTH) {
      this.#fail(`it nests deeper than ${MAX_DEPTH}, or holds aliases that unfold to too many values`, span);
      return { kind: 'null', ...span };
    }
    if (node.kind === 'alias') {
      const target = this.#anchors.get(node.name);
      if (target !== undefined) return this.build(target, depth + 1);
      this.#fail(`unknown anchor ${quote(node.name)} referenced`, span);
      return { kind: 'null', ...span };
    }
    if (node.anchor !== '' && !this.#anchored.has(node)) {
      this.#anchored.add(node);
      this.#anchors.set(node.anchor, node);
    }
    if (node.kind === 'map') return { kind: 'map', ...span, entries: this.#entries(node, depth) };
    if (node.kind === 'list')
      return { kind: 'list', ...span, items: node.items.map((item) => this.build(item, depth + 1)) };
    return this.#scalar(node, span);
  }

  #spanOf({ line, start, end }: YamlNode): Span {
    return { line: line + this.#firstLine, start: start + this.#firstOffset, end: end + this.#firstOffset };
  }

  #scalar(node: ScalarNode, span: Span): Tree {
    const read = readScalar(node.tag === '!' && this.#tagIsText ? { ...node, style: 'quoted' } : node);
    if (read.kind === 'null') return { kind: 'null', ...span };
    if (read.kind === 'wrong') {
      this.#fail(read.message, span);
      return { kind: 'null', ...span };
    }
    return {
      kind: 'text',
      ...span,
      text: read.text,
      quoted: read.quoted,
      textLine: node.style === 'block' ? span.line + 1 : span.line,
    };
  }

  #entries({ pairs }: MapNode, depth: number): ReadonlyMap<string, MapEntry> {
    const own = new Map<string, MapEntry>();
    const lines = new Map<string, number>();
    let merged: MapTree[] = [];
    for (const [key, value] of pairs) {
      const name = this.build(key, depth + 1);
      const { line, start, end } = name;
      const entry = { line, start, end, value: this.build(value, depth + 1) };
      const word = this.#newKey(name, lines);
      if (word === undefined) continue;
      if (isMerge(key)) merged = this.#merged(entry);
      else own.set(word, entry);
    }
    for (const { entries } of merged) {
      for (const [name, entry] of entries) if (!own.has(name)) own.set(name, entry);
    }
    return own;
  }

  /**
   * Returns the text of a key that its map does not have yet, put into `lines`; undefined, and an error, for any other.
   */
  #newKey(name: Tree, lines: Map<string, number>): string | undefined {
    if (name.kind === 'map' || name.kind === 'list') {
      this.#fail('a key must be text; a text that begins with a bracket or a brace belongs in quotes', name);
      return undefined;
    }
    const word = name.kind === 'text' ? name.text : '';
    const known = lines.get(word);
    if (known !== undefined) {
      this.#fail(`mapping key ${quote(word)} already defined at line ${known}`, name);
      return undefined;
    }
    lines.set(word, name.line);
    return word;
  }

  #merged({ value, ...key }: MapEntry): MapTree[] {
    const sources = value.kind === 'list' ? value.items : [value];
    const maps = sources.filter((source) => source.kind === 'map');
    if (maps.length === sources.length) return maps;
    this.#fail('map merge requires map or sequence of maps as the value', key);
    return [];
  }

  #fail(message: string, { line, start }: Span): void {
    if (this.errors.length < MAX_ERRORS) this.errors.push({ line, offset: start, message });
  }
}
