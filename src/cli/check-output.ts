/**
 * Prints the result of `check`: as text for a person, as JSON, as annotations of a GitHub workflow, or as SARIF for code
 * scanning. Called by check.ts. Control characters of manifests are escaped in every form.
 */

import { isAbsolute, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { printable, printableJson } from '../base/printable.ts';
import { counted } from '../base/words.ts';
import type { Finding } from '../spc/finding.ts';
import type { DeveloperLogin } from '../spc/identities/developer.ts';
import { countsOf } from './severities.ts';
import { VERSION } from './version.ts';

/** A finding with its place. */
export interface Located extends Finding {
  readonly file: string;
  /** `namespace/name` of the SecretProviderClass; empty if the text cannot be read at all. */
  readonly manifest: string;
}

/** The findings of a run over all files. */
export interface Checked {
  /** SecretProviderClasses found. */
  readonly manifests: number;
  readonly errors: number;
  readonly located: readonly Located[];
  /** The login that read the vaults in place of the identities of the classes. */
  readonly login?: DeveloperLogin | undefined;
}

/** The forms that `check` prints, by the value of `--format`. */
export const FORMATS = {
  text: (checked: Checked) => checked.located.map((one) => `${textLine(one)}\n`).join(''),
  json: ({ manifests, errors, located, login }: Checked) =>
    printableJson({ manifests, errors, login, findings: located }),
  github: ({ located }: Checked) => located.map((one) => `${annotation(one)}\n`).join(''),
  sarif: ({ located }: Checked) => printableJson(sarifLog(located)),
} as const;

/** A value of `--format`. */
export type CheckFormat = keyof typeof FORMATS;

/** Returns the last line of the text form: what was checked, and how many findings there are. */
export function summary({ manifests, located }: Checked): string {
  return `${counted(manifests, 'SecretProviderClass', 'es')} checked: ${countsOf(located)}`;
}

function textLine({ file, line, severity, message, manifest }: Located): string {
  const place = line === undefined ? file : `${file}:${line}`;
  return printable(`${place}: ${severity}: ${message}${labelOf(manifest)}`);
}

function labelOf(manifest: string): string {
  return manifest === '' ? '' : ` [${manifest}]`;
}

const ANNOTATIONS: Readonly<Record<Finding['severity'], string>> = {
  error: 'error',
  warning: 'warning',
  note: 'notice',
};

/** Returns a workflow command of GitHub Actions: https://docs.github.com/actions/reference/workflow-commands */
function annotation({ file, line, severity, message, manifest }: Located): string {
  const properties = [`file=${inProperty(file)}`, ...(line === undefined ? [] : [`line=${line}`])].join(',');
  return `::${ANNOTATIONS[severity]} ${properties}::${inCommand(`${message}${labelOf(manifest)}`)}`;
}

function inCommand(text: string): string {
  return printable(text).replaceAll('%', '%25');
}

function inProperty(text: string): string {
  return inCommand(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
}

/** The identifiers of the rules in SARIF. A place in the manifest decides which one it is. */
const RULES = [
  { id: 'manifest', text: 'The SecretProviderClass is one that Kubernetes and the driver accept' },
  { id: 'parameters', text: 'The parameters are ones that the provider accepts' },
] as const;

/** Returns a log of SARIF 2.1.0: https://docs.oasis-open.org/sarif/sarif/v2.1.0/ */
function sarifLog(located: readonly Located[]): object {
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'akv-csi check',
            version: VERSION,
            rules: RULES.map(({ id, text }) => ({ id, shortDescription: { text } })),
          },
        },
        results: located.map(sarifResult),
      },
    ],
  };
}

function sarifResult({ file, line, severity, path, message, manifest }: Located): object {
  const name = [manifest, path].filter((part) => part !== '').join(' ');
  return {
    ruleId: /^(metadata|spec\.(provider|secretObjects))|^$/.test(path) ? RULES[0].id : RULES[1].id,
    level: severity,
    message: { text: printable(message) },
    locations: [
      {
        physicalLocation: {
          artifactLocation: { uri: uriOf(file) },
          ...(line === undefined ? {} : { region: { startLine: line } }),
        },
        ...(name === '' ? {} : { logicalLocations: [{ fullyQualifiedName: printable(name) }] }),
      },
    ],
  };
}

/**
 * Returns the URI of a file: relative to the working directory, which is the root of the repository for code scanning, or
 * absolute if the file is outside of it.
 */
function uriOf(file: string): string {
  const path = isAbsolute(file) ? relative('.', file) : file;
  const isOutside = isAbsolute(file) && path.startsWith('..');
  return isOutside ? pathToFileURL(file).href : path.split('/').map(encodeURIComponent).join('/');
}
