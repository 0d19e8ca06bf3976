/**
 * Reads the value of a secret as JSON or YAML. Called by the conversion of `extract`. Its messages say where and why a
 * text cannot be read, and never what stands there.
 */

import { attempt } from './attempt.ts';
import { jsonForYaml } from './json-text.ts';
import type { Tree, YamlError } from './tree.ts';
import { DocumentReader } from './yaml-nodes.ts';
import { yamlSize } from './yaml-size.ts';
import { MAX_DEPTH, readDocument } from './yaml-tree.ts';

/** The tree of a value, or the reason why there is none. */
export type ReadContent =
  /** `size` is the {@link yamlSize} of the text. */
  { readonly ok: true; readonly tree: Tree; readonly size: number } | { readonly ok: false; readonly problem: string };

/** Limit of {@link yamlSize}: Key Vault stores 25 kB. */
const MAX_SIZE = 40_000;
const MAX_CHARS = 128 * 1024;
/** Mistakes whose messages quote the text, by their beginnings. */
const QUOTING: readonly (readonly [beginning: string, instead: string])[] = [
  ['mapping key', 'a key stands twice in one map'],
  ['unknown anchor', 'an alias names an anchor that is not there'],
];

/** Reads a value. Numbers, booleans and texts keep what was written. */
export function readContent(text: string): ReadContent {
  const size = yamlSize(text, MAX_SIZE);
  if (text.length > MAX_CHARS || size > MAX_SIZE)
    return {
      ok: false,
      problem: `is too large to be read: the limit is ${MAX_SIZE} lines, entries, brackets and quotes`,
    };
  const isJson = isValidJson(text);
  const source = isJson ? jsonForYaml(text.trimStart()) : text;
  const read = attempt(1, () => {
    const reader = new DocumentReader(source, {
      json: isJson || /^\s*[[{]/.test(source),
      maxDepth: MAX_DEPTH,
      reader: 'provider',
    });
    return { document: reader.next(), later: reader.next() };
  });
  if ('problem' in read) return unreadable(source, read.problem);
  const { document, later } = read.value;
  if (document === undefined) return { ok: false, problem: 'is empty' };
  if (later !== undefined) return { ok: false, problem: 'holds more than one YAML document' };
  const built = readDocument(document, { textLength: 0, firstLine: 1 });
  const [first] = built.ok ? [] : built.errors;
  if (first !== undefined) return unreadable(source, first);
  if (!built.ok) throw new Error('a document without errors gave no tree');
  const { tree } = built;
  if (tree.kind === 'map' || tree.kind === 'list') return { ok: true, tree, size };
  return {
    ok: false,
    problem: `is ${tree.kind === 'null' ? 'empty' : 'a plain text'}, not a map or a list of JSON or YAML`,
  };
}

function isValidJson(text: string): boolean {
  if (!/^\s*[[{]/.test(text)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function unreadable(source: string, { line, offset, message }: YamlError): ReadContent {
  const before = source.slice(0, offset);
  const column = offset - Math.max(before.lastIndexOf('\n'), before.lastIndexOf('\r'));
  const fixed = QUOTING.find(([beginning]) => message.startsWith(beginning))?.[1] ?? message;
  return { ok: false, problem: `cannot be read as JSON or YAML: line ${line}, column ${column}: ${fixed}` };
}
