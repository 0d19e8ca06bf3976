/**
 * Turns the tree of a JSON or YAML value into data for JMESPath, and what an expression finds into text. `parts.ts` calls
 * it. Numbers keep what was written, and results above a limit are refused while they are written.
 */

import { ProviderError } from '../../base/errors.ts';
import type { TextTree, Tree } from '../../spc/yaml/tree.ts';

/** Limit of one file, in characters. */
const MAX_FILE_CHARS = 256 * 1024;
const JSON_NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?$/;
/**
 * The prototype of maps: an expression finds nothing in it that is not in the value, but for the function that the
 * library calls.
 */
const MAP = Object.create(null, { hasOwnProperty: { value: Object.prototype.hasOwnProperty } }) as object;

/** A number whose text would change if JavaScript wrote it, such as `1.10` or one of twenty digits. */
class WrittenNumber extends Number {
  readonly text: string;

  constructor(text: string) {
    super(text);
    this.text = text;
  }
}

/** Data as JMESPath reads it, and its size: about the length of its JSON. */
export interface PlainData {
  readonly data: unknown;
  readonly size: number;
}

/** Returns the data of a tree. `true`, `false` and the numbers of JSON have their types; any other scalar is text. */
export function plainDataOf(tree: Tree): PlainData {
  let size = 0;
  const build = (tree: Tree): unknown => {
    size += 2;
    switch (tree.kind) {
      case 'map': {
        const map = Object.create(MAP) as object;
        for (const [key, { value }] of tree.entries) {
          size += key.length + 2;
          Object.defineProperty(map, key, {
            value: build(value),
            enumerable: true,
            configurable: true,
            writable: true,
          });
        }
        return map;
      }
      case 'list':
        return tree.items.map(build);
      case 'text':
        size += tree.text.length;
        return scalarOf(tree);
      case 'null':
        return null;
    }
  };
  return { data: build(tree), size };
}

function scalarOf({ text, quoted, line, textLine }: TextTree): unknown {
  if (quoted || textLine !== line) return text;
  if (text === 'true' || text === 'false') return text === 'true';
  if (!JSON_NUMBER.test(text)) return text;
  return String(Number(text)) === text ? Number(text) : new WrittenNumber(text);
}

/**
 * Returns the content of a file: a text as it is, a number or boolean as text, a map or list as JSON in one line.
 * Undefined: there is nothing. Throws: ERR_TOO_LARGE.
 */
export function textOf(found: unknown): string | undefined {
  const writer = new JsonWriter();
  if (typeof found === 'string') return writer.checked(found);
  if (!isThere(found)) return undefined;
  writer.write(found);
  return writer.text;
}

/** Returns the values of a map by key, or undefined for everything else. */
export function entriesOf(found: unknown): readonly (readonly [string, unknown])[] | undefined {
  return isMap(found) ? Object.entries(found) : undefined;
}

/** Computed numbers that JSON does not have, and the functions of JavaScript, are nothing. */
function isThere(found: unknown): boolean {
  if (found instanceof WrittenNumber) return true;
  if (typeof found === 'number') return Number.isFinite(found);
  return typeof found === 'string' || typeof found === 'boolean' || Array.isArray(found) || isMap(found);
}

function isMap(found: unknown): found is Readonly<Record<string, unknown>> {
  return typeof found === 'object' && found !== null && !Array.isArray(found) && !(found instanceof Number);
}

/** Writes JSON, and counts it meanwhile: a value that an expression repeats is small in memory and large as text. */
class JsonWriter {
  text = '';

  checked(text: string): string {
    if (this.text.length + text.length > MAX_FILE_CHARS) {
      throw new ProviderError('ERR_TOO_LARGE', `a file of extract would have more than ${MAX_FILE_CHARS} characters`);
    }
    return text;
  }

  write(found: unknown): void {
    if (Array.isArray(found)) {
      this.#list('[', found, (item) => this.write(item), ']');
    } else if (isMap(found)) {
      const entry = ([key, value]: readonly [string, unknown]) => {
        this.#add(`${JSON.stringify(key)}:`);
        this.write(value);
      };
      this.#list('{', Object.entries(found), entry, '}');
    } else {
      this.#add(found instanceof WrittenNumber ? found.text : isThere(found) ? JSON.stringify(found) : 'null');
    }
  }

  #list<T>(open: string, items: readonly T[], write: (item: T) => void, close: string): void {
    this.#add(open);
    for (const [index, item] of items.entries()) {
      if (index > 0) this.#add(',');
      write(item);
    }
    this.#add(close);
  }

  #add(text: string): void {
    this.text += this.checked(text);
  }
}
