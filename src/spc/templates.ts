/**
 * Reads the parameter `templates`: files that are made of the texts of several secrets. Called by the reader of
 * parameters, for both forms. References stay names; `resolve-templates.ts` looks them up.
 */

import { createHash } from 'node:crypto';
import { oneOf, quote } from '../base/words.ts';
import { Fields } from './fields.ts';
import { filePathProblem } from './file-path.ts';
import type { Findings } from './finding.ts';
import { readMapText } from './map-text.ts';
import type { TemplateSpec } from './model.ts';
import { parseMode } from './outputs.ts';
import { type Delimiters, readTemplate } from './template-language.ts';
import { kindOf, type TextTree, type Tree } from './yaml/tree.ts';

/** The name of the parameter. */
export const TEMPLATES = 'templates';
/** The name of the field of an object that only templates read. */
export const TEMPLATE_ONLY_FIELD = 'templateOnly';
/** Names of the fields of a template. */
export const TEMPLATE_FIELDS = ['template', 'format', 'objects', 'delimiters', 'filePermission'] as const;
const FORMATS = ['dotenv', 'properties', 'json'] as const;

const MAX_BYTES = 128 * 1024;
const MAX_SIZE = 40_000;
const MAX_FILES = 50;
const MUSTACHES: Delimiters = ['{{', '}}'];
/** A mark of two to four signs that stand in no name, and that the library does not use itself. */
const MARK = /^[^\s\w=|]{2,4}$/;

/** What a template takes: references or globs, each with the key that it gets, if the manifest names it. */
export interface TextChoice {
  readonly key: string | undefined;
  readonly reference: string;
  readonly line: number;
}

/** A template whose references are names. */
export interface NamedTemplate extends Omit<TemplateSpec, 'entries' | 'refs'> {
  /** Path of the field, for findings. */
  readonly field: string;
  readonly line: number;
  /** Undefined: all texts of the volume. */
  readonly chosen: readonly TextChoice[] | undefined;
  /** The references of its tokens, with their lines. */
  readonly references: ReadonlyMap<string, number>;
}

/** Reads the text of the parameter. Throws: LanguagesNeeded. */
export function parseTemplates(
  text: string,
  findings: Findings,
  { mode, firstLine }: { readonly mode: number; readonly firstLine: number },
): readonly NamedTemplate[] {
  const map = readMapText(text, findings, {
    name: TEMPLATES,
    firstLine,
    maxBytes: MAX_BYTES,
    maxSize: MAX_SIZE,
    purpose: 'spread the files over several SecretProviderClasses',
    holds: 'a map from files to templates',
  });
  if (map === undefined) return [];
  const fields = new Fields(findings, map, TEMPLATES);
  const { names } = fields;
  if (names.length > MAX_FILES) {
    findings.error(TEMPLATES, `${TEMPLATES} has ${names.length} files, more than ${MAX_FILES}`, { line: firstLine });
    return [];
  }
  return names.flatMap((path) => parseOne(fields, path, mode) ?? []);
}

/** Reads `templateOnly`; one of `conditions` is false for an object that gives other files than those of texts. */
export function parseTemplateOnly(fields: Fields, conditions: readonly boolean[]): true | undefined {
  const only = fields.flag(TEMPLATE_ONLY_FIELD);
  if (only && conditions.includes(false))
    fields.error(TEMPLATE_ONLY_FIELD, 'is only for secrets that are texts, and not for selections; remove it');
  return only || undefined;
}

function parseOne(fields: Fields, path: string, mode: number): NamedTemplate | undefined {
  const problem = filePathProblem(path);
  if (problem !== undefined) fields.error(path, `is not a usable path: ${problem.text}`);
  const value = fields.value(path);
  const common = { label: `template ${quote(path)}`, path, field: fields.pathOf(path), line: fields.lineOf(path) };
  if (value?.kind === 'text') {
    const body = parseBody(fields, path, { value, delimiters: MUSTACHES });
    return body && { ...common, mode, ...body, chosen: undefined, digest: digestOf([value.text]) };
  }
  const options = value?.kind === 'map' ? fields.map(path) : undefined;
  if (options === undefined) {
    const found = value === undefined ? 'nothing' : kindOf(value);
    fields.error(path, `must be a template or a map with "template" or "format", not ${found}`);
    return undefined;
  }
  options.onlyKnown(TEMPLATE_FIELDS, 'error');
  const own = options.value('template');
  if ((own === undefined) === !options.has('format')) {
    fields.error(path, 'must have either "template" or "format"');
    return undefined;
  }
  const delimiters = parseDelimiters(options);
  const chosen = parseChoices(options);
  const body = own === undefined ? parseFormat(options, chosen) : parseOwn(options, own, delimiters);
  const says = [
    own?.kind === 'text' ? own.text : options.text('format'),
    delimiters,
    chosen?.map(({ key, reference }) => [key, reference]),
  ];
  return body && { ...common, mode: parseMode(options, mode), ...body, chosen, digest: digestOf(says) };
}

type Body = Pick<NamedTemplate, 'body' | 'references'>;

function parseOwn(options: Fields, value: Tree, delimiters: Delimiters): Body | undefined {
  if (value.kind === 'text') return parseBody(options, 'template', { value, delimiters });
  options.error('template', `must be text, not ${kindOf(value)}`);
  return undefined;
}

function parseBody(
  fields: Fields,
  name: string,
  { value, delimiters }: { readonly value: TextTree; readonly delimiters: Delimiters },
): Body | undefined {
  const read = readTemplate(value.text, delimiters);
  const lineOf = (line: number) => value.textLine + line;
  if (!read.ok) {
    for (const { line, message } of read.problems) fields.errorAt(name, message, lineOf(line));
    return undefined;
  }
  const references = new Map([...read.references].map(([reference, line]) => [reference, lineOf(line)]));
  return { body: { kind: 'tokens', tokens: read.tokens }, references };
}

function parseFormat(options: Fields, chosen: readonly TextChoice[] | undefined): Body | undefined {
  const text = options.text('format').toLowerCase();
  const kind = FORMATS.find((known) => known === text);
  if (kind === undefined) options.error('format', `${quote(text)} must be ${oneOf(FORMATS)}`);
  if (options.has('delimiters')) options.error('delimiters', 'has no meaning next to format');
  if (chosen === undefined) options.error('objects', 'is required next to format: it lists the secrets of the file');
  return kind && { body: { kind }, references: new Map() };
}

function parseDelimiters(options: Fields): Delimiters {
  const text = options.text('delimiters');
  if (text === '') return MUSTACHES;
  const [open = '', close = '', ...more] = text.split(/\s+/);
  if (more.length === 0 && MARK.test(open) && MARK.test(close)) return [open, close];
  options.error(
    'delimiters',
    `${quote(text)} must be two marks of 2 to 4 signs with a space between them, such as "<% %>"`,
  );
  return MUSTACHES;
}

/** Reads `objects`: a list of references and globs, or a map from keys to references. */
function parseChoices(options: Fields): readonly TextChoice[] | undefined {
  const value = options.value('objects');
  if (value === undefined) return undefined;
  const given: readonly (readonly [key: string | undefined, tree: Tree])[] =
    value.kind === 'list'
      ? value.items.map((item) => [undefined, item])
      : value.kind === 'map'
        ? [...value.entries].map(([key, entry]) => [key, entry.value])
        : [];
  if (given.length === 0) options.error('objects', 'must be a list of references, or a map from keys to references');
  return given.flatMap(([key, tree]) => {
    if (tree.kind === 'text' && tree.text.trim() !== '') return [{ key, reference: tree.text.trim(), line: tree.line }];
    options.errorAt('objects', `must hold references, not ${kindOf(tree)}`, tree.line);
    return [];
  });
}

function digestOf(parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}
