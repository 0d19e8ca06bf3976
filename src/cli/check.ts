import { Command } from 'commander';
import { ProviderError } from '../base/errors.ts';
import { checkManifests } from '../spc/check.ts';
import type { Finding } from '../spc/finding.ts';
import { exitCodeOf, type Io, processIo, readInput } from './io.ts';
import { parameterDefaults } from './provider.ts';

/** What `check` is asked for. */
export interface CheckCommandOptions {
  readonly json?: boolean;
  readonly cloudName: string;
}

/** A finding with its place. */
interface Located extends Finding {
  readonly file: string;
  /** `namespace/name` of the SecretProviderClass; empty where the text cannot be read at all. */
  readonly manifest: string;
}

/** `akv-csi check FILE…`: every finding about SecretProviderClass manifests, by the provider's own parser. */
export function checkCommand(): Command {
  return new Command('check')
    .description('check SecretProviderClass manifests of both forms, with the parser the provider uses')
    .argument('<files...>', 'YAML files; - is stdin')
    .option('--json', 'print the findings as JSON')
    .option('--cloud-name <name>', 'cloud of manifests that name none', 'AzurePublicCloud')
    .addHelpText('after', '\nExit codes: 0 no errors, 1 errors found, 2 wrong command line or unreadable file.')
    .action(async (files: string[], options: CheckCommandOptions) => {
      process.exitCode = await runCheck(files, options, processIo);
    });
}

/** Checks the files and prints what was found. Returns the exit code: 1 if there is an error or nothing to check. */
export function runCheck(
  files: readonly string[],
  { json = false, cloudName }: CheckCommandOptions,
  io: Io,
): Promise<number> {
  return exitCodeOf(io, async () => {
    const defaults = parameterDefaults({ cloudName, orderChain: true, split: false }, io.env);
    const located: Located[] = [];
    let manifests = 0;
    for (const name of files) {
      const input = await readInput(name, io);
      const report = checkManifests(input.text, defaults);
      for (const finding of report.findings) located.push({ ...finding, file: input.name, manifest: '' });
      for (const checked of report.manifests) {
        manifests++;
        const manifest = checked.namespace === '' ? checked.name : `${checked.namespace}/${checked.name}`;
        const byLine = checked.findings.toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0));
        for (const finding of byLine) located.push({ ...finding, file: input.name, manifest });
      }
    }
    const errors = located.filter(({ severity }) => severity === 'error').length;
    if (json) io.stdout(`${JSON.stringify({ manifests, errors, findings: located }, undefined, 2)}\n`);
    else print(located, io);
    if (manifests === 0 && errors === 0)
      throw new ProviderError('ERR_BAD_PARAMETERS', `no SecretProviderClass in ${files.join(', ')}`);
    if (!json) io.stdout(`${summary(manifests, located, errors)}\n`);
    return errors === 0 ? 0 : 1;
  });
}

function print(located: readonly Located[], io: Io): void {
  for (const { file, line, severity, message, manifest } of located) {
    const place = line === undefined ? file : `${file}:${line}`;
    io.stdout(`${place}: ${severity}: ${message}${manifest === '' ? '' : ` [${manifest}]`}\n`);
  }
}

function summary(manifests: number, located: readonly Located[], errors: number): string {
  const classes = `${manifests} SecretProviderClass${manifests === 1 ? '' : 'es'} checked`;
  const others = located.length - errors;
  return `${classes}: ${errors} error${errors === 1 ? '' : 's'}, ${others} other finding${others === 1 ? '' : 's'}`;
}
