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
  /** Least recently used first. */
  readonly #kept = new Map<string, { readonly parsed: T; readonly bytes: number }>();
  #bytes = 0;

  constructor(parse: (text: string, firstLine: number) => T, treesOf: (parsed: T) => readonly Tree[]) {
    this.#parse = parse;
    this.#treesOf = treesOf;
  }

  read(text: string, firstLine: number): T {
    const key = `${firstLine} ${text}`;
    const kept = this.#kept.get(key) ?? this.#sized(text, this.#parse(text, firstLine));
    this.#drop(key);
    if (kept.bytes > MAX_TREE_BYTES) return kept.parsed;
    this.#kept.set(key, kept);
    this.#bytes += kept.bytes;
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= MAX_BYTES) break;
      this.#drop(oldest);
    }
    return kept.parsed;
  }

  /** Aliases make trees larger than their texts, so that both count. */
  #sized(text: string, parsed: T): { readonly parsed: T; readonly bytes: number } {
    const nodes = this.#treesOf(parsed).reduce((sum, tree) => sum + nodesOf(tree), 1);
    return { parsed, bytes: 2 * text.length + nodes * NODE_BYTES };
  }

  #drop(key: string): void {
    this.#bytes -= this.#kept.get(key)?.bytes ?? 0;
    this.#kept.delete(key);
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
