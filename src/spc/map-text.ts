/**
 * Reads the text of a parameter that holds one YAML map. Called by the readers of `keyVault` and of `templates`. Refuses
 * texts that are too large to be read quickly, before they are read.
 */

import type { Findings } from './finding.ts';
import { withPlaceholderAt } from './placeholder.ts';
import { parseYaml } from './yaml/parse.ts';
import { kindOf, type MapTree } from './yaml/tree.ts';
import { yamlSize } from './yaml/yaml-size.ts';

/** What a parameter may hold. */
export interface MapText {
  readonly name: string;
  readonly firstLine: number;
  readonly maxBytes: number;
  /** Limit of {@link yamlSize}. */
  readonly maxSize: number;
  /** What the parameter is for, behind a message about its size. */
  readonly purpose: string;
  /** What the map holds, in the words of a message. */
  readonly holds: string;
}

/** Returns the map, or undefined and a finding. */
export function readMapText(text: string, findings: Findings, expected: MapText): MapTree | undefined {
  const { name, firstLine, maxBytes, maxSize, purpose, holds } = expected;
  const fail = (message: string, line: number) => findings.error(name, `${name} ${message}`, { line });
  if (Buffer.byteLength(text) > maxBytes) {
    fail(`is longer than ${maxBytes} bytes`, firstLine);
    return undefined;
  }
  if (yamlSize(text, maxSize) > maxSize) {
    fail(`holds more than ${maxSize} lines, entries, brackets and quotes; ${purpose}`, firstLine);
    return undefined;
  }
  const parsed = parseYaml(text, firstLine);
  if (!parsed.ok) {
    for (const { line, message } of parsed.errors) {
      fail(`cannot be read as YAML: line ${line}: ${withPlaceholderAt(message, text, line - firstLine)}`, line);
    }
    return undefined;
  }
  const [document, second] = parsed.documents;
  if (second !== undefined) fail('holds more than one YAML document', second.line);
  if (document?.kind === 'map') return document;
  const found = document === undefined ? 'nothing' : kindOf(document);
  fail(`must hold ${holds}, not ${found}`, document?.line ?? firstLine);
  return undefined;
}
