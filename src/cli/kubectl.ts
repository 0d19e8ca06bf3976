/**
 * The kubectl plugin: `kubectl akv`, or `akv-csi kubectl`. `program.ts` loads it when it is called, since the client
 * library is loaded only here.
 */

import { Command } from 'commander';
import { checkLiveCommand } from './kubectl/check.ts';
import { completeCommand } from './kubectl/complete.ts';
import { connectCommand } from './kubectl/connect.ts';
import { statusCommand } from './kubectl/status.ts';
import { whyCommand } from './kubectl/why.ts';
import type { DirectMount } from './provider.ts';
import { runCommand } from './run-command.ts';
import { VERSION } from './version.ts';

const HELP = `
Example: kubectl akv status -A

Exit codes: 0 done, 1 a negative result, 2 wrong command line; kubectl akv COMMAND --help says more.`;

/** The parts of the program that the plugin uses. */
export interface PluginDeps {
  readonly directMount: DirectMount;
}

/** Runs the plugin; sets the process's exit code. */
export async function runPlugin(args: readonly string[], deps: PluginDeps): Promise<void> {
  await runCommand(pluginProgram(deps), args);
}

/** Makes the commands of the plugin. */
export function pluginProgram(deps: PluginDeps): Command {
  const program = new Command('kubectl akv')
    .description('SecretProviderClasses of the Azure Key Vault provider in the cluster of the current context')
    .version(VERSION)
    .addHelpText('after', HELP)
    .showHelpAfterError('(kubectl akv --help shows the commands)');
  program.addCommand(statusCommand(deps));
  program.addCommand(whyCommand());
  program.addCommand(checkLiveCommand());
  program.addCommand(connectCommand());
  program.addCommand(completeCommand(program), { hidden: true });
  return program;
}
