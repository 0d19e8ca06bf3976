/**
 * Reads the fields of one YAML map, and reports mistakes under the field's path. Called by all readers of objects and
 * of the `keyVault` form. Refuses values of the wrong kind, placeholders where a value must be filled in, and unknown
 * names.
 */

import { clip, nearest, oneOf, quote } from '../base/words.ts';
import type { Finding, Findings, Stage } from './finding.ts';
import { placeholderIn, withPlaceholder } from './placeholder.ts';
import { kindOf, type MapTree, type Tree } from './yaml/tree.ts';

/** The severity of findings about unknown names in a map. */
export type UnknownNames = 'error' | 'warning' | 'note';

/** Reads the fields of one map and reports what is wrong with them under their path. */
export class Fields {
  readonly #findings: Findings;
  readonly #map: MapTree;
  readonly path: string;

  constructor(findings: Findings, map: MapTree, path: string) {
    this.#findings = findings;
    this.#map = map;
    this.path = path;
  }

  get line(): number {
    return this.#map.line;
  }

  /** Names in the map, in the order of the text. */
  get names(): readonly string[] {
    return [...this.#map.entries.keys()];
  }

  /** True if more errors would not be shown, so that no hints for them are needed. */
  get isFull(): boolean {
    return this.isFullOf('error');
  }

  /** True if more findings of a severity would not be shown. */
  isFullOf(severity: Finding['severity']): boolean {
    return this.#findings.isFull(severity);
  }

  has(name: string): boolean {
    return this.#map.entries.has(name);
  }

  pathOf(name: string): string {
    return `${this.path}.${clip(name)}`;
  }

  lineOf(name: string): number {
    return this.#map.entries.get(name)?.line ?? this.line;
  }

  value(name: string): Tree | undefined {
    return this.#map.entries.get(name)?.value;
  }

  /** Returns the trimmed text of a field; empty if it is absent or null. */
  text(name: string): string {
    const value = this.value(name);
    if (value === undefined || value.kind === 'null') return '';
    if (value.kind === 'text') return value.text.trim();
    this.error(name, `must be text, not ${kindOf(value)}`);
    return '';
  }

  /** Returns a boolean; false if the field is absent or empty. */
  flag(name: string): boolean {
    const text = this.text(name).toLowerCase();
    if (text !== '' && text !== 'true' && text !== 'false')
      this.error(name, `${quote(text)} must be "true" or "false"`);
    return text === 'true';
  }

  /** Returns the trimmed text of a required field. */
  required(name: string, purpose: string): string {
    const text = this.text(name);
    const value = this.value(name);
    if (text === '' && (value === undefined || value.kind === 'null' || value.kind === 'text')) {
      this.error(name, `is required: ${purpose}`);
    }
    return text;
  }

  /** Returns the trimmed text of a required field; reports a placeholder, or the problem that `problemOf` returns. */
  filledIn(name: string, meaning: string, problemOf: (text: string) => string | undefined = () => undefined): string {
    const text = this.required(name, `it is ${meaning}`);
    const placeholder = placeholderIn(text);
    if (placeholder !== undefined) {
      const found = placeholder === text ? 'is still' : 'holds';
      this.error(name, `${found} the placeholder ${quote(placeholder)}: put ${meaning} there`);
    } else if (text !== '') {
      const problem = problemOf(text);
      if (problem !== undefined) this.error(name, `is wrong: ${problem}`);
    }
    return text;
  }

  /** Returns the fields of a map in this map, or undefined if it is absent or no map, which is reported. */
  map(name: string): Fields | undefined {
    const value = this.value(name);
    if (value === undefined) return undefined;
    if (value.kind === 'map') return new Fields(this.#findings, value, this.pathOf(name));
    this.error(name, `must be a map, not ${kindOf(value)}`);
    return undefined;
  }

  /** Reports an error; `message` follows the field's path. */
  error(name: string, message: string): void {
    this.fail(name, `${this.pathOf(name)} ${message}`);
  }

  /** Reports an error on a line of the field's value; `message` follows the field's path. */
  errorAt(name: string, message: string, line: number): void {
    this.#findings.error(this.pathOf(name), `${this.pathOf(name)} ${message}`, { line });
  }

  /** Reports an error; `message` is the whole text. */
  fail(name: string, message: string, stage: Stage = 'never'): void {
    const value = this.value(name);
    const told = withPlaceholder(message, value?.kind === 'text' ? value.text : '');
    this.#findings.error(this.pathOf(name), told, { line: this.lineOf(name), stage });
  }

  /** Reports a warning; `message` follows the field's path. */
  warning(name: string, message: string): void {
    this.#findings.warning(this.pathOf(name), `${this.pathOf(name)} ${message}`, this.lineOf(name));
  }

  /** Reports a note; `message` follows the field's path. */
  note(name: string, message: string): void {
    this.#findings.note(this.pathOf(name), `${this.pathOf(name)} ${message}`, this.lineOf(name));
  }

  /** Reports the names that are not in `known`, each with the nearest known name, as long as findings are shown. */
  onlyKnown(known: readonly string[], unknown: UnknownNames): void {
    for (const name of this.#map.entries.keys()) {
      if (known.includes(name)) continue;
      if (this.#findings.isFull(unknown)) return;
      const near = nearest(name, known);
      const hint = near === undefined ? `known here: ${oneOf(known)}` : `did you mean "${near}"?`;
      if (unknown === 'error') this.error(name, `is unknown; ${hint}`);
      else this[unknown](name, `is unknown and ignored; ${hint}`);
    }
  }
}
