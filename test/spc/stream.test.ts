import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readStream, type StreamDocument } from '../../src/spc/yaml/stream.ts';
import { plainOf, type Tree } from '../../src/spc/yaml/tree.ts';
import { rounds } from '../support/rounds.ts';
import { TABLE, TextMaker } from './yaml-texts.ts';

function slices(text: string): readonly string[] {
  return readStream(text).map(({ start, end }) => text.slice(start, end));
}

function treeOf({ read }: StreamDocument): Tree | undefined {
  return read.ok ? read.tree : undefined;
}

/** Returns the slice of the text for every value of a document, by its path. The path of the root is empty. */
function places(text: string): Readonly<Record<string, string>> {
  const all: Record<string, string> = {};
  const walk = (tree: Tree, path: string) => {
    all[path] = text.slice(tree.start, tree.end);
    if (tree.kind === 'list') for (const [index, item] of tree.items.entries()) walk(item, `${path}/${index}`);
    if (tree.kind !== 'map') return;
    for (const [name, { start, end, value }] of tree.entries) {
      all[`${path}/${name}?`] = text.slice(start, end);
      walk(value, `${path}/${name}`);
    }
  };
  for (const document of readStream(text)) {
    const tree = treeOf(document);
    if (tree !== undefined) walk(tree, '');
  }
  return all;
}

describe('the documents of a stream', () => {
  it.each<[string, string, readonly string[]]>([
    ['nothing', '', []],
    ['one', 'a: 1\n', ['a: 1\n']],
    ['comments only', '# a\n\n# b', ['# a\n\n# b']],
    ['several', 'a: 1\n---\nb: 2\n--- {c: 3}\n', ['a: 1\n', '---\nb: 2\n', '--- {c: 3}\n']],
    ['empty ones', '---\n---\n---', ['---\n', '---\n', '---']],
    ['comments before the first', '# a\n---\nb: 2\n', ['# a\n---\nb: 2\n']],
    ['comments below one', 'a: 1\n# a\n---\nb: 2\n', ['a: 1\n# a\n', '---\nb: 2\n']],
    ['ends', 'a: 1\n... # c\n# b\n---\nb: 2\n...\n...\n', ['a: 1\n... # c\n', '# b\n---\nb: 2\n...\n...\n']],
    ['what an end is followed by', 'a: 1\n...\nb: 2\n...\n# c\n', ['a: 1\n...\n', 'b: 2\n...\n# c\n']],
    [
      'directives',
      '%TAG !e! x\n---\na: !e!y z\n...\n%YAML 1.1\n---\nb',
      ['%TAG !e! x\n---\na: !e!y z\n...\n', '%YAML 1.1\n---\nb'],
    ],
    ['words that begin with dashes', '---a: 1\n....: 2\n', ['---a: 1\n....: 2\n']],
    ['Windows line ends', 'a: 1\r\n---\r\nb: 2\r\n...\r\nc\r\n', ['a: 1\r\n', '---\r\nb: 2\r\n...\r\n', 'c\r\n']],
    ['marks inside of values', 'a: |\n  ---\n  ...\nb: "x ---"\n', ['a: |\n  ---\n  ...\nb: "x ---"\n']],
  ])('%s', (_, text, expected) => {
    expect(slices(text)).toEqual(expected);
    expect(readStream(text).every(({ read }) => read.ok)).toBe(true);
  });

  it('are read beside others that cannot be read, whose mistakes have their places in the stream', () => {
    const text = '# é🔑\na: 1\n---\nb: [1,\n---\nc: "\n--- \nd: 4\nd: 5\n---\ne: 6\n';
    const documents = readStream(text);
    expect(documents.map(treeOf).map((tree) => tree && plainOf(tree))).toEqual([
      { a: '1' },
      undefined,
      undefined,
      undefined,
      { e: '6' },
    ]);
    const mistakes = documents.flatMap(({ read }) => (read.ok ? [] : read.errors));
    expect(mistakes.map(({ line, offset }) => [line, text.slice(offset, offset + 4)])).toEqual([
      [4, '[1,\n'],
      [6, '"\n--'],
      [9, 'd: 5'],
    ]);
    expect(documents.map(({ line }) => line)).toEqual([1, 3, 5, 7, 10]);
    expect(documents.map((document) => treeOf(document)?.line)).toEqual([2, undefined, undefined, undefined, 11]);
  });

  it('may be JSON, with what JSON has beyond YAML', () => {
    const text = '---\n\t{"a": "x\\/y"}\n---\n{"b": "\\ud83d\\ude00"}\n';
    expect(readStream(text).map((document) => plainOf(treeOf(document) as Tree))).toEqual([{ a: 'x/y' }, { b: '😀' }]);
  });
});

describe('the place of a value', () => {
  it.each<[string, string, object]>([
    ['a text', 'a:  b c  # d\n', { '': 'a:  b c', '/a?': 'a', '/a': 'b c' }],
    ['quotes', 'a: "b\n  c" # d\n\'e\' : f', { '/a': '"b\n  c"', '/e?': "'e'", '/e': 'f' }],
    ['a text on several lines', 'a: b\n  c \n# d\ne: f\n', { '/a': 'b\n  c', '/e': 'f' }],
    ['a block', 'a: |  # b\n  c\n\n  d\n\ne: f\n', { '/a': '|  # b\n  c\n\n  d\n', '/e?': 'e' }],
    ['a block that keeps its end', 'a: |+\n  c\n\n\ne: f\n', { '/a': '|+\n  c\n\n\n' }],
    ['nothing', 'a:\nb: # c\nd: ~\n', { '/a': '', '/b': '', '/d': '~', '': 'a:\nb: # c\nd: ~' }],
    [
      'a map in a map',
      'a:\n  # b\n  c: d # e\n  # f\ng: h\n',
      { '/a': 'c: d', '': 'a:\n  # b\n  c: d # e\n  # f\ng: h' },
    ],
    ['lists', 'a:\n- b\n-\nc:\n  - - d\n', { '/a': '- b\n-', '/a/1': '', '/c': '- - d', '/c/0': '- d' }],
    ['brackets', 'a: [b, {c: d}, ] # e\n', { '/a': '[b, {c: d}, ]', '/a/1': '{c: d}', '/a/1/c': 'd' }],
    ['pairs in brackets', '[a: b, c]', { '/0': 'a: b', '/0/a?': 'a', '/0/a': 'b', '/1': 'c' }],
    ['keys without value', '{a, b: , c}', { '/a?': 'a', '/a': '', '/b': '', '/c?': 'c' }],
    ['anchors and tags, which stand before it', 'a: &x !!str b\nc: !!map\n  d: e\n', { '/a': 'b', '/c': 'd: e' }],
    ['an alias, which is that of its anchor', 'a: &x {b: c}\nd: *x\n', { '/d': '{b: c}', '/d/b?': 'b' }],
    [
      'what is merged, which is where it is written',
      'a: &x {b: c}\nd: {<<: *x, e: f}\n',
      { '/d/b?': 'b', '/d/b': 'c' },
    ],
    ['characters of two units', '🔑: "🔑é"\na: 🔑\n', { '/🔑?': '🔑', '/🔑': '"🔑é"', '/a': '🔑' }],
    ['a byte order mark', '\uFEFFa: b\n', { '': 'a: b' }],
    ['the plainest map', 'a: b\nc: null\n', { '': 'a: b\nc: null', '/a?': 'a', '/c': 'null' }],
  ])('%s', (_, text, expected) => expect(places(text)).toMatchObject(expected));
});

/**
 * Texts without aliases and merges, whose values are elsewhere, and without tag handles, which have lines of their own.
 */
const texts = fc
  .oneof(
    fc.constantFrom(...TABLE),
    fc.integer().map((seed) => new TextMaker(seed).text()),
    fc
      .array(
        fc.integer().map((seed) => new TextMaker(seed).text()),
        { minLength: 2, maxLength: 3 },
      )
      .map((all) => all.join('\n---\n').replaceAll('\uFEFF', '')),
  )
  .map((text) => text.replaceAll(/[*]|<</g, 'x').replaceAll('!e!', '!'));

function inside(inner: { start: number; end: number }, outer: { start: number; end: number }): boolean {
  return outer.start <= inner.start && inner.start <= inner.end && inner.end <= outer.end;
}

/** Expects the parts of a value inside it, one after another. */
function expectNested(tree: Tree): void {
  const parts = tree.kind === 'list' ? tree.items : [];
  const entries = tree.kind === 'map' ? [...tree.entries.values()] : [];
  const inOrder = [...parts, ...entries.flatMap((entry) => [entry, entry.value])];
  for (const [index, part] of inOrder.entries()) {
    expect(inside(part, tree)).toBe(true);
    expect(part.start).toBeGreaterThanOrEqual(inOrder[index - 1]?.end ?? tree.start);
  }
  for (const child of [...parts, ...entries.map(({ value }) => value)]) expectNested(child);
}

/**
 * The slice of a value with the columns it has in the text; undefined where it says another thing by itself: behind a tag,
 * as a pair in brackets, as a text that means something at the start of a line.
 */
function alone(text: string, tree: Tree): string | undefined {
  const slice = text.slice(tree.start, tree.end);
  const before = text.slice(0, tree.start);
  const isFlow = /^[[{]/.test(slice);
  const isTagged = /!\S*\s*(&\S+\s*)?$/.test(before);
  const isBlockText = /^[|>]/.test(slice);
  if (isTagged || /\\[/u]/.test(slice) || /^(---|\.\.\.|\?|-$)|:$/.test(slice)) return undefined;
  if (isBlockText) return /^.[+-]?\d/.test(slice) ? undefined : slice;
  if (tree.kind === 'text' || tree.kind === 'null' || isFlow) return slice;
  const column = before.length - before.search(/[^\n\r\u0085\u2028\u2029]*$/);
  return before.startsWith('\uFEFF') && column === before.length ? slice : ' '.repeat(column) + slice;
}

function valuesOf(tree: Tree, parent?: Tree): readonly { tree: Tree; parent: Tree | undefined }[] {
  const below =
    tree.kind === 'list' ? tree.items : tree.kind === 'map' ? [...tree.entries.values()].map((e) => e.value) : [];
  return [{ tree, parent }, ...below.flatMap((child) => valuesOf(child, tree))];
}

describe('whatever a text holds', () => {
  it('its documents put together are the text', () => {
    const mark = fc.constantFrom('---', '...', '\n', '\r\n', '# c', '%YAML 1.1', 'a: 1', ' ', '"', '|', '[', '\u2028');
    const any = fc.oneof(
      texts,
      fc.string(),
      fc.array(mark).map((marks) => marks.join('')),
    );
    fc.assert(
      fc.property(any, (text) => {
        expect(slices(text).join('')).toBe(text);
        const documents = readStream(text);
        for (const [index, { start }] of documents.entries()) expect(start).toBe(documents[index - 1]?.end ?? 0);
      }),
      { numRuns: rounds(500, 5000) },
    );
  });

  it('values stand in their document, in one another and in order', () => {
    fc.assert(
      fc.property(texts, (text) => {
        for (const document of readStream(text)) {
          const tree = treeOf(document);
          if (tree === undefined) continue;
          expect(inside(tree, document)).toBe(true);
          expectNested(tree);
        }
      }),
      { numRuns: rounds(500, 5000) },
    );
  });

  it('the slice of a value means the value', () => {
    const counts = { map: 0, list: 0, text: 0, null: 0 };
    fc.assert(
      fc.property(texts, (text) => {
        for (const tree of readStream(text).flatMap((document) => treeOf(document) ?? [])) {
          for (const { tree: value, parent } of valuesOf(tree)) {
            const isPair = value.kind === 'map' && parent?.kind === 'list' && text[parent.start] === '[';
            const slice = isPair && text[value.start] !== '{' ? undefined : alone(text, value);
            if (slice === undefined) continue;
            const [again] = readStream(slice).map(({ read }) => read);
            expect(again?.ok ?? true, slice).toBe(true);
            expect(again?.ok && again.tree ? plainOf(again.tree) : null, slice).toEqual(plainOf(value));
            counts[value.kind]++;
          }
        }
      }),
      { numRuns: rounds(500, 5000) },
    );
    expect(Math.min(...Object.values(counts))).toBeGreaterThan(20);
  });
});
