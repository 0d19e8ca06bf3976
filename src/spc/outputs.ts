/**
 * Reads a `files` map: the outputs that are made of a certificate, their paths and their options. Called by the readers
 * of objects in both forms. Refuses unknown outputs, and options that an output does not have.
 */

import { oneOf, quote } from '../base/words.ts';
import {
  KEY_FORMATS,
  type KeyFormat,
  OUTPUT_KINDS,
  type OutputKind,
  outputsThat,
  PKCS12_PROFILES,
  type Pkcs12Profile,
  traitsOf,
} from '../pki/outputs.ts';
import { Fields } from './fields.ts';
import { filePathProblem, parseFileMode } from './file-path.ts';
import type { Findings } from './finding.ts';
import type { OutputSpec } from './model.ts';
import { kindOf } from './yaml/tree.ts';

/** Names of the fields of an output in `files`. */
export const OUTPUT_FIELDS: readonly string[] = [
  'path',
  'filePermission',
  'keyFormat',
  'format',
  'passwordFrom',
  'optional',
];

/** An output as the manifest has it: `passwordFrom` is the name of an object, not its index yet. */
export type NamedOutput = Omit<OutputSpec, 'passwordFrom'> & {
  readonly passwordFrom: string;
  /** Path of the field, for findings. */
  readonly field: string;
  readonly line: number;
};

/** Settings that outputs take from their object. */
export interface OutputDefaults {
  readonly mode: number;
  readonly keyFormat: KeyFormat;
}

/**
 * Reads a `files` map: output kind to path, or to `{path, filePermission, keyFormat, format, passwordFrom, optional}`.
 * With an empty map the object is read and not written, for example a password for another object.
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

/** Returns the rule for a file mode, as a message. */
export function fileModeRule(text: string): string {
  return `file permission must be a valid octal number from 0 to 0777, such as "0644"; ${quote(text)} is not`;
}

function parseOutput(fields: Fields, output: OutputKind, defaults: OutputDefaults): NamedOutput {
  fields.onlyKnown(OUTPUT_FIELDS, 'error');
  const path = fields.text('path');
  reportPath(fields, 'path', path);
  const passwordFrom = fields.text('passwordFrom');
  if (passwordFrom !== '' && !traitsOf(output).takesPassword) {
    fields.error('passwordFrom', isOnlyFor('takesPassword'));
  }
  if (fields.has('keyFormat') && !traitsOf(output).takesKeyFormat) {
    fields.error('keyFormat', isOnlyFor('takesKeyFormat'));
  }
  return {
    output,
    path,
    mode: parseMode(fields, defaults.mode),
    presence: parsePresence(fields, output),
    keyFormat: parseKeyFormat(fields, defaults.keyFormat),
    pfxForm: parseProfile(fields, output),
    passwordFrom,
    field: fields.path,
    line: fields.line,
  };
}

function parsePresence(fields: Fields, output: OutputKind): OutputSpec['presence'] {
  if (traitsOf(output).mayBeOptional) return fields.flag('optional') ? 'if-present' : 'required';
  if (fields.has('optional')) fields.error('optional', isOnlyFor('mayBeOptional'));
  return 'required';
}

/** Reads `format`. */
function parseProfile(fields: Fields, output: OutputKind): Pkcs12Profile {
  const text = fields.text('format').toLowerCase();
  if (text === '') return 'modern';
  const known = PKCS12_PROFILES.find((profile) => profile === text);
  if (!traitsOf(output).takesProfile) fields.error('format', isOnlyFor('takesProfile'));
  else if (known === undefined) fields.error('format', `${quote(text)} must be ${oneOf(PKCS12_PROFILES)}`);
  return known ?? 'modern';
}

function isOnlyFor(trait: Parameters<typeof outputsThat>[0]): string {
  const kinds = [...outputsThat(trait)];
  const last = kinds.pop();
  return kinds.length === 0
    ? `is only for the output ${last}`
    : `is only for the outputs ${kinds.join(', ')} and ${last}`;
}

function reportPath(fields: Fields, name: string, path: string): void {
  const problem = filePathProblem(path);
  if (problem !== undefined) fields.error(name, `is not a usable path: ${problem.text}`);
}
