/**
 * The command `render`: prints SecretProviderClasses for the keyVault fields of resources. `program.ts` adds it.
 */

import { Command } from 'commander';
import { printManifests, printPodParts } from '../render/print.ts';
import { formatRemark } from '../render/remark.ts';
import { render } from '../render/render.ts';
import { withLanguages } from '../spc/languages.ts';
import { exitCodeOf, type Io, processIo, readInputs } from './io.ts';
import { addRenderOptions, type RenderCommandOptions, renderOptionsOf } from './render-options.ts';

const HELP = `
Example: akv-csi render --directory-id TENANT broker.yaml | kubectl apply -f -

Exit codes: 0 printed, 1 no keyVault field, or an error in one (then nothing is printed), 2 wrong command line or
unreadable file.`;

/** Makes the command `akv-csi render FILE…`. It prints manifests to stdout, and remarks to stderr. */
export function renderCommand(): Command {
  const command = new Command('render')
    .description('turn the keyVault fields of broker resources into SecretProviderClasses and volumes')
    .argument('<file...>', 'YAML files with any resources, or directories of them; - is standard input');
  return addRenderOptions(command)
    .addHelpText('after', HELP)
    .action(async (files: string[], options: RenderCommandOptions) => {
      process.exitCode = await runRender(files, options, processIo);
    });
}

/**
 * Renders the files. Returns the exit code: 1 if there is no `keyVault` field or an error in one, and then nothing is
 * printed; 2 for a file that cannot be read or an option with a value that it cannot have.
 */
export function runRender(files: readonly string[], options: RenderCommandOptions, io: Io): Promise<number> {
  return exitCodeOf(io, async () => {
    const wanted = renderOptionsOf(options);
    const sources: Parameters<typeof render>[0][number][] = [];
    for await (const source of readInputs(files, io)) sources.push(source);
    const { volumes, remarks, mistakes } = await withLanguages(() => render(sources, wanted));
    for (const remark of remarks) io.stderr(`${formatRemark(remark)}\n`);
    for (const mistake of mistakes) io.stderr(`error: ${mistake}\n`);
    if (mistakes.length > 0 || remarks.some(({ severity }) => severity === 'error')) return 1;
    if (volumes.length === 0) {
      io.stderr(`error: there is no keyVault field in ${sources.map(({ name }) => name).join(', ')}\n`);
      return 1;
    }
    io.stdout(options.format === 'volumes' ? printPodParts(volumes) : printManifests(volumes));
    return 0;
  });
}
