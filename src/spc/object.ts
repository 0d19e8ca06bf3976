/**
 * Reads one object of the `objects` parameter. Called by objects.ts. Refuses what the official provider refuses, in its
 * order and words, and fields that cannot be combined.
 */

import type { ObjectType } from '../base/objects.ts';
import { clip, misspelt, nearest, quote } from '../base/words.ts';
import { noteOutputs, noteValueFile } from './certificate-notes.ts';
import { outputsContent, partsContent, valueContent } from './contents.ts';
import { EXTRACT_FIELD, parseExtract } from './extract.ts';
import type { Fields } from './fields.ts';
import { filePathProblem, parseFileMode } from './file-path.ts';
import type { Findings, Stage } from './finding.ts';
import { reportUnknownFields } from './look-alike.ts';
import { parseMetadata } from './metadata.ts';
import type { ContentSpec, ObjectSpec } from './model.ts';
import { NAME_PATTERN } from './name-pattern.ts';
import { objectNameProblem, pathPartProblem } from './names.ts';
import { fileModeRule, type NamedOutput, parseFiles, parseKeyFormat } from './outputs.ts';
import { bracketedPlaceholderIn, placeholderIn } from './placeholder.ts';
import { parsePresence } from './presence.ts';
import { type Choice, CLASSIC_WORDS, checkPatterns, parseChoice } from './selection.ts';
import { sharedFields } from './shared-fields.ts';
import { parseTemplateOnly } from './templates.ts';
import { parseValidity } from './validity.ts';
import { parseObjectVault } from './vaults.ts';
import { goValue, int32Of } from './yaml/scalar.ts';

const TYPES: readonly ObjectType[] = ['secret', 'key', 'cert'];
const TEXTS = [
  'objectName',
  'objectAlias',
  'objectType',
  'objectVersion',
  'objectFormat',
  'objectEncoding',
  'filePermission',
] as const;
/** Names of the fields of an object in `objects`. */
export const OBJECT_FIELDS: readonly string[] = [...TEXTS, 'objectVersionHistory', ...sharedFields(CLASSIC_WORDS)];

type Texts = Readonly<Record<(typeof TEXTS)[number], string>>;

/** Settings of objects whose fields do not say otherwise. */
export interface ObjectDefaults {
  /** Permission bits. */
  readonly mode: number;
  /** True if certificates are also written as `<path>.crt` and `<path>.key`, next to the combined file. */
  readonly split: boolean;
  /** Chains ordered leaf first. */
  readonly orderChain: boolean;
}

/** An object whose references to other objects are still names. */
export interface NamedObject {
  readonly path: string;
  readonly line: number;
  readonly spec: ObjectSpec;
  readonly outputs: readonly NamedOutput[];
  readonly passwordFrom: string;
  /** Set if the item selects objects; `spec` is their pattern then. */
  readonly choice?: Choice | undefined;
}

/** Inputs for reading an object. */
export interface ObjectContext {
  /** Position in the list, from 0. */
  readonly index: number;
  readonly findings: Findings;
  readonly defaults: ObjectDefaults;
}

/** One object while it is parsed. */
interface ObjectReader {
  readonly fields: Fields;
  readonly texts: Texts;
  readonly label: string;
  readonly choice: Choice | undefined;
  /** Reports a mistake as the official provider does, with the object before it, and with the field behind it. */
  readonly fail: (field: string, reason: string, stage?: Stage) => void;
}

/** Reads the fields of one object. Mistakes are reported in the official provider's order and words. */
export function parseObject(fields: Fields, context: ObjectContext): NamedObject {
  reportUnknownFields(fields, OBJECT_FIELDS);
  const texts = readTexts(fields, context.index);
  const history = readHistory(fields, context.index);
  const { objectName: name, objectType, objectVersion } = texts;
  const choice = parseChoice(fields, CLASSIC_WORDS);
  const own = `objectName:${clip(name)}, objectVersion:${clip(objectVersion)}`;
  const label = `objectType:${clip(objectType)}, ${choice?.label ?? own}`;
  const fail: ObjectReader['fail'] = (field, reason, stage) =>
    fields.fail(field, `failed to get ${label}: ${reason} (${fields.pathOf(field)})`, stage);
  const reader: ObjectReader = { fields, texts, label, choice, fail };
  checkContentFields(reader);
  const path = readFileName(reader);
  const type = readType(reader);
  checkName(reader);
  const mode = texts.filePermission === '' ? context.defaults.mode : parseFileMode(texts.filePermission);
  if (mode === undefined) fail('filePermission', fileModeRule(texts.filePermission));
  const version = objectVersion.toLowerCase() === 'latest' ? '' : objectVersion;
  const ifMissing = parsePresence(fields, severalBy(reader, history));
  const metadata = parseMetadata(fields, mode ?? 0);
  const validity = parseValidity(fields, { version, history });
  const vault = parseObjectVault(fields, 'tenantID');
  const templateOnly = parseTemplateOnly(fields, [choice === undefined, type === 'secret', !fields.has('files')]);
  const common = {
    path: fields.path,
    line: fields.line,
    choice,
    spec: { label, type, name, version, history, ifMissing, metadata, validity, vault, templateOnly },
  };
  if (fields.has(EXTRACT_FIELD)) {
    const content = partsOf(reader, { path, mode: mode ?? 0, history });
    return { ...common, spec: { ...common.spec, content }, outputs: [], passwordFrom: '' };
  }
  if (!fields.has('files')) {
    for (const field of ['keyFormat', 'passwordFrom']) {
      if (fields.has(field)) fail(field, `${field} needs a files map next to it`);
    }
    noteValueFile(fields, path, texts);
    const content = contentOf(texts, path, { ...context.defaults, mode: mode ?? 0 });
    checkPatterns(fields, choice, { content, outputs: [], metadata });
    return { ...common, spec: { ...common.spec, content }, outputs: [], passwordFrom: '' };
  }
  checkBesideFiles(reader, history);
  const keyFormat = parseKeyFormat(fields, 'pkcs8');
  const outputs = parseFiles(fields, context.findings, { mode: mode ?? 0, keyFormat });
  noteOutputs(fields, outputs);
  const content = outputsContent();
  checkPatterns(fields, choice, { content, outputs, metadata });
  return { ...common, spec: { ...common.spec, content }, outputs, passwordFrom: fields.text('passwordFrom') };
}

/** Returns the field by which an object gives other files than one. */
function severalBy({ fields, choice }: ObjectReader, history: number): string | undefined {
  if (choice !== undefined) return choice.by;
  if (fields.has(EXTRACT_FIELD)) return EXTRACT_FIELD;
  return fields.has('files') ? 'files' : history > 1 ? 'objectVersionHistory' : undefined;
}

/** Returns the start of the official provider's message about an item that cannot be read. */
export function unmarshalFailure(index: number, reason: string): string {
  return `unmarshal failed for keyVaultObjects at index ${index}, error: yaml: ${reason}`;
}

function readTexts(fields: Fields, index: number): Texts {
  const read = (name: string): string => {
    const value = fields.value(name);
    if (value === undefined || value.kind === 'null') return '';
    if (value.kind === 'text') return value.text.trim();
    const reason = `cannot unmarshal ${goValue(value)} into string; ${fields.pathOf(name)} must be text`;
    fields.fail(name, unmarshalFailure(index, `unmarshal errors: line ${value.line}: ${reason}`), 'objects');
    return '';
  };
  return Object.fromEntries(TEXTS.map((name) => [name, read(name)])) as Texts;
}

function readHistory(fields: Fields, index: number): number {
  const name = 'objectVersionHistory';
  const value = fields.value(name);
  if (value === undefined || value.kind === 'null') return 1;
  const count = int32Of(value);
  if (count !== undefined) return Math.max(1, count);
  const remedy = value.kind === 'text' && value.quoted ? 'write the number without quotes' : 'write a whole number';
  const reason = `cannot unmarshal ${goValue(value)} into int32; ${remedy} (${fields.pathOf(name)})`;
  fields.fail(name, unmarshalFailure(index, `unmarshal errors: line ${value.line}: ${reason}`), 'objects');
  return 1;
}

/**
 * Differs: the official provider lets an upper-case `PFX` through for keys and certificates, and ignores it.
 */
function checkContentFields({ texts, fail }: ObjectReader): void {
  const { objectType, objectFormat, objectEncoding } = texts;
  const format = objectFormat.toLowerCase();
  if (!['', 'pem', 'pfx'].includes(format)) {
    fail('objectFormat', `invalid objectFormat: ${clip(objectFormat)}, should be PEM or PFX`, 'objects');
  } else if (format === 'pfx' && objectType !== 'secret') {
    fail('objectFormat', 'PFX format only supported for objectType: secret', 'objects');
  }
  if (objectEncoding !== '' && objectType !== 'secret') {
    fail('objectEncoding', 'objectEncoding only supported for objectType: secret', 'objects');
  } else if (!['', 'utf-8', 'base64', 'hex'].includes(objectEncoding.toLowerCase())) {
    const reason = `invalid objectEncoding: ${clip(objectEncoding)}, should be hex, base64 or utf-8`;
    fail('objectEncoding', reason, 'objects');
  }
}

/** Returns the file's path: the alias, or else the name. Empty if `files` names the paths. */
function readFileName({ fields, texts, choice, fail }: ObjectReader): string {
  const { objectAlias, objectName } = texts;
  if (choice !== undefined) return objectAlias === '' ? NAME_PATTERN : objectAlias;
  const field = objectAlias === '' ? 'objectName' : 'objectAlias';
  const path = texts[field];
  const unreadable = [fields.value('objectName'), fields.value('objectAlias')].some(
    (value) => value?.kind === 'map' || value?.kind === 'list',
  );
  const isUnwritten = fields.has('files') || (fields.has(EXTRACT_FIELD) && objectAlias === '');
  if (isUnwritten || (unreadable && path === '')) return '';
  const problem = filePathProblem(path);
  if (problem === undefined) return path;
  const typo = objectName === '' && !fields.isFull ? misspelt('objectName', fields.names, OBJECT_FIELDS) : undefined;
  fail(
    field,
    typo === undefined ? problem.text : `${problem.text}; "${typo}" is unknown, did you mean "${field}"?`,
    problem.upstream ? 'objects' : 'never',
  );
  return '';
}

/** Differs: the official provider looks at the type only when it fetches, after other objects. */
function readType({ fields, texts, fail }: ObjectReader): ObjectType {
  const known = TYPES.find((type) => type === texts.objectType);
  if (known !== undefined) return known;
  const near = texts.objectType === '' || fields.isFull ? undefined : nearest(texts.objectType, TYPES);
  const hint = near === undefined ? '' : `; did you mean "${near}"?`;
  fail('objectType', `Invalid vaultObjectTypes. Should be secret, key, or cert${hint}`, 'fetch');
  return 'secret';
}

/** Refuses names that would change the URL, and only warns of names that the vault is likely to refuse. */
function checkName(reader: ObjectReader): void {
  const { fields, texts, choice, fail } = reader;
  const { objectName, objectAlias } = texts;
  for (const field of ['objectName', 'objectVersion'] as const) {
    const problem = pathPartProblem(texts[field]);
    // A name that is also the file's path was refused as a path.
    const refused = field === 'objectName' && objectAlias === '' && filePathProblem(objectName) !== undefined;
    if (problem !== undefined && !refused) fail(field, problem, 'fetch');
  }
  if (placeholderIn(texts.objectVersion) !== undefined)
    fail('objectVersion', `${quote(texts.objectVersion)} cannot be the version of a Key Vault object`, 'fetch');
  const placeholder = bracketedPlaceholderIn(objectAlias);
  if (placeholder !== undefined)
    fields.warning('objectAlias', `holds ${quote(placeholder)}, a placeholder that was not replaced`);
  if (objectName !== '') checkNameInVault(reader);
  else if (choice === undefined && (objectAlias !== '' || fields.has('files') || fields.has(EXTRACT_FIELD)))
    fail('objectName', 'objectName is not provided', 'fetch');
}

function checkNameInVault({ fields, texts: { objectName }, fail }: ObjectReader): void {
  const problem = objectNameProblem(objectName);
  if (problem === undefined) return;
  const several = /[*?]/.test(objectName) ? '; objectNames selects several objects by a glob' : '';
  if (placeholderIn(objectName) !== undefined) fail('objectName', problem, 'fetch');
  else fields.warning('objectName', `${problem}${several}`);
}

function checkBesideFiles({ fields, texts, fail }: ObjectReader, history: number): void {
  if (texts.objectType !== 'secret') {
    fail('files', 'files is only for objectType: secret (a certificate with its key is read as a secret)');
  }
  if (history > 1) fail('objectVersionHistory', 'files cannot be combined with objectVersionHistory');
  for (const field of ['objectAlias', 'objectFormat', 'objectEncoding']) {
    if (fields.has(field)) fail(field, `${field} has no meaning next to files; name paths and formats there`);
  }
}

/** Returns the content of an object with `extract`; the value itself is a file only if the object has an alias. */
function partsOf(
  { fields, texts, fail }: ObjectReader,
  { path, mode, history }: { readonly path: string; readonly mode: number; readonly history: number },
): ContentSpec {
  if (texts.objectType !== 'secret') fail(EXTRACT_FIELD, 'extract is only for objectType: secret');
  if (history > 1) fail('objectVersionHistory', 'extract cannot be combined with objectVersionHistory');
  const parts = parseExtract(fields, mode, ['files', 'objectFormat', 'keyFormat', 'passwordFrom']);
  return partsContent({ parts, encoding: encodingOf(texts), whole: path === '' ? undefined : { path, mode } });
}

function encodingOf({ objectEncoding }: Texts): 'utf-8' | 'base64' | 'hex' {
  const encoding = objectEncoding.toLowerCase();
  return encoding === 'base64' || encoding === 'hex' ? encoding : 'utf-8';
}

function contentOf(texts: Texts, path: string, { mode, split, orderChain }: ObjectDefaults): ContentSpec {
  const format = texts.objectFormat.toLowerCase();
  return valueContent({
    path,
    mode,
    format: format === 'pem' || format === 'pfx' ? format : '',
    encoding: encodingOf(texts),
    split,
    orderChain,
  });
}
