/**
 * Reads a file of manifests as kubectl does. Called by `check` and by driver/manifests.ts. Refuses what kubectl refuses,
 * such as content behind a `---`.
 */

import { attempt, readerOf } from './attempt.ts';
import type { ParsedYaml } from './parse.ts';
import { readDocument } from './yaml-tree.ts';

/** One document of a file of manifests: its text, the number of its first line in the file, and what was read of it. */
export interface ManifestPart {
  readonly text: string;
  readonly line: number;
  readonly read: ParsedYaml;
}

/**
 * Reads a file of manifests as kubectl does: lines that begin with `---` divide it into parts, and only the first
 * document of each part is read. Returns the documents one by one: those that can be read, and those that cannot.
 */
export function readManifestParts(file: string): readonly ManifestPart[] {
  const text = file.replaceAll('\r\n', '\n').replace(/[^\n]$/, '$&\n');
  const parts: { readonly text: string; readonly line: number }[] = [];
  let begin = { at: 0, line: 1 };
  let line = 1;
  for (let at = 0; at < text.length; line++) {
    const end = text.indexOf('\n', at) + 1;
    if (text.startsWith('---', at)) {
      const rest = text.slice(at + 3, end).trim();
      const read: ParsedYaml = { ok: false, errors: [{ line, offset: at, message: BAD_SEPARATOR }] };
      if (rest !== '' && !rest.startsWith('#')) return [{ text, line: 1, read }];
      if (at > begin.at) {
        parts.push({ text: text.slice(begin.at, at), line: begin.line });
        begin = { at: end, line: line + 1 };
      }
    }
    at = end;
  }
  parts.push({ text: text.slice(begin.at), line: begin.line });
  return parts.map((part) => ({ ...part, read: readPart(part.text, part.line) }));
}

const BAD_SEPARATOR = 'invalid Yaml document separator: nothing but a comment may follow "---" on its line';

function readPart(part: string, firstLine: number): ParsedYaml {
  // In front of JSON kubectl takes tabs, too.
  const text = part.replace(/^[ \t\r\n]+(?=\{)/, (blanks) => blanks.replaceAll('\t', ' '));
  const first = attempt(firstLine, () => readerOf(text, 'kubectl').next());
  if ('problem' in first) return { ok: false, errors: [first.problem] };
  if (first.value === undefined) return { ok: true, documents: [] };
  const read = readDocument(first.value, { textLength: text.length, firstLine, tag: 'text' });
  return read.ok ? { ok: true, documents: [read.tree] } : read;
}
