/**
 * Makes changes in the text of a YAML or JSON document by insertion, so that every other character stays. Called by
 * rewrite.ts, which checks the result. Gives up where the text of a value is elsewhere: at an alias or a merge.
 */

import type { ListTree, MapTree, Tree } from '../../spc/yaml/tree.ts';
import { blockLines } from './block-text.ts';
import type { Change } from './changes.ts';
import type { Path } from './data.ts';

/** A replacement of a part of the text. */
interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
  /** The number of levels above the place; of insertions at one offset the deepest is the first. */
  readonly depth: number;
}

/**
 * Returns the text with the changes made, or undefined if one cannot be made by insertion. `tree` is that of the text;
 * `newLine` is the line break of the text.
 */
export function spliceChanges(
  text: string,
  tree: Tree,
  changes: readonly Change[],
  newLine: string,
): string | undefined {
  const edits: Edit[] = [];
  for (const { path, values } of grouped(changes)) {
    const edit = editOf(text, tree, path, values);
    if (edit === undefined) return undefined;
    edits.push(edit);
  }
  const ordered = edits.toSorted((a, b) => a.start - b.start || b.depth - a.depth);
  let result = '';
  let next = 0;
  for (const { start, end, text: inserted } of ordered) {
    if (start < next) return undefined;
    result += text.slice(next, start) + (newLine === '\n' ? inserted : inserted.replaceAll('\n', newLine));
    next = end;
  }
  return result + text.slice(next);
}

interface Group {
  /** Leads to the element, to the name, or to the first of several new elements of a list. */
  readonly path: Path;
  readonly values: readonly unknown[];
}

/** Puts changes that append to one list together. */
function grouped(changes: readonly Change[]): readonly Group[] {
  const groups: { readonly path: Path; readonly values: unknown[]; readonly key: string }[] = [];
  for (const { op, path, value } of changes) {
    const key = op === 'add' && typeof path.at(-1) === 'number' ? JSON.stringify(path.slice(0, -1)) : '';
    const same = key === '' ? undefined : groups.find((group) => group.key === key);
    if (same === undefined) groups.push({ path, values: [value], key });
    else same.values.push(value);
  }
  return groups;
}

function editOf(text: string, root: Tree, path: Path, values: readonly unknown[]): Edit | undefined {
  const container = nodeAt(root, path.slice(0, -1));
  const key = path.at(-1);
  if (container === undefined || key === undefined) return undefined;
  const depth = path.length;
  const existing = childAt(container, key);
  if (existing !== undefined) {
    if (existing.start < container.start || existing.end > container.end) return undefined;
    return replacement(text, existing, { value: values[0], depth });
  }
  if (container.kind === 'map' && typeof key === 'string') return insertion(text, container, { values, key, depth });
  return container.kind === 'list' && key === container.items.length
    ? insertion(text, container, { values, depth })
    : undefined;
}

/** Returns the node at a path; undefined if it is not there, or if its text is outside of the node above it. */
function nodeAt(root: Tree, path: Path): Tree | undefined {
  return path.reduce<Tree | undefined>((node, key) => {
    const child = node === undefined ? undefined : childAt(node, key);
    if (node === undefined || child === undefined) return undefined;
    return child.start >= node.start && child.end <= node.end ? child : undefined;
  }, root);
}

function childAt(node: Tree, key: string | number): Tree | undefined {
  if (node.kind === 'list') return typeof key === 'number' ? node.items[key] : undefined;
  return node.kind === 'map' && typeof key === 'string' ? node.entries.get(key)?.value : undefined;
}

interface Replacing {
  readonly value: unknown;
  readonly depth: number;
}

function replacement(text: string, { kind, start, end }: Tree, { value, depth }: Replacing): Edit {
  const isBlock = (kind === 'map' || kind === 'list') && !isFlow(text, start);
  // A null that is not written follows its key or dash, without a blank in between.
  if (!isBlock)
    return { start, end, depth, text: `${/[\s]/.test(text[start - 1] ?? '') ? '' : ' '}${JSON.stringify(value)}` };
  const lines = blockLines(value);
  const indent = ' '.repeat(columnOf(text, start));
  const lineEnd = text.slice(start, end).endsWith('\n') ? '\n' : '';
  return { start, end, depth, text: lines.join(`\n${indent}`) + lineEnd };
}

interface Inserting {
  readonly values: readonly unknown[];
  /** The name of the value in a map; absent for elements of a list. */
  readonly key?: string;
  readonly depth: number;
}

function insertion(text: string, container: MapTree | ListTree, { values, key, depth }: Inserting): Edit {
  if (isFlow(text, container.start))
    return flowInsertion(text, container, { values, depth, ...(key === undefined ? {} : { key }) });
  const lines = blockLines(key === undefined ? values : { [key]: values[0] });
  const indent = ' '.repeat(columnOf(text, container.start));
  const at = lineEndAt(text, container.end);
  const before = text[at - 1] === '\n' ? '' : '\n';
  return {
    start: at,
    end: at,
    depth,
    text: before + lines.map((line) => `${line === '' ? '' : indent + line}\n`).join(''),
  };
}

function flowInsertion(text: string, container: MapTree | ListTree, { values, key, depth }: Inserting): Edit {
  const entries = container.kind === 'list' ? container.items : [...container.entries.values()];
  const last = entries.at(-1);
  const isOwn = (one: { start: number; end: number }) => one.start > container.start && one.end < container.end;
  const value = last !== undefined && 'value' in last ? last.value : last;
  const at = value === undefined ? container.start + 1 : isOwn(value) ? value.end : container.end - 1;
  const lead =
    last === undefined || !isOwn(last) ? undefined : /\n([ \t]*)$/.exec(text.slice(container.start, last.start))?.[1];
  const json = (one: unknown) =>
    lead === undefined ? JSON.stringify(one) : JSON.stringify(one, null, 2).replaceAll('\n', `\n${lead}`);
  const parts = values.map((one) => (key === undefined ? json(one) : `${JSON.stringify(key)}: ${json(one)}`));
  const separator = lead === undefined ? ', ' : `,\n${lead}`;
  return { start: at, end: at, depth, text: `${last === undefined ? '' : separator}${parts.join(separator)}` };
}

function isFlow(text: string, start: number): boolean {
  return text[start] === '{' || text[start] === '[';
}

/** Returns the column of an offset, from 0. A byte order mark has no column. */
function columnOf(text: string, offset: number): number {
  const start = text.lastIndexOf('\n', offset - 1) + 1;
  return offset - start - (text[start] === '\uFEFF' ? 1 : 0);
}

/** Returns the offset behind the line break of the line that a value ends on. A block text ends behind it already. */
function lineEndAt(text: string, end: number): number {
  if (text[end - 1] === '\n') return end;
  const lineBreak = text.indexOf('\n', end);
  return lineBreak === -1 ? text.length : lineBreak + 1;
}
