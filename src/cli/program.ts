/**
 * Lists the commands, and runs one of those that are no servers. `main.ts` calls it.
 */

import { fstat } from 'node:fs';
import { promisify } from 'node:util';
import { Command } from 'commander';
import { systemClock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import { silentTelemetry } from '../base/telemetry.ts';
import { ALLOW_ALL } from '../spc/overrides.ts';
import { checkCommand } from './check.ts';
import { completionCommand } from './completion.ts';
import { inspectCommand } from './inspect.ts';
import { processIo } from './io.ts';
import { mountCommand } from './mount.ts';
import { createProvider, type DirectOptions } from './provider.ts';
import { renderCommand } from './render.ts';
import { runCommand } from './run-command.ts';
import { parseServeFlags } from './serve-flags.ts';
import { VERSION } from './version.ts';
import { versionCommand } from './version-command.ts';
import { watchCommand } from './watch-options.ts';

const HELP = `
Example: akv-csi check deploy/

Exit codes: 0 done, 1 a negative result, 2 wrong command line; akv-csi COMMAND --help says more.`;

/** Runs a command of the program other than `serve`; sets the process's exit code. */
export async function runProgram(argv: readonly string[]): Promise<void> {
  await runCommand(makeProgram(), argv.length === 0 && (await isInputGiven()) ? FILTER : argv);
}

/** Makes the program with all commands. Those that it only starts or loads have no options here; see {@link allCommands}. */
export function makeProgram(): Command {
  const program = new Command('akv-csi')
    .description('Azure Key Vault provider for the Kubernetes Secrets Store CSI Driver')
    .version(VERSION)
    .addHelpText('after', HELP)
    .showHelpAfterError('(akv-csi --help shows the commands)');
  program.addCommand(
    new Command('serve').description('run the provider (flags: akv-csi serve --help)').argument('[flags...]'),
  );
  program.addCommand(checkCommand({ directMount }));
  program.addCommand(renderCommand({ directMount }));
  program.addCommand(mountCommand({ directMount }));
  program.addCommand(inspectCommand());
  program.addCommand(watchCommand());
  addPlugin(program);
  program.addCommand(
    new Command('webhook')
      .description('answer admission reviews of Kubernetes (flags: akv-csi webhook --help)')
      .argument('[flags...]'),
  );
  addLab(program);
  program.addCommand(versionCommand());
  program.addCommand(completionCommand(() => allCommands(program)));
  return program;
}

/**
 * The command without arguments, with standard input from a pipe or a file: Helm and kustomize call programs like that.
 */
const FILTER = ['render', '--into'];

/** True if standard input is a pipe, a socket or a file. A terminal and `/dev/null` are not. */
async function isInputGiven(): Promise<boolean> {
  const input = await promisify(fstat)(0).catch(() => undefined);
  return input !== undefined && (input.isFIFO() || input.isSocket() || input.isFile());
}

/** Adds `kubectl`, which is loaded when it is called: the client library of Kubernetes is large. */
function addPlugin(program: Command): void {
  const description = 'look at SecretProviderClasses in a cluster; as a kubectl plugin: kubectl akv';
  program.addCommand(
    delegate('kubectl', description, async (args) => {
      const { runPlugin } = await import('./kubectl.ts');
      await runPlugin(args, { directMount });
    }),
  );
}

/** Adds `emulator` and `demo`, which are in a separate file that the image leaves out. */
function addLab(program: Command): void {
  const lab = (name: 'emulator' | 'demo', description: string) =>
    delegate(name, description, async (args) => {
      const { runLab } = await import('./dev-commands.ts');
      await runLab(name, args);
    });
  program.addCommand(lab('emulator', 'run a small Azure on this machine: Key Vault, Entra ID, managed identity'));
  program.addCommand(lab('demo', 'run an example on the emulator, from broker resources to a running broker'));
}

/** Makes a command that hands its words on to a program of its own. */
function delegate(name: string, description: string, run: (args: readonly string[]) => Promise<void>): Command {
  return new Command(name)
    .description(description)
    .argument('[args...]')
    .helpOption(false)
    .allowUnknownOption()
    .allowExcessArguments()
    .action((args: string[]) => run(args));
}

/** Returns the commands of the program, with those that it loads on demand in place of the ones that load them. */
export async function allCommands(program: Command): Promise<readonly Command[]> {
  const { pluginProgram } = await import('./kubectl.ts');
  // The image leaves the file out.
  const lab = await import('./dev-commands.ts').then(
    ({ labCommands }) => labCommands(),
    () => [],
  );
  const loaded = [pluginProgram({ directMount }).name('kubectl'), ...lab];
  return program.commands.map((command) => loaded.find((one) => one.name() === command.name()) ?? command);
}

async function directMount({ cloudName, cloudFileDir = '', login }: DirectOptions, log: Logger) {
  // The class is a file, and the caller is no author of a pod.
  const allowed = `--allow-volume-attributes=${ALLOW_ALL}`;
  const settings = parseServeFlags([`--cloud-name=${cloudName}`, `--cloud-file-dir=${cloudFileDir}`, allowed]);
  const developer =
    login === undefined
      ? undefined
      : { login, tokens: (await import('../azure/login/developer-credentials.ts')).developerTokens() };
  const surroundings = { env: processIo.env, log, telemetry: silentTelemetry, clock: systemClock, developer };
  return (await createProvider(settings, surroundings)).mount;
}
