import { oneOf, quote } from '../base/words.ts';
import { Fields } from './fields.ts';
import { filePathProblem, parseFileMode } from './file-path.ts';
import type { Findings } from './finding.ts';
import { type KeyFormat, OUTPUT_KINDS, type OutputKind, type OutputSpec } from './model.ts';
import { kindOf } from './yaml/tree.ts';

const KEY_FORMATS: readonly KeyFormat[] = ['pkcs8', 'pkcs1', 'sec1'];
const OUTPUT_FIELDS = ['path', 'filePermission', 'keyFormat', 'format', 'passwordFrom', 'optional'];

/** An output as the manifest has it: the password still named, not found. */
export type NamedOutput = Omit<OutputSpec, 'passwordFrom'> & {
  readonly passwordFrom: string;
  /** Path of the field, for findings. */
  readonly field: string;
  readonly line: number;
};

/** What outputs take from the object they belong to. */
export interface OutputDefaults {
  readonly mode: number;
  readonly keyFormat: KeyFormat;
}

/**
 * Reads a `files` map: output kind to path, or to `{path, filePermission, keyFormat, format, passwordFrom, optional}`.
 * An empty map means: read the object, write nothing of it (a password for another object, say).
 */
export function parseFiles(fields: Fields, findings: Findings, defaults: OutputDefaults): readonly NamedOutput[] {
  const files = fields.map('files');
  if (files === undefined) return [];
  files.onlyKnown(OUTPUT_KINDS, 'error');
  const outputs: NamedOutput[] = [];
  for (const kind of OUTPUT_KINDS) {
    const value = files.value(kind);
    if (value === undefined) continue;
    if (value.kind === 'text') {
      const path = value.text.trim();
      reportPath(files, kind, path);
      outputs.push({
        ...defaults,
        output: kind,
        path,
        presence: 'required',
        pfxForm: 'modern',
        passwordFrom: '',
        field: files.pathOf(kind),
        line: files.lineOf(kind),
      });
    } else if (value.kind === 'map') {
      outputs.push(parseOutput(new Fields(findings, value, files.pathOf(kind)), kind, defaults));
    } else {
      files.error(kind, `must be a path or a map with "path", not ${kindOf(value)}`);
    }
  }
  return outputs;
}

/** Reads `keyFormat`. */
export function parseKeyFormat(fields: Fields, fallback: KeyFormat): KeyFormat {
  const text = fields.text('keyFormat').toLowerCase();
  if (text === '') return fallback;
  const known = KEY_FORMATS.find((format) => format === text);
  if (known === undefined) fields.error('keyFormat', `${quote(text)} must be ${oneOf(KEY_FORMATS)}`);
  return known ?? fallback;
}

/** Reads `filePermission`. */
export function parseMode(fields: Fields, fallback: number): number {
  const text = fields.text('filePermission');
  if (text === '') return fallback;
  const mode = parseFileMode(text);
  if (mode === undefined) fields.error('filePermission', `is wrong: ${fileModeRule(text)}`);
  return mode ?? fallback;
}

/** The rule for a file mode, as a message. */
export function fileModeRule(text: string): string {
  return `file permission must be a valid octal number from 0 to 0777, such as "0644"; ${quote(text)} is not`;
}

function parseOutput(fields: Fields, output: OutputKind, defaults: OutputDefaults): NamedOutput {
  fields.onlyKnown(OUTPUT_FIELDS, 'error');
  const path = fields.text('path');
  reportPath(fields, 'path', path);
  const passwordFrom = fields.text('passwordFrom');
  if (passwordFrom !== '' && output !== 'pfx' && output !== 'truststore') {
    fields.error('passwordFrom', 'is only for the outputs pfx and truststore');
  }
  if (fields.has('keyFormat') && output !== 'privateKey' && output !== 'combined') {
    fields.error('keyFormat', 'is only for the outputs privateKey and combined');
  }
  const format = fields.text('format').toLowerCase();
  if (format !== '' && (output !== 'pfx' || (format !== 'modern' && format !== 'legacy'))) {
    fields.error(
      'format',
      output === 'pfx' ? `${quote(format)} must be "modern" or "legacy"` : 'is only for the output pfx',
    );
  }
  return {
    output,
    path,
    mode: parseMode(fields, defaults.mode),
    presence: parsePresence(fields, output),
    keyFormat: parseKeyFormat(fields, defaults.keyFormat),
    pfxForm: format === 'legacy' ? 'legacy' : 'modern',
    passwordFrom,
    field: fields.path,
    line: fields.line,
  };
}

/** A certificate need not bring its authorities along; leaf and key it has, or is none. */
function parsePresence(fields: Fields, output: OutputKind): OutputSpec['presence'] {
  const text = fields.text('optional').toLowerCase();
  if (fields.has('optional') && output !== 'ca' && output !== 'chain') {
    fields.error('optional', 'is only for the outputs ca and chain');
  } else if (text !== '' && text !== 'true' && text !== 'false') {
    fields.error('optional', `${quote(text)} must be "true" or "false"`);
  }
  return text === 'true' ? 'if-present' : 'required';
}

function reportPath(fields: Fields, name: string, path: string): void {
  const problem = filePathProblem(path);
  if (problem !== undefined) fields.error(name, `is no usable path: ${problem.text}`);
}
