/**
 * Reads a stream of YAML documents one by one, each with its slice of the text. Called by `render`. A
 * document that cannot be read does not keep the others from being read.
 */

import { attempt } from './attempt.ts';
import type { Tree, YamlError } from './tree.ts';
import { DocumentReader } from './yaml-nodes.ts';
import { MAX_DEPTH, readDocument } from './yaml-tree.ts';

/** One document of a stream. The slices of all documents, put together, are the text. */
export interface StreamDocument {
  /** Offset at which the slice begins: that of `---`, or of the comments and directives before it. */
  readonly start: number;
  /** Offset behind the slice. */
  readonly end: number;
  /** Line on which the slice begins, from 1. */
  readonly line: number;
  /** Lines and offsets in it are those of the stream. */
  readonly read: ReadStreamDocument;
}

/** The tree of a document, which is undefined if the document holds comments only, or the mistakes in it. */
export type ReadStreamDocument =
  | { readonly ok: true; readonly tree: Tree | undefined }
  | { readonly ok: false; readonly errors: readonly YamlError[] };

interface Slice {
  readonly start: number;
  readonly end: number;
}

/** Reads all documents of a text. An empty text has none. */
export function readStream(text: string): readonly StreamDocument[] {
  let line = 1;
  return slicesOf(text).map(({ start, end }) => {
    const slice = text.slice(start, end);
    const document = { start, end, line, read: readSlice(slice, { firstLine: line, firstOffset: start }) };
    line += slice.match(LINE_BREAK)?.length ?? 0;
    return document;
  });
}

const LINE_BREAK = /\r\n?|[\n\u0085\u2028\u2029]/g;
/** A line that begins with `---`, or all of one that begins with `...`. No value holds such a line. */
const DOCUMENT_MARK =
  /(?<=^|[\n\r\u0085\u2028\u2029])(?:---(?![^ \t\n\r\u0085\u2028\u2029])|\.\.\.(?![^ \t\n\r\u0085\u2028\u2029])[^\n\r\u0085\u2028\u2029]*(?:\r\n?|[\n\u0085\u2028\u2029])?)/g;

/**
 * Returns the number of `---` in a text, or that of `...` if it is larger: each document has at most one of each. Reads
 * no document, so that a caller can refuse a text before it is read.
 */
export function countDocumentMarks(text: string): number {
  let [beginnings, ends] = [0, 0];
  for (const { 0: mark } of text.matchAll(DOCUMENT_MARK)) {
    if (mark === '---') beginnings++;
    else ends++;
  }
  return Math.max(beginnings, ends);
}

/** Cuts a text before each `---` and behind each `...`; comments and directives belong to the document below them. */
function slicesOf(text: string): readonly Slice[] {
  const slices: Slice[] = [];
  let start = 0;
  const cut = (end: number) => {
    slices.push({ start, end });
    start = end;
  };
  const extend = (end: number) => {
    const last = slices.pop();
    start = last?.start ?? 0;
    cut(end);
  };
  for (const { 0: mark, index } of text.matchAll(DOCUMENT_MARK)) {
    const isBare = isPreamble(text.slice(start, index));
    if (mark === '---') {
      if (!isBare) cut(index);
    } else if (isBare) extend(index + mark.length);
    else cut(index + mark.length);
  }
  if (start === text.length) return slices;
  if (isPreamble(text.slice(start))) extend(text.length);
  else cut(text.length);
  return slices;
}

/** True for a text of comments, directives and empty lines. */
function isPreamble(text: string): boolean {
  return text.split(LINE_BREAK).every((line) => /^\s*(#|$)|^%/.test(line));
}

function readSlice(
  slice: string,
  { firstLine, firstOffset }: { readonly firstLine: number; readonly firstOffset: number },
): ReadStreamDocument {
  // In front of JSON kubectl takes tabs, too.
  const text = slice.replace(/^(?:---)?[ \t\r\n]+(?=\{)/, (blanks) => blanks.replaceAll('\t', ' '));
  const read = attempt(firstLine, () => {
    const json = /^(?:---)?\s*\{/.test(text);
    const reader = new DocumentReader(text, { json, maxDepth: MAX_DEPTH, reader: 'kubectl' });
    const document = reader.next();
    // The rest behind the document is read to find mistakes in it.
    while (reader.next() !== undefined);
    return document;
  });
  if ('problem' in read) {
    const { offset, ...problem } = read.problem;
    return { ok: false, errors: [{ ...problem, offset: offset + firstOffset }] };
  }
  if (read.value === undefined) return { ok: true, tree: undefined };
  return readDocument(read.value, { textLength: slice.length, firstLine, firstOffset, tag: 'text' });
}
