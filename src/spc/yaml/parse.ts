/**
 * Reads YAML texts in a parameter of a SecretProviderClass, as the official provider reads them. Called by
 * the readers of `objects` and `keyVault`, and by `render`. Refuses what Go's YAML reader refuses.
 */

import { attempt, readerOf } from './attempt.ts';
import { plainMap } from './plain-map.ts';
import type { Tree, YamlError } from './tree.ts';
import type { YamlDocument } from './yaml-nodes.ts';
import { MAX_ERRORS, readDocument } from './yaml-tree.ts';

/** The documents of a text, or the reasons why it cannot be read. */
export type ParsedYaml =
  | { readonly ok: true; readonly documents: readonly Tree[] }
  | { readonly ok: false; readonly errors: readonly YamlError[] };

/** The first document of a text, or the reasons why it cannot be read. Later documents are not read. */
export type ParsedDocument =
  /** `document` is undefined for an empty text; `laterLine` is the line on which a second document begins. */
  | { readonly ok: true; readonly document: Tree | undefined; readonly laterLine: number | undefined }
  | { readonly ok: false; readonly errors: readonly YamlError[] };

/**
 * Reads all documents of a YAML (or JSON) text. Duplicate keys are errors.
 * `firstLine` is the line number of the text's first line, for texts that are part of another text.
 */
export function parseYaml(text: string, firstLine = 1): ParsedYaml {
  const all = attempt(firstLine, () => allDocuments(text));
  if ('problem' in all) return { ok: false, errors: [all.problem] };
  const read = all.value.map((document) => readDocument(document, { textLength: text.length, firstLine }));
  const errors = read.flatMap((one) => (one.ok ? [] : one.errors));
  return errors.length > 0
    ? { ok: false, errors: errors.slice(0, MAX_ERRORS) }
    : { ok: true, documents: read.flatMap((one) => (one.ok ? [one.tree] : [])) };
}

/** Reads the first document of a YAML (or JSON) text; see {@link parseYaml}. */
export function parseFirstDocument(text: string, firstLine = 1): ParsedDocument {
  const plain = plainMap(text, firstLine);
  if (plain !== undefined) return { ok: true, document: plain, laterLine: undefined };
  const first = attempt(firstLine, () => {
    const reader = readerOf(text);
    return { reader, document: reader.next() };
  });
  if ('problem' in first) return { ok: false, errors: [first.problem] };
  const { reader, document } = first.value;
  if (document === undefined) return { ok: true, document: undefined, laterLine: undefined };
  const read = readDocument(document, { textLength: 0, firstLine });
  if (!read.ok) return { ok: false, errors: read.errors };
  const later = attempt(firstLine, () => reader.nextLine());
  const laterLine =
    'problem' in later ? later.problem.line : later.value === undefined ? undefined : later.value + firstLine;
  return { ok: true, document: read.tree, laterLine };
}

function allDocuments(text: string): readonly YamlDocument[] {
  const reader = readerOf(text);
  const documents: YamlDocument[] = [];
  for (let next = reader.next(); next !== undefined; next = reader.next()) documents.push(next);
  return documents;
}
