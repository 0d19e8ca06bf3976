/**
 * Cuts the text of a `keyVault` field out of its document. Called by find.ts. The text is copied with its comments. If
 * it needs an anchor of another part of the document, or holds a merge, it is written again from the data instead.
 */

import { isDeepStrictEqual } from 'node:util';
import { stringify } from 'yaml';
import { parseYaml } from '../spc/yaml/parse.ts';
import type { MapTree, Tree } from '../spc/yaml/tree.ts';

/** The text of a field. */
export interface FieldText {
  /** The field as YAML without its indentation. Merges, and aliases whose anchor is elsewhere, are written out. */
  readonly text: string;
  /**
   * True if line n of `text` is line n of the field in its source; false if the text was written again from the data.
   */
  readonly inPlace: boolean;
}

/** Returns the text of a map of `source`; `data` is what {@link dataOf} gives for the map. */
export function fieldText(map: MapTree, data: unknown, source: string): FieldText {
  const own = sliceOf(map, source);
  const holdsMerge = /(^|[\s{,?])["']?<<["']?\s*:/.test(own);
  if (!holdsMerge && isDeepStrictEqual(dataAlone(own), data)) return { text: own, inPlace: true };
  return { text: stringify(data, { schema: 'failsafe', lineWidth: 0 }), inPlace: false };
}

/**
 * Returns the data of a tree of `source`, with aliases and merges written out. Every scalar is a text; a null keeps its
 * written form.
 */
export function dataOf(tree: Tree, source: string): unknown {
  switch (tree.kind) {
    case 'map': {
      const data: Record<string, unknown> = Object.create(null);
      for (const [name, { value }] of tree.entries) data[name] = dataOf(value, source);
      return data;
    }
    case 'list':
      return tree.items.map((item) => dataOf(item, source));
    case 'text':
      return tree.text;
    case 'null':
      return source.slice(tree.start, tree.end);
  }
}

/** Returns the data of a text that is read by itself; undefined if it cannot be read by itself. */
function dataAlone(text: string): unknown {
  const parsed = parseYaml(text);
  const [tree] = parsed.ok ? parsed.documents : [];
  return tree && dataOf(tree, text);
}

/**
 * Returns the slice of a map without its indentation. In block style a comment at the end of the last line is included.
 */
function sliceOf({ start, end }: MapTree, source: string): string {
  const isFlow = source[start] === '{';
  const sliceEnd = isFlow ? end : end + source.slice(end).search(/[\r\n]|$/);
  // Blanks at the end of the last line may belong to a block scalar.
  const [first = '', ...rest] = source
    .slice(start, sliceEnd)
    .replace(/[\r\n]+$/, '')
    .split(/\r?\n/);
  const column = start - (source.lastIndexOf('\n', start - 1) + 1);
  const indents = rest.filter((line) => line.trim() !== '').map((line) => line.search(/[^ ]/));
  const width = isFlow ? Math.min(...indents) : column;
  const dedented = rest.map((line) => line.slice(Math.min(width, Math.max(0, line.search(/[^ ]|$/)))));
  return `${[first, ...dedented].join('\n')}\n`;
}
