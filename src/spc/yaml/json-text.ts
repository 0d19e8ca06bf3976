/**
 * Makes JSON that YAML reads as the same. The reader of secrets calls it before it reads JSON as YAML, and the filter
 * `yaml` of templates for what it writes.
 */

import { unicodeEscapes } from '../../base/printable.ts';

/** Characters that JSON takes inside of a text, and that YAML refuses or reads as line breaks. */
const NOT_IN_YAML = /[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/g;

/** Returns valid JSON with these characters escaped. */
export function jsonForYaml(json: string): string {
  return json.replace(NOT_IN_YAML, unicodeEscapes);
}
