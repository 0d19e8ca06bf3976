/**
 * The tree of a YAML document, as the rest of the program reads it: maps, lists, texts and nulls with their places. Made by
 * yaml-tree.ts, read by the checks of a SecretProviderClass, by `render` and by the test driver.
 */

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
