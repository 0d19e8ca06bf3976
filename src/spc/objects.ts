import type { ObjectType } from '../base/telemetry.ts';
import { Fields } from './fields.ts';
import { filePathProblem, parseFileMode } from './file-path.ts';
import type { Findings } from './finding.ts';
import type { ContentSpec, ObjectSpec } from './model.ts';
import { fileModeRule, type NamedOutput, type OutputDefaults, parseFiles, parseKeyFormat } from './outputs.ts';
import { kindOf, parseYaml, type Tree } from './tree.ts';

const KNOWN = [
  'objectName',
  'objectAlias',
  'objectType',
  'objectVersion',
  'objectVersionHistory',
  'objectFormat',
  'objectEncoding',
  'filePermission',
  'files',
  'keyFormat',
  'passwordFrom',
];

/** How objects are delivered where they do not say. */
export interface ObjectDefaults {
  /** Permission bits. */
  readonly mode: number;
  /** Certificates as `<path>.crt` and `<path>.key` beside the combined file. */
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
}

/**
 * Reads the `objects` parameter: a list under `array`, or a plain list, of maps or of texts that hold a map.
 * Texts of mistakes are the official provider's where it has one.
 */
export function parseObjects(
  text: string,
  findings: Findings,
  defaults: ObjectDefaults,
  firstLine = 1,
): readonly NamedObject[] {
  const parsed = parseYaml(text, firstLine);
  const fail = (line: number, reason: string) =>
    findings.error('objects', `failed to yaml unmarshal objects, error: line ${line}: ${reason}`, line);
  if (!parsed.ok) {
    for (const { line, message } of parsed.errors) fail(line, message);
    return [];
  }
  const [document, ...later] = parsed.documents;
  const second = later[0];
  if (second !== undefined) {
    findings.note('objects', 'objects holds more than one YAML document; only the first is read', second.line);
  }
  const items = listOf(document, findings, fail);
  return items.flatMap((item, index) => parseItem(item, index, { findings, defaults }) ?? []);
}

function listOf(
  document: Tree | undefined,
  findings: Findings,
  fail: (line: number, reason: string) => void,
): readonly Tree[] {
  if (document === undefined || document.kind === 'null') return [];
  if (document.kind === 'list') return document.items;
  if (document.kind === 'text') {
    fail(document.line, `expected "array:" with a list of objects, found ${kindOf(document)}`);
    return [];
  }
  for (const [name, { line }] of document.entries) {
    if (name !== 'array')
      findings.note('objects', `objects: the key "${name}" is unknown and ignored; objects stand under "array"`, line);
  }
  const array = document.entries.get('array')?.value;
  if (array === undefined || array.kind === 'null') return [];
  if (array.kind === 'list') return array.items;
  fail(array.line, `"array" must be a list of objects, not ${kindOf(array)}`);
  return [];
}

interface ItemContext {
  readonly findings: Findings;
  readonly defaults: ObjectDefaults;
}

function parseItem(item: Tree, index: number, { findings, defaults }: ItemContext): NamedObject | undefined {
  const path = `objects[${index}]`;
  const fail = (line: number, reason: string) =>
    findings.error(
      path,
      `unmarshal failed for keyVaultObjects at index ${index}, error: line ${line}: ${reason}`,
      line,
    );
  if (item.kind === 'null') {
    findings.note(path, `${path} is empty and ignored`, item.line);
    return undefined;
  }
  let map: Tree = item;
  if (item.kind === 'text') {
    const parsed = parseYaml(item.text, item.textLine);
    if (!parsed.ok) {
      for (const { line, message } of parsed.errors) fail(line, message);
      return undefined;
    }
    if (parsed.documents.length > 1)
      findings.note(path, `${path} holds more than one YAML document; only the first is read`, item.line);
    map = parsed.documents[0] ?? { kind: 'map', line: item.line, entries: new Map() };
    if (map.kind === 'null') map = { kind: 'map', line: item.line, entries: new Map() };
  }
  if (map.kind !== 'map') {
    fail(map.line, `expected a map with objectName and objectType, found ${kindOf(map)}`);
    return undefined;
  }
  return parseObject(new Fields(findings, map, path), index, { findings, defaults });
}

function parseObject(fields: Fields, index: number, { findings, defaults }: ItemContext): NamedObject {
  fields.onlyKnown(KNOWN, 'note');
  const name = fields.text('objectName');
  const alias = fields.text('objectAlias');
  const typeText = fields.text('objectType');
  const versionText = fields.text('objectVersion');
  const format = fields.text('objectFormat').toLowerCase();
  const encoding = fields.text('objectEncoding').toLowerCase();
  const label = `objectType:${typeText}, objectName:${name}, objectVersion:${versionText}`;
  const fail = (field: string, reason: string) =>
    findings.error(
      fields.pathOf(field),
      `failed to get ${label}: ${reason} (objects[${index}].${field})`,
      fields.lineOf(field),
    );

  const isSecret = typeText === 'secret';
  if (format !== '' && format !== 'pem' && format !== 'pfx') {
    fail('objectFormat', `invalid objectFormat: ${fields.text('objectFormat')}, should be PEM or PFX`);
  } else if (format === 'pfx' && !isSecret) fail('objectFormat', 'PFX format only supported for objectType: secret');
  if (encoding !== '' && !isSecret) fail('objectEncoding', 'objectEncoding only supported for objectType: secret');
  else if (encoding !== '' && encoding !== 'utf-8' && encoding !== 'base64' && encoding !== 'hex') {
    fail('objectEncoding', `invalid objectEncoding: ${fields.text('objectEncoding')}, should be hex, base64 or utf-8`);
  }
  const file = alias === '' ? name : alias;
  const ownFile = !fields.has('files');
  const problem = ownFile ? filePathProblem(file) : undefined;
  if (problem !== undefined) fail(alias === '' ? 'objectName' : 'objectAlias', problem);
  const type = objectType(typeText);
  if (type === undefined) fail('objectType', 'Invalid vaultObjectTypes. Should be secret, key, or cert');
  if (name === '' && (alias !== '' || !ownFile)) fail('objectName', 'objectName is not provided');
  else if (name !== '' && problem === undefined && !/^[-A-Za-z0-9]{1,127}$/.test(name)) {
    fail('objectName', `"${name}" cannot be the name of a Key Vault object: 1 to 127 letters, digits and hyphens`);
  }
  const history = parseHistory(fields, fail);
  const modeText = fields.text('filePermission');
  const mode = modeText === '' ? defaults.mode : parseFileMode(modeText);
  if (mode === undefined) fail('filePermission', fileModeRule(modeText));

  const outputs = parseOutputs(fields, findings, { mode: mode ?? 0, keyFormat: parseKeyFormat(fields, 'pkcs8') });
  const passwordFrom = fields.text('passwordFrom');
  if (!ownFile) {
    if (!isSecret)
      fail('files', 'files is only for objectType: secret (a certificate with its key is read as a secret)');
    if (history > 1) fail('objectVersionHistory', 'files cannot be combined with objectVersionHistory');
    for (const field of ['objectAlias', 'objectFormat', 'objectEncoding']) {
      if (fields.has(field)) fail(field, `${field} has no meaning beside files; name paths and formats there`);
    }
  } else {
    for (const field of ['keyFormat', 'passwordFrom'])
      if (fields.has(field)) fail(field, `${field} needs a files map beside it`);
  }
  const content: ContentSpec = ownFile
    ? {
        kind: 'value',
        path: file,
        mode: mode ?? 0,
        format: format === 'pem' || format === 'pfx' ? format : '',
        encoding: encoding === 'base64' || encoding === 'hex' ? encoding : 'utf-8',
        split: defaults.split,
        orderChain: defaults.orderChain,
      }
    : { kind: 'outputs', role: 'certificate', outputs: [], chainFrom: undefined, passwordFrom: undefined };
  const version = versionText.toLowerCase() === 'latest' ? '' : versionText;
  return {
    path: fields.path,
    line: fields.line,
    spec: { label, type: type ?? 'secret', name, version, history, content },
    outputs,
    passwordFrom,
  };
}

function parseOutputs(fields: Fields, findings: Findings, defaults: OutputDefaults): readonly NamedOutput[] {
  return fields.has('files') ? parseFiles(fields, findings, defaults) : [];
}

function objectType(text: string): ObjectType | undefined {
  return text === 'secret' || text === 'key' || text === 'cert' ? text : undefined;
}

/** A whole number; the official provider's parser takes `5.0` for 5 and nothing in quotes. */
function parseHistory(fields: Fields, fail: (field: string, reason: string) => void): number {
  const value = fields.value('objectVersionHistory');
  if (value === undefined || value.kind === 'null') return 1;
  const number = value.kind === 'text' && !value.quoted ? /^[-+]?\d+(\.\d*)?$/.exec(value.text.trim()) : null;
  const count = number === null ? Number.NaN : Math.trunc(Number(number[0]));
  if (!(Math.abs(count) <= 0x7fff_ffff)) {
    const quoted = value.kind === 'text' && value.quoted ? ' without quotes' : '';
    fail(
      'objectVersionHistory',
      `line ${value.line}: cannot unmarshal ${kindOf(value)} into int32; write a whole number${quoted}`,
    );
    return 1;
  }
  return Math.max(1, count);
}
