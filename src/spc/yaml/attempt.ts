/**
 * Runs the reader of YAML and turns the mistake that ends it into a message with its line and a remedy. Called by the
 * functions that read texts, streams and files of manifests. Other errors are thrown on.
 */

import type { YamlError } from './tree.ts';
import { DocumentReader } from './yaml-nodes.ts';
import { YamlProblem } from './yaml-source.ts';
import { MAX_DEPTH } from './yaml-tree.ts';

/** The remedy for a mistake, by Go's words for it. */
const REMEDIES: Readonly<Record<string, string>> = {
  'mapping values are not allowed in this context':
    'put a text that holds ": " in quotes, and begin each entry on a line of its own',
  "could not find expected ':'": 'a key needs a colon and a space behind it, on the same line',
  'found character that cannot start any token':
    'indent with spaces, not with tabs, and put a text that begins with @ or ` in quotes',
  'found a tab character where an indentation space is expected': 'indent with spaces',
  'found a tab character that violates indentation': 'indent with spaces',
  'found unexpected end of stream': 'a quote is not closed',
  'found unexpected document indicator': 'a quote is not closed',
  'did not find expected key': 'the entries of one map or list start at the same column',
  "did not find expected '-' indicator": 'the entries of one map or list start at the same column',
  'did not find expected node content': 'a value is missing, or a bracket is not closed',
  "did not find expected ',' or ']'": 'a bracket is not closed, or a comma is missing',
  "did not find expected ',' or '}'": 'a brace is not closed, or a comma is missing',
  'found unknown escape character': 'write \\\\ for a backslash, or use single quotes',
  'found incompatible YAML document': 'leave the %YAML line out',
};

/** Returns what `read` gives, or the mistake that ends the reading; lines are counted from `firstLine`. */
export function attempt<T>(firstLine: number, read: () => T): { readonly value: T } | { readonly problem: YamlError } {
  try {
    return { value: read() };
  } catch (error) {
    if (!(error instanceof YamlProblem)) throw error;
    const remedy = REMEDIES[error.message];
    const message = remedy === undefined ? error.message : `${error.message}; ${remedy}`;
    return { problem: { line: error.line + firstLine, offset: error.offset, message } };
  }
}

/** Returns a reader of the documents of a text, with the rules of JSON if the text begins with a brace. */
export function readerOf(text: string, reader: 'provider' | 'kubectl' = 'provider'): DocumentReader {
  return new DocumentReader(text, { json: /^\s*\{/.test(text), maxDepth: MAX_DEPTH, reader });
}
