/**
 * Reads which objects of a vault an item selects: by globs of names, by tags, or by both. Called by the readers of objects
 * in both forms. Refuses fields that are about one object, paths that are the same for all objects, and globs that are
 * none.
 */

import { clip, quote } from '../base/words.ts';
import { EXTRACT_FIELD } from './extract.ts';
import type { Fields } from './fields.ts';
import { filePathProblem } from './file-path.ts';
import { globProblem, matchesGlob, nameGlobProblem } from './glob.ts';
import type { ContentSpec, MetadataFile, SelectionSpec, TagRule } from './model.ts';
import { NAME_PATTERN, namePatternProblem } from './name-pattern.ts';
import { kindOf, type Tree } from './yaml/tree.ts';

/** Limits of one selection. */
const MAX_GLOBS = 20;
const MAX_GLOB_CHARS = 256;
const MAX_TAGS = 20;

/** The names that the fields have in one form of the parameters. */
export interface SelectionWords {
  readonly names: string;
  readonly tags: string;
  readonly name: string;
  /** Fields that are about one object. */
  readonly single: readonly string[];
}

/** Those of an item of `objects`. */
export const CLASSIC_WORDS: SelectionWords = {
  names: 'objectNames',
  tags: 'objectTags',
  name: 'objectName',
  single: ['objectVersion', 'objectVersionHistory', 'passwordFrom', EXTRACT_FIELD],
};
/** Those of an object of `keyVault`. */
export const KEY_VAULT_WORDS: SelectionWords = {
  names: 'names',
  tags: 'tags',
  name: 'name',
  single: ['version', 'passwordFrom', EXTRACT_FIELD],
};

/** True if an item selects objects. */
export function isSelection(item: Tree | undefined, { names, tags }: SelectionWords): boolean {
  return item?.kind === 'map' && (item.entries.has(names) || item.entries.has(tags));
}

/** The choice of a selection, as it is read before the files of its objects are known. */
export type Choice = Omit<SelectionSpec, 'pattern'>;

/** Returns the choice of an item, or undefined if it names one object. */
export function parseChoice(fields: Fields, words: SelectionWords): Choice | undefined {
  const by = [words.names, words.tags].find((field) => fields.has(field));
  if (by === undefined) return undefined;
  if (fields.has(words.name)) {
    const rule = `${words.name} names one object and ${by} selects several`;
    fields.error(words.name, `cannot stand next to ${by}: ${rule}; remove one of them, or write a second item`);
  }
  for (const field of words.single) {
    if (fields.has(field))
      fields.error(field, `is about one object and cannot stand next to ${by}; give that object an item of its own`);
  }
  const choice = { by, names: readGlobs(fields, words.names), tags: readTags(fields, words.tags) };
  return { ...choice, label: `${fields.path} (${choiceInWords(choice)})` };
}

/** Returns the words for a choice: its globs, and its tags. */
export function choiceInWords({ names, tags }: Pick<SelectionSpec, 'names' | 'tags'>): string {
  const tagged = tags.map(({ name, value }) => `${name}=${value}`).join(', ');
  const named = names.length === 0 ? '*' : names.join(', ');
  return clip(tagged === '' ? named : `${named} with the tags ${tagged}`);
}

/** The files of a selection, as they are read. */
export interface SelectedFiles {
  readonly content: ContentSpec;
  readonly outputs: readonly { readonly path: string }[];
  readonly metadata: MetadataFile | undefined;
}

/** Reports paths of a selection that do not differ between its objects, each at the field that has it. */
export function checkPatterns(fields: Fields, choice: Choice | undefined, files: SelectedFiles): void {
  if (choice === undefined) return;
  const { content, outputs, metadata } = files;
  const own = content.kind === 'value' ? [content] : outputs;
  const paths = [...own, ...(metadata === undefined ? [] : [metadata])].map(({ path }) => path);
  // Without `files`, a field that is refused took the file away.
  if (paths.length === 0 && fields.has('files'))
    fields.error('files', `gives no file; name a path with ${NAME_PATTERN}`);
  for (const path of paths) {
    // The readers of outputs and metadata have reported paths that are none.
    const isReported = filePathProblem(path) !== undefined && content.kind !== 'value';
    const problem = isReported ? undefined : namePatternProblem(path);
    const holds = (field: string) => {
      const value = fields.value(field);
      return value?.kind === 'text' && value.text.trim() === path;
    };
    const field = fields.names.find(holds) ?? (own === outputs ? 'files' : choice.by);
    if (problem !== undefined) fields.error(field, `needs a path with the placeholder ${NAME_PATTERN}: ${problem}`);
  }
}

/** Returns true if a selection takes an object. */
export function selects(
  { names, tags }: Pick<SelectionSpec, 'names' | 'tags'>,
  object: { readonly name: string; readonly tags?: Readonly<Record<string, string>> | undefined },
): boolean {
  const name = object.name.toLowerCase();
  if (names.length > 0 && !names.some((glob) => matchesGlob(glob.toLowerCase(), name))) return false;
  const given = new Map(Object.entries(object.tags ?? {}));
  return tags.every(({ name, value }) => {
    const text = given.get(name);
    return text !== undefined && matchesGlob(value, text);
  });
}

function readGlobs(fields: Fields, field: string): readonly string[] {
  const value = fields.value(field);
  if (value === undefined) return [];
  const globs = (value.kind === 'list' ? value.items : [value]).map((item) => textOf(item));
  if (globs.length === 0 || globs.includes(undefined)) {
    const found = value.kind === 'list' ? 'another one' : kindOf(value);
    fields.error(field, `must be a glob such as "db-*", or a list of globs, not ${found}; "*" selects all objects`);
    return [];
  }
  const texts = globs.filter((glob) => glob !== undefined);
  if (texts.length > MAX_GLOBS || texts.join('').length > MAX_GLOB_CHARS) {
    const most = `${MAX_GLOBS} globs or ${MAX_GLOB_CHARS} characters`;
    fields.error(field, `holds more than ${most}; use wider globs, or tags`);
    return [];
  }
  for (const glob of texts) {
    const problem = nameGlobProblem(glob);
    if (problem !== undefined) fields.error(field, `is wrong: ${problem}`);
  }
  return texts;
}

function readTags(fields: Fields, field: string): readonly TagRule[] {
  const tags = fields.map(field);
  if (tags === undefined) return [];
  const { names } = tags;
  if (names.length === 0) fields.error(field, 'must hold at least one tag, such as {env: prod}');
  if (names.length > MAX_TAGS) {
    fields.error(field, `holds more than ${MAX_TAGS} tags; a Key Vault object has at most 15`);
    return [];
  }
  return names.map((name) => {
    const value = tags.text(name);
    const problem = globProblem(value);
    const isText = ['text', 'null'].includes(tags.value(name)?.kind ?? '');
    if (problem !== undefined && isText) tags.error(name, `is wrong: the value of the tag ${quote(name)} ${problem}`);
    return { name, value };
  });
}

function textOf(item: Tree): string | undefined {
  return item.kind === 'text' ? item.text.trim() : undefined;
}
