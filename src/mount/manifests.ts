import { RecentlyUsed } from '../base/recently-used.ts';
import {
  type ParsedDocument,
  type ParsedYaml,
  parseFirstDocument,
  parseYaml,
  type Tree,
  type YamlReader,
} from '../spc/tree.ts';

/** Estimated bytes of all trees of one kind that are kept, and of one of them. */
const MAX_BYTES = 2 * 1024 * 1024;
const MAX_TREE_BYTES = MAX_BYTES / 8;
const NODE_BYTES = 200;

/**
 * Reads each YAML text of the manifests once: the pods of a workload, and every republish, come with the same ones.
 * Bounded by bytes; the text unused for longest goes first. What is kept is what manifests say, which is no secret.
 */
export class Manifests implements YamlReader {
  readonly #all = new RecentTexts<ParsedYaml>(parseYaml, (parsed) => (parsed.ok ? parsed.documents : []));
  readonly #first = new RecentTexts<ParsedDocument>(parseFirstDocument, (parsed) =>
    parsed.ok && parsed.document !== undefined ? [parsed.document] : [],
  );

  all(text: string, firstLine: number): ParsedYaml {
    return this.#all.read(text, firstLine);
  }

  first(text: string, firstLine: number): ParsedDocument {
    return this.#first.read(text, firstLine);
  }
}

class RecentTexts<T> {
  readonly #parse: (text: string, firstLine: number) => T;
  readonly #treesOf: (parsed: T) => readonly Tree[];
  readonly #kept = new RecentlyUsed<{ readonly parsed: T }>({ bytes: MAX_BYTES });

  constructor(parse: (text: string, firstLine: number) => T, treesOf: (parsed: T) => readonly Tree[]) {
    this.#parse = parse;
    this.#treesOf = treesOf;
  }

  read(text: string, firstLine: number): T {
    const key = `${firstLine} ${text}`;
    const kept = this.#kept.get(key);
    if (kept !== undefined) return kept.parsed;
    const parsed = this.#parse(text, firstLine);
    const bytes = this.#sizeOf(text, parsed);
    if (bytes <= MAX_TREE_BYTES) this.#kept.set(key, { parsed }, bytes);
    return parsed;
  }

  /** Aliases make trees larger than their texts, so that both count. */
  #sizeOf(text: string, parsed: T): number {
    const nodes = this.#treesOf(parsed).reduce((sum, tree) => sum + nodesOf(tree), 1);
    return 2 * text.length + nodes * NODE_BYTES;
  }
}

function nodesOf(tree: Tree): number {
  switch (tree.kind) {
    case 'map':
      return [...tree.entries.values()].reduce((sum, { value }) => sum + nodesOf(value), 1);
    case 'list':
      return tree.items.reduce((sum, item) => sum + nodesOf(item), 1);
    case 'text':
    case 'null':
      return 1;
  }
}
