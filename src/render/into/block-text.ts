/**
 * Writes data of manifests as YAML in block style. Used where documents are added or changed. A text that Kubernetes'
 * readers take for a boolean or a number is quoted.
 */

import { stringify } from 'yaml';

/**
 * Returns the YAML of a value. YAML 1.1 is what Kubernetes reads: `on` and `1_000` are no texts there unless they are
 * quoted.
 */
export function blockText(value: unknown): string {
  return stringify(value, { version: '1.1', lineWidth: 0, aliasDuplicateObjects: false, indentSeq: false });
}

/** Returns the lines of {@link blockText}. */
export function blockLines(value: unknown): readonly string[] {
  return blockText(value).trimEnd().split('\n');
}
