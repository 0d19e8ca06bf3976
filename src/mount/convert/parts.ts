/**
 * Makes the files of `extract`: parts of a JSON or YAML secret. `convert.ts` calls it. A value that is neither, and an
 * expression that finds nothing, are refused; no message holds anything of the value.
 */

import { ProviderError } from '../../base/errors.ts';
import { nextTurn } from '../../base/turns.ts';
import { nearest, quote } from '../../base/words.ts';
import { isAffordable, MAX_STEPS } from '../../spc/expression.ts';
import { KEY_WORD } from '../../spc/extract.ts';
import { filePathProblem } from '../../spc/file-path.ts';
import type { ContentSpec, ExtractSpec } from '../../spc/model.ts';
import { fillPattern } from '../../spc/path-pattern.ts';
import { readContent } from '../../spc/yaml/content.ts';
import type { MountedFile } from '../../wire/contract.ts';
import type { FetchedObject } from '../ports.ts';
import { decodeText } from './encoding.ts';
import { entriesOf, type PlainData, plainDataOf, textOf } from './plain-data.ts';

type PartsSpec = Extract<ContentSpec, { kind: 'parts' }>;

/** The most files of one entry with `{key}`. */
const MAX_KEYS = 500;
/** The most entries without a result that a message names. */
const MAX_NAMED = 3;
/** Steps of everything that `extract` does in a volume. */
const MAX_VOLUME_STEPS = 16 * MAX_STEPS;
/** Steps for reading one line, entry, bracket or quote of a value. */
const READ_STEPS = 20;
/** Characters of all files of `extract` of a volume: more than an answer can have. */
const MAX_VOLUME_CHARS = 4 * 1024 * 1024;

/** What the expressions of one volume may still cost. */
export class ExtractBudget {
  #steps: number;
  #chars = MAX_VOLUME_CHARS;

  constructor(steps = MAX_VOLUME_STEPS) {
    this.#steps = steps;
  }

  /** Counts the work of an expression, or of reading a value. Throws: ERR_BAD_CONTENT. */
  work(steps: number): void {
    this.#steps -= steps;
    if (this.#steps < 0)
      throw bad('extract is more work in this volume than is allowed; spread the objects over several classes');
  }

  /** Counts the text of a file. Throws: ERR_TOO_LARGE. */
  text(chars: number): void {
    this.#chars -= chars;
    if (this.#chars < 0)
      throw new ProviderError('ERR_TOO_LARGE', 'the files of extract are larger together than the driver accepts');
  }
}

/** A file, and whether its path has a key of the value in it. */
export interface PartFile extends MountedFile {
  readonly named?: 'by content' | undefined;
}

/** Everything that the parts of one value are made with. */
export interface PartsContext {
  readonly content: PartsSpec;
  readonly budget: ExtractBudget;
  readonly signal: AbortSignal;
}

/** Returns the files: the value itself if it is asked for, then its parts. Throws: ERR_BAD_CONTENT, ERR_TOO_LARGE. */
export async function convertParts(
  fetched: FetchedObject,
  { content, budget, signal }: PartsContext,
): Promise<readonly PartFile[]> {
  if (fetched.type !== 'secret') throw new Error('parts are taken of secrets only');
  const { encoding, parts, whole } = content;
  const bytes = decodeText(fetched.value.reveal(), encoding);
  const files: PartFile[] = whole === undefined ? [] : [{ ...whole, contents: bytes }];
  const value = readValue(bytes, budget);
  const lacking: ExtractSpec[] = [];
  for (const part of parts) {
    if (part.expression.cost.work > 0) await nextTurn(signal);
    const made = filesOf(part, value, budget);
    if (made.length === 0 && !part.optional) lacking.push(part);
    files.push(...made);
  }
  if (lacking.length > 0) throw nothingFound(lacking, value);
  return files;
}

function readValue(bytes: Buffer, budget: ExtractBudget): PlainData {
  const text = bytes.toString();
  if (!Buffer.from(text).equals(bytes)) throw bad('extract: the value is no text in UTF-8');
  const read = readContent(text);
  if (!read.ok) throw bad(`extract: the value ${read.problem}`);
  budget.work(READ_STEPS * read.size);
  return plainDataOf(read.tree);
}

function filesOf(part: ExtractSpec, value: PlainData, budget: ExtractBudget): readonly PartFile[] {
  const found = resultOf(part, value, budget);
  const { path, mode, each } = part;
  const fileOf = (path: string, text: string): MountedFile => {
    budget.text(text.length);
    return { path, mode, contents: Buffer.from(text) };
  };
  if (!each) {
    const text = textOf(found);
    return text === undefined ? [] : [fileOf(path, text)];
  }
  const entries = entriesOf(found);
  if (entries === undefined) {
    if (textOf(found) === undefined) return [];
    throw bad(`${inWords(part)} must find a map, since {${KEY_WORD}} stands for its keys, and finds something else`);
  }
  if (entries.length > MAX_KEYS) throw bad(`${inWords(part)} finds ${entries.length} keys, more than ${MAX_KEYS}`);
  return entries.flatMap(([key, entry], index): PartFile[] => {
    const text = textOf(entry);
    if (text === undefined) return [];
    const own = fillPattern(path, KEY_WORD, key);
    if (key === '' || key.includes('/') || filePathProblem(own) !== undefined)
      throw bad(`${inWords(part)}: key number ${index + 1} cannot be the name of a file; name the keys that you need`);
    return [{ ...fileOf(own, text), named: 'by content' }];
  });
}

function resultOf(part: ExtractSpec, { data, size }: PlainData, budget: ExtractBudget): unknown {
  const { expression } = part;
  const { cost } = expression;
  if (!isAffordable(cost, size)) throw bad(`${inWords(part)} does more work on a value of this size than is allowed`);
  budget.work(cost.steps + cost.work * size);
  try {
    return expression.search(data);
  } catch (error) {
    throw bad(`${inWords(part)} cannot be applied to the value${typeMistakeIn(error)}`);
  }
}

/** The library's message about an argument: names of functions and types only, all of which are its own. */
const TYPE_MISTAKE =
  /^TypeError: (\w+\(\)) expected argument (\d) to be type ([\w<>,]+) but received type (\w+) instead\.$/;

function typeMistakeIn(error: unknown): string {
  const [, call, place, expected, received] = TYPE_MISTAKE.exec(error instanceof Error ? error.message : '') ?? [];
  if (call === undefined) return '; a function or a comparison gets a value of the wrong type';
  return `: argument ${place} of ${call} must be ${expected?.replaceAll(',', ' or ')}, and is ${received}`;
}

function nothingFound(lacking: readonly ExtractSpec[], value: PlainData): ProviderError {
  const named = lacking.slice(0, MAX_NAMED).map(inWords).join(' and ');
  const more = lacking.length > MAX_NAMED ? ` and ${lacking.length - MAX_NAMED} more` : '';
  const finds = lacking.length === 1 ? 'finds' : 'find';
  const isNear = lacking.some((part) => hasNearKey(part, value));
  const hint = isNear ? 'a key of the value has nearly the name that begins it; ' : '';
  return bad(`${named}${more} ${finds} nothing in the value; ${hint}correct it, or give it optional: "true"`);
}

/** True if the value has no key as the expression begins with, and one that differs by a typing error. */
function hasNearKey({ expression }: ExtractSpec, { data }: PlainData): boolean {
  const [word = ''] = /^\w+/.exec(expression.text) ?? [];
  const keys = (entriesOf(data) ?? []).map(([key]) => key);
  return !keys.includes(word) && nearest(word, keys.slice(0, MAX_KEYS)) !== undefined;
}

function inWords({ path, expression }: ExtractSpec): string {
  return `extract of ${quote(path)} (${quote(expression.text)})`;
}

function bad(message: string): ProviderError {
  return new ProviderError('ERR_BAD_CONTENT', message);
}
