/**
 * Remembers what may turn out to be the key of a mapping until its colon comes. Called by the scanner. Refuses a text
 * that had to be a key and has no colon.
 */

import { type Mark, YamlProblem, type YamlSource } from './yaml-source.ts';

/** A place that may turn out to be the start of a key. */
export interface SimpleKey {
  readonly mark: Mark;
  /** Number of its first token, counted from the start of the stream. */
  readonly token: number;
  /** True if only a key can be here. */
  readonly required: boolean;
}

/** No key is longer, and none goes over a line's end. */
const MAX_LENGTH = 1024;

/** One possible key for each open bracket, and one outside of brackets. */
export class SimpleKeys {
  readonly #keys: (SimpleKey | undefined)[] = [undefined];
  /** The places of those that are set, by the number of their token. */
  readonly #levels = new Map<number, number>();

  /** The number of open brackets. */
  get depth(): number {
    return this.#keys.length - 1;
  }

  open(): void {
    this.#keys.push(undefined);
  }

  close(): void {
    if (this.depth > 0) this.#keys.pop();
  }

  save(key: SimpleKey): void {
    this.remove();
    this.#keys[this.depth] = key;
    this.#levels.set(key.token, this.depth);
  }

  /** Drops the possible key in the innermost bracket, since no colon can follow any more. */
  remove(): void {
    const key = this.#keys[this.depth];
    if (key?.required) throw new YamlProblem(key.mark, "could not find expected ':'");
    this.#clear(this.depth);
  }

  /** Returns the key that a colon at this place belongs to, and drops it. */
  take(source: YamlSource): SimpleKey | undefined {
    const key = this.#valid(this.depth, source);
    this.#clear(this.depth);
    return key;
  }

  /** True while a token may be the first of a key. */
  mayBegin(token: number, source: YamlSource): boolean {
    const level = this.#levels.get(token);
    return level !== undefined && this.#valid(level, source) !== undefined;
  }

  #valid(level: number, { line, index }: YamlSource): SimpleKey | undefined {
    const key = this.#keys[level];
    if (key === undefined) return undefined;
    if (key.mark.line === line && key.mark.index + MAX_LENGTH >= index) return key;
    if (key.required) throw new YamlProblem(key.mark, "could not find expected ':'");
    this.#clear(level);
    return undefined;
  }

  #clear(level: number): void {
    const key = this.#keys[level];
    if (key !== undefined) this.#levels.delete(key.token);
    this.#keys[level] = undefined;
  }
}
