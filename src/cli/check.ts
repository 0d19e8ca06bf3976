/**
 * The command `check`: prints every finding about SecretProviderClass manifests. `program.ts` adds it.
 */

import { Command } from 'commander';
import { ProviderError } from '../base/errors.ts';
import { printable } from '../base/printable.ts';
import { type CheckReport, checkManifests } from '../spc/check.ts';
import type { Finding } from '../spc/finding.ts';
import { fetchFindings } from './check-fetch.ts';
import { addCloudOptions, type CloudOptions } from './cloud-options.ts';
import { exitCodeOf, type Io, processIo, readInputs } from './io.ts';
import { addCredentialOptions, CREDENTIALS_HELP, collected, type RequestOptions } from './mount-request.ts';
import { cloudFilesOf, type DirectMount } from './provider.ts';

/** The arguments of `check`. */
export interface CheckCommandOptions extends Partial<RequestOptions>, CloudOptions {
  readonly json?: boolean;
  readonly fetch?: boolean;
  /** Further names of the provider, next to "azure". */
  readonly providerName?: readonly string[];
}

/** The parts of the program that `check` uses. */
export interface CheckCommandDeps {
  readonly directMount: DirectMount;
}

const HELP = `
With --fetch the objects are also read from their vaults. Nothing is written. An object that cannot be read, or that does
not give the files asked for, is an error. A problem of a certificate (expired, weak, chain incomplete ...) is a warning.
Objects of manifests with errors are not read.
${CREDENTIALS_HELP}

Exit codes: 0 no errors, 1 errors found, 2 wrong command line or unreadable file.`;

/** A finding with its place. */
interface Located extends Finding {
  readonly file: string;
  /** `namespace/name` of the SecretProviderClass; empty if the text cannot be read at all. */
  readonly manifest: string;
}

/** Makes the command `akv-csi check FILE…`. It prints every finding about SecretProviderClass manifests. */
export function checkCommand(deps: CheckCommandDeps): Command {
  const command = new Command('check')
    .description('check SecretProviderClass manifests of both forms, with the parser of the provider')
    .argument('<files...>', 'YAML files, or directories of them; - is standard input')
    .option('--json', 'print the findings as JSON')
    .option('--provider-name <name>', 'also check classes of a provider of this name; repeatable', collected)
    .option('--fetch', 'also read the objects from their vaults and check the certificates');
  return addCredentialOptions(addCloudOptions(command))
    .addHelpText('after', HELP)
    .action(async (files: string[], options: CheckCommandOptions) => {
      process.exitCode = await runCheck({ files, options, deps }, processIo);
    });
}

/** Checks the files and prints what was found. Returns the exit code: 1 if there is an error or nothing to check. */
export function runCheck(
  { files, options, deps }: { files: readonly string[]; options: CheckCommandOptions; deps: CheckCommandDeps },
  io: Io,
): Promise<number> {
  return exitCodeOf(io, async () => {
    const { json = false, cloudName, cloudFileDir = '' } = options;
    const defaults = { cloudName, orderChain: true, split: false };
    const providerNames = ['azure', ...(options.providerName ?? [])];
    const context = { defaults, readCloudFile: cloudFilesOf({ cloudFileDir }, io.env), providerNames };
    const located: Located[] = [];
    let manifests = 0;
    for await (const input of readInputs(files, io)) {
      const report = await checkManifests(input.text, context);
      manifests += report.manifests.length;
      const found = locate(report, input.name);
      located.push(...found);
      if (!options.fetch || countErrors(found) > 0) continue;
      const fetched = await fetchFindings({ ...input, options, providerNames, ...deps }, io);
      located.push(...fetched.map(({ spc, finding }) => ({ ...finding, file: input.name, manifest: labelOf(spc) })));
    }
    return printChecked({ manifests, errors: countErrors(located), located }, { json, files }, io);
  });
}

/** Prints the result. Returns the exit code. Throws: ERR_BAD_PARAMETERS if the files contain no SecretProviderClass. */
function printChecked(
  checked: Checked,
  { json, files }: { readonly json: boolean; readonly files: readonly string[] },
  io: Io,
): number {
  const { manifests, errors } = checked;
  (json ? printJson : print)(checked, io);
  if (manifests === 0 && errors === 0)
    throw new ProviderError('ERR_BAD_PARAMETERS', `no SecretProviderClass in ${files.join(', ')}`);
  if (!json) io.stdout(`${summary(checked)}\n`);
  return errors === 0 ? 0 : 1;
}

/** The findings of a run over all files. */
interface Checked {
  /** SecretProviderClasses found. */
  readonly manifests: number;
  readonly errors: number;
  readonly located: readonly Located[];
}

function countErrors(findings: readonly Finding[]): number {
  return findings.filter(({ severity }) => severity === 'error').length;
}

function printJson({ manifests, errors, located }: Checked, io: Io): void {
  io.stdout(`${JSON.stringify({ manifests, errors, findings: located }, undefined, 2)}\n`);
}

function locate({ findings, manifests }: CheckReport, file: string): readonly Located[] {
  const inManifests = manifests.flatMap((checked) => {
    const byLine = checked.findings.toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0));
    return byLine.map((finding) => ({ ...finding, file, manifest: labelOf(checked) }));
  });
  return [...findings.map((finding) => ({ ...finding, file, manifest: '' })), ...inManifests];
}

function labelOf({ name, namespace }: { readonly name: string; readonly namespace: string }): string {
  return namespace === '' ? name : `${namespace}/${name}`;
}

function print({ located }: Checked, io: Io): void {
  for (const { file, line, severity, message, manifest } of located) {
    const place = line === undefined ? file : `${file}:${line}`;
    io.stdout(`${printable(`${place}: ${severity}: ${message}${manifest === '' ? '' : ` [${manifest}]`}`)}\n`);
  }
}

function summary({ manifests, errors, located }: Checked): string {
  const classes = `${manifests} SecretProviderClass${manifests === 1 ? '' : 'es'} checked`;
  const others = located.length - errors;
  return `${classes}: ${errors} error${errors === 1 ? '' : 's'}, ${others} note${others === 1 ? '' : 's'}`;
}
