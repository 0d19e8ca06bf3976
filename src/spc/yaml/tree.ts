/**
 * The tree of a YAML document, as the rest of the program reads it: maps, lists, texts and nulls with their places.
 * Made by yaml-tree.ts, read by the checks of a SecretProviderClass, by `render` and by the test driver.
 */

/**
 * A YAML value as the manifests need it: scalars keep their text (`0755`, `1e3`, `true` stay what was written),
 * every node knows its line (from 1), aliases and merges (`<<`) are written out.
 */
export type Tree = MapTree | ListTree | TextTree | NullTree;

/**
 * The place of a value in its text, without anchor, tag and comments around it. A value of an alias or a merge has the
 * place of its anchor, which is outside of the map or list that holds it.
 */
export interface Span {
  /** From 1. */
  readonly line: number;
  /** Offset of the first character, in UTF-16 code units from 0. */
  readonly start: number;
  /** Offset behind the last character: equal to `start` for a null that is not written. */
  readonly end: number;
}

/** A mapping, in the order of the text. */
export interface MapTree extends Span {
  readonly kind: 'map';
  readonly entries: ReadonlyMap<string, MapEntry>;
}

/** A value of a mapping, and the place of its key. */
export interface MapEntry extends Span {
  readonly value: Tree;
}

/** A sequence. */
export interface ListTree extends Span {
  readonly kind: 'list';
  readonly items: readonly Tree[];
}

/** A scalar. */
export interface TextTree extends Span {
  readonly kind: 'text';
  readonly text: string;
  readonly quoted: boolean;
  /** Line on which the text itself begins: for a block scalar the line after its header. */
  readonly textLine: number;
}

/** `null`, `~` or nothing at all. */
export interface NullTree extends Span {
  readonly kind: 'null';
}

/** A place where YAML cannot be read, and the reason. */
export interface YamlError {
  /** From 1. */
  readonly line: number;
  /** Offset in the text, in UTF-16 code units from 0. */
  readonly offset: number;
  readonly message: string;
}

/** Returns the tree as plain data: maps as objects without prototype, scalars as strings. */
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

/** Returns the value of a name in a map, or undefined; other trees have no names. */
export function childOf(tree: Tree | undefined, name: string): Tree | undefined {
  return tree?.kind === 'map' ? tree.entries.get(name)?.value : undefined;
}

/** Returns the text at a path of names; empty if there is none. */
export function textOf(tree: Tree | undefined, ...path: readonly string[]): string {
  const value = path.reduce(childOf, tree);
  return value?.kind === 'text' ? value.text : '';
}

/** Returns the kind of a tree in the words of an error message, without its contents. */
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
