/**
 * The command `check`: prints every finding about SecretProviderClass manifests. `program.ts` adds it.
 */

import { Command, Option } from 'commander';
import { ProviderError } from '../base/errors.ts';
import { type CheckReport, checkManifests } from '../spc/check.ts';
import type { Finding } from '../spc/finding.ts';
import { ClassFetcher, type FetchFinding, refuseIdleCredentials } from './check-fetch.ts';
import { type Checked, type CheckFormat, FORMATS, type Located, summary } from './check-output.ts';
import { addCloudOptions, type CloudOptions } from './cloud-options.ts';
import { exitCodeOf, type Io, processIo, readInputs } from './io.ts';
import { addCredentialOptions, CREDENTIALS_HELP, collected, type RequestOptions } from './mount-request.ts';
import { cloudFilesOf, type DirectMount } from './provider.ts';

/** The arguments of `check`. */
export interface CheckCommandOptions extends Partial<RequestOptions>, CloudOptions {
  /** The same as the format `json`. */
  readonly json?: boolean;
  /** Default: `text`. */
  readonly format?: CheckFormat;
  readonly fetch?: boolean;
  /** Files without a class are skipped, whatever they hold. */
  readonly ignoreNotFound?: boolean;
  /** Further names of the provider, next to "azure". */
  readonly providerName?: readonly string[];
}

/** The parts of the program that `check` uses. */
export interface CheckCommandDeps {
  readonly directMount: DirectMount;
}

const HELP = `
Examples: akv-csi check deploy/
          helm template app charts/app | akv-csi check -
          akv-csi check --fetch --login azurecli deploy/

With --fetch the objects are also read from their vaults. Nothing is written. An object that cannot be read, or that does
not give the files asked for, is an error. A problem of a certificate (expired, weak, chain incomplete ...) is a warning.
Objects of manifests with errors are not read.
${CREDENTIALS_HELP}

Exit codes: 0 no errors, 1 errors found, 2 wrong command line or unreadable file.`;

/** Makes the command `akv-csi check FILE…`. It prints every finding about SecretProviderClass manifests. */
export function checkCommand(deps: CheckCommandDeps): Command {
  const command = new Command('check')
    .description('check SecretProviderClass manifests of both forms, with the parser of the provider')
    .argument('<files...>', 'YAML files, or directories of them; - is standard input')
    .option('--json', 'the same as --format json')
    .addOption(
      new Option('--format <format>', 'print the findings as text, JSON, annotations of a GitHub workflow, or SARIF')
        .choices(Object.keys(FORMATS))
        .conflicts('json'),
    )
    .option('--ignore-not-found', 'skip files without a SecretProviderClass, also those that are no YAML')
    .option('--provider-name <name>', 'also check classes of a provider of this name; repeatable', collected)
    .option('--fetch', 'also read the objects from their vaults and check the certificates');
  addCloudOptions(command).optionsGroup('Options with --fetch:');
  return addCredentialOptions(command)
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
    refuseIdleCredentials(options);
    const { json = false, format = json ? 'json' : 'text', cloudName, cloudFileDir = '' } = options;
    const defaults = { cloudName, orderChain: true, split: false };
    const providerNames = ['azure', ...(options.providerName ?? [])];
    const context = { defaults, readCloudFile: cloudFilesOf({ cloudFileDir }, io.env), providerNames };
    const fetcher = new ClassFetcher({ options, ...deps }, io);
    const located: Located[] = [];
    let manifests = 0;
    for await (const input of readInputs(files, io)) {
      if (options.ignoreNotFound && !input.text.includes('SecretProviderClass')) continue;
      const report = await checkManifests(input.text, context);
      manifests += report.manifests.length;
      const found = locate(report, input.name);
      located.push(...found);
      if (!options.fetch || countErrors(found) > 0) continue;
      const fetched = await fetcher.fetchAll(input, providerNames);
      located.push(...fetched.map((one) => locateFetched(one, report, input.name)));
    }
    const { login } = options;
    const checked = { manifests, errors: countErrors(located), located, login };
    return printChecked(checked, { format, files, mayBeEmpty: options.ignoreNotFound === true }, io);
  });
}

/** Prints the result. Returns the exit code. Throws: ERR_BAD_PARAMETERS if the files contain no SecretProviderClass. */
function printChecked(
  checked: Checked,
  { format, files, mayBeEmpty }: { format: CheckFormat; files: readonly string[]; mayBeEmpty: boolean },
  io: Io,
): number {
  const { manifests, errors } = checked;
  io.stdout(FORMATS[format](checked));
  if (manifests === 0 && errors === 0 && !mayBeEmpty)
    throw new ProviderError('ERR_BAD_PARAMETERS', `no SecretProviderClass in ${files.join(', ')}`);
  if (format === 'text') io.stdout(`${summary(checked)}\n`);
  return errors === 0 ? 0 : 1;
}

function countErrors(findings: readonly Finding[]): number {
  return findings.filter(({ severity }) => severity === 'error').length;
}

function locate({ findings, manifests }: CheckReport, file: string): readonly Located[] {
  const inManifests = manifests.flatMap((checked) => {
    const byLine = checked.findings.toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0));
    return byLine.map((finding) => ({ ...finding, file, manifest: labelOf(checked) }));
  });
  return [...findings.map((finding) => ({ ...finding, file, manifest: '' })), ...inManifests];
}

/** Returns a finding about the objects of a class with the line on which the class begins. */
function locateFetched({ spc, finding }: FetchFinding, { manifests }: CheckReport, file: string): Located {
  const manifest = labelOf(spc);
  const line = manifests.find((checked) => labelOf(checked) === manifest)?.line;
  return { ...finding, file, manifest, ...(line === undefined ? {} : { line }) };
}

function labelOf({ name, namespace }: { readonly name: string; readonly namespace: string }): string {
  return namespace === '' ? name : `${namespace}/${name}`;
}
