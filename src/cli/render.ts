/**
 * The command `render`: prints SecretProviderClasses for the keyVault fields of resources. `program.ts` adds it.
 */

import { Command, Option } from 'commander';
import { ProviderError } from '../base/errors.ts';
import { isGuid } from '../base/guid.ts';
import { printManifests, printPodParts } from '../render/print.ts';
import { formatRemark } from '../render/remark.ts';
import { render } from '../render/render.ts';
import { withLanguages } from '../spc/languages.ts';
import { exitCodeOf, type Io, processIo, readInputs } from './io.ts';

/** The arguments of `render`. */
export interface RenderCommandOptions {
  readonly directoryId?: string;
  readonly syncSecrets?: boolean;
  readonly format: 'manifests' | 'volumes';
}

const HELP = `
Example: akv-csi render --directory-id TENANT broker.yaml | kubectl apply -f -

Exit codes: 0 printed, 1 no keyVault field, or an error in one (then nothing is printed), 2 wrong command line or
unreadable file.`;

/** Makes the command `akv-csi render FILE…`. It prints manifests to stdout, and remarks to stderr. */
export function renderCommand(): Command {
  return new Command('render')
    .description('turn the keyVault fields of broker resources into SecretProviderClasses and volumes')
    .argument('<file...>', 'YAML files with any resources, or directories of them; - is standard input')
    .option('--directory-id <guid>', 'Microsoft Entra tenant ID that replaces placeholders such as <AKV directory ID>')
    .option(
      '--sync-secrets',
      'add secretObjects, so that a driver with syncSecret.enabled=true also creates Kubernetes Secrets',
    )
    .addOption(
      new Option('--format <format>', 'print manifests to apply, or only the volumes and volumeMounts for a pod')
        .choices(['manifests', 'volumes'])
        .default('manifests'),
    )
    .addHelpText('after', HELP)
    .action(async (files: string[], options: RenderCommandOptions) => {
      process.exitCode = await runRender(files, options, processIo);
    });
}

/**
 * Renders the files. Returns the exit code: 1 if there is no `keyVault` field or an error in one, and then nothing is
 * printed; 2 for a file that cannot be read or a directory ID that is not a GUID.
 */
export function runRender(files: readonly string[], options: RenderCommandOptions, io: Io): Promise<number> {
  return exitCodeOf(io, async () => {
    const { directoryId, syncSecrets = false, format } = options;
    if (directoryId !== undefined && !isGuid(directoryId)) {
      throw new ProviderError('ERR_USAGE', `--directory-id "${directoryId}" is not a GUID`);
    }
    const sources: Parameters<typeof render>[0][number][] = [];
    for await (const source of readInputs(files, io)) sources.push(source);
    const wanted = { syncSecrets, ...(directoryId === undefined ? {} : { directoryId }) };
    const { volumes, remarks } = await withLanguages(() => render(sources, wanted));
    for (const remark of remarks) io.stderr(`${formatRemark(remark)}\n`);
    if (remarks.some(({ severity }) => severity === 'error')) return 1;
    if (volumes.length === 0) {
      io.stderr(`error: there is no keyVault field in ${sources.map(({ name }) => name).join(', ')}\n`);
      return 1;
    }
    io.stdout(format === 'volumes' ? printPodParts(volumes) : printManifests(volumes));
    return 0;
  });
}
