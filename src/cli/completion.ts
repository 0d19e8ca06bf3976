/**
 * The command `completion`: prints a script that completes commands and options in Bash, Zsh or Fish. `program.ts` adds
 * it. The script holds all words, so that no process starts when a person presses Tab; other words complete as files.
 */

import { Argument, Command, type Option } from 'commander';
import type { FlagSpec } from './go-flags.ts';
import { type Io, processIo } from './io.ts';
import { SERVE_FLAGS } from './serve-flag-specs.ts';
import { WEBHOOK_FLAGS } from './webhook-flags.ts';

const HELP = `
Bash: source <(akv-csi completion bash)     in ~/.bashrc
Zsh:  source <(akv-csi completion zsh)      in ~/.zshrc, after compinit
Fish: akv-csi completion fish > ~/.config/fish/completions/akv-csi.fish

Exit codes: 0 printed, 2 wrong command line.`;

/** A command with its options, as the scripts need it. */
interface Words {
  readonly name: string;
  readonly description: string;
  readonly options: readonly OptionWords[];
  /** The values of its first argument; empty: any, such as a file. */
  readonly choices: readonly string[];
}

/** An option such as `--format`. */
interface OptionWords {
  readonly name: string;
  readonly description: string;
  /** True if an argument follows. */
  readonly takesValue: boolean;
  /** The values that it takes; empty: any, such as a file. */
  readonly choices: readonly string[];
}

/** The flags of commands that do not read them by commander. */
const FLAGS: Readonly<Record<string, readonly FlagSpec[]>> = { serve: SERVE_FLAGS, webhook: WEBHOOK_FLAGS };

const SCRIPTS = { bash: bashScript, zsh: zshScript, fish: fishScript } as const;

/** Returns all commands of the program, with the options that a program without them only passes on. */
export type CommandsOf = () => Promise<readonly Command[]>;

/** Makes the command `akv-csi completion SHELL`. */
export function completionCommand(commandsOf: CommandsOf): Command {
  return new Command('completion')
    .description('print a script that completes commands and options in a shell')
    .addArgument(new Argument('<shell>', 'the shell').choices(Object.keys(SCRIPTS)))
    .addHelpText('after', HELP)
    .action(async (shell: keyof typeof SCRIPTS) => printCompletion(shell, await commandsOf(), processIo));
}

/** Prints the script of a shell for these commands. */
export function printCompletion(shell: keyof typeof SCRIPTS, commands: readonly Command[], io: Io): void {
  io.stdout(SCRIPTS[shell](commands.map(wordsOf)));
}

function wordsOf(command: Command): Words {
  const name = command.name();
  const own = command.options.map(optionWords);
  const flags = FLAGS[name]?.map((flag) => ({
    name: `--${flag.name}`,
    description: flag.help,
    takesValue: flag.kind !== 'boolean',
    choices: [],
  }));
  const help = { name: '--help', description: 'show the help', takesValue: false, choices: [] };
  const options = flags ?? [...own, help];
  const [argument] = command.registeredArguments;
  return { name, description: command.description(), options, choices: argument?.argChoices ?? [] };
}

function optionWords({ long, description, required, argChoices = [] }: Option): OptionWords {
  return { name: long ?? '', description, takesValue: required, choices: argChoices };
}

function bashScript(commands: readonly Words[]): string {
  const names = commands.map(({ name }) => name).join(' ');
  const cases = commands.map(
    ({ name, options }) => `    ${name}) words='${options.map((option) => option.name).join(' ')}' ;;`,
  );
  // The word in front of the current one is an option with choices, or the command itself.
  const choices = commands.flatMap((command) =>
    [command, ...command.options]
      .filter((one) => one.choices.length > 0)
      .map(
        (one) =>
          `    '${command.name} ${one.name}') COMPREPLY=($(compgen -W '${one.choices.join(' ')}' -- "$current")); return ;;`,
      ),
  );
  return `# Completion of akv-csi for Bash. \`akv-csi completion bash\` prints it.
_akv_csi() {
  local current=\${COMP_WORDS[COMP_CWORD]} command=\${COMP_WORDS[1]} words=
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    COMPREPLY=($(compgen -W '${names} --help --version' -- "$current"))
    return
  fi
  case "$command \${COMP_WORDS[COMP_CWORD - 1]}" in
${choices.join('\n')}
  esac
  case $command in
${cases.join('\n')}
  esac
  # Words that are no options are completed as files.
  [[ $current != -* ]] || COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _akv_csi akv-csi
`;
}

function zshScript(commands: readonly Words[]): string {
  return `autoload -U +X bashcompinit && bashcompinit\n${bashScript(commands)}`;
}

function fishScript(commands: readonly Words[]): string {
  const quoted = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'").replace(/\s+/g, ' ')}'`;
  const lines = commands.flatMap(({ name, description, options, choices }) => [
    `complete -c akv-csi -f -n __fish_use_subcommand -a ${name} -d ${quoted(description)}`,
    ...choices.map((choice) => `complete -c akv-csi -f -n '__fish_seen_subcommand_from ${name}' -a ${choice}`),
    ...options.map((option) => {
      const values = option.choices.length === 0 ? '' : ` -f -a ${quoted(option.choices.join(' '))}`;
      const rest = `${option.takesValue ? ' -r' : ''}${values} -d ${quoted(option.description)}`;
      return `complete -c akv-csi -n '__fish_seen_subcommand_from ${name}' -l ${option.name.slice(2)}${rest}`;
    }),
  ]);
  return `# Completion of akv-csi for Fish. \`akv-csi completion fish\` prints it.\n${lines.join('\n')}\n`;
}
