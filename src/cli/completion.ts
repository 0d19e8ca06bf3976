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
Examples:
Bash: source <(akv-csi completion bash)     in ~/.bashrc
Zsh:  source <(akv-csi completion zsh)      in ~/.zshrc, after compinit
Fish: akv-csi completion fish > ~/.config/fish/completions/akv-csi.fish

Exit codes: 0 printed, 2 wrong command line.`;

/** A command with its options, as the scripts need it. */
interface Words {
  /** Its name, after that of the command that it is part of, such as `kubectl status`. */
  readonly path: string;
  /** The last word of the path. */
  readonly name: string;
  readonly description: string;
  readonly options: readonly OptionWords[];
  /** The values of its first argument, or its commands; empty: any, such as a file. */
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
  const help = {
    path: 'help',
    name: 'help',
    description: 'display help for a command',
    options: [],
    choices: commands.map((command) => command.name()),
  };
  io.stdout(SCRIPTS[shell]([...commands.flatMap((command) => wordsOf(command)), help]));
}

/** Returns a command and the commands that are part of it. */
function wordsOf(command: Command, above = ''): readonly Words[] {
  const name = command.name();
  const path = above === '' ? name : `${above} ${name}`;
  const flags = FLAGS[path]?.map((flag) => ({
    name: `--${flag.name}`,
    description: flag.help,
    takesValue: flag.kind !== 'boolean',
    choices: [],
  }));
  const help = { name: '--help', description: 'show the help', takesValue: false, choices: [] };
  const options = flags ?? [...command.options.map(optionWords), help];
  const parts = command.commands.filter((part) => !part.name().startsWith('_'));
  const [argument] = command.registeredArguments;
  const choices = parts.length === 0 ? (argument?.argChoices ?? []) : parts.map((part) => part.name());
  const own = { path, name, description: command.description(), options, choices };
  return [own, ...parts.flatMap((part) => wordsOf(part, path))];
}

function optionWords({ long, description, required, argChoices = [] }: Option): OptionWords {
  return { name: long ?? '', description, takesValue: required, choices: argChoices };
}

function bashScript(commands: readonly Words[]): string {
  const names = commands.filter(isWhole).map(({ name }) => name);
  const parts = commands.filter((command) => !isWhole(command)).map(({ path }) => `'${path}'`);
  const cases = commands.map(
    ({ path, options }) => `    '${path}') words='${options.map((option) => option.name).join(' ')}' ;;`,
  );
  // The word in front of the current one is an option with choices, or the command itself.
  const choices = commands.flatMap((command) => [
    ...(command.choices.length === 0
      ? []
      : [`    '${command.path} ${command.name}') [[ $current == -* ]] || { ${offer(command.choices)}; return; } ;;`]),
    ...command.options
      .filter((option) => option.choices.length > 0)
      .map((option) => `    '${command.path} ${option.name}') ${offer(option.choices)}; return ;;`),
  ]);
  return `# Completion of akv-csi for Bash. \`akv-csi completion bash\` prints it.
_akv_csi() {
  local current=\${COMP_WORDS[COMP_CWORD]} command=\${COMP_WORDS[1]} words=
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    ${offer([...names, '--help', '--version'])}
    return
  fi
  if ((COMP_CWORD > 2)); then
    case "$command \${COMP_WORDS[2]}" in
      ${parts.join(' | ')}) command="$command \${COMP_WORDS[2]}" ;;
    esac
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

/** Returns the line of Bash that offers words. */
function offer(words: readonly string[]): string {
  return `COMPREPLY=($(compgen -W '${words.join(' ')}' -- "$current"))`;
}

/** True for a command that is part of no other. */
function isWhole({ path, name }: Words): boolean {
  return path === name;
}

function zshScript(commands: readonly Words[]): string {
  return `autoload -U +X bashcompinit && bashcompinit\n${bashScript(commands)}`;
}

function fishScript(commands: readonly Words[]): string {
  const quoted = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'").replace(/\s+/g, ' ')}'`;
  const whole = commands.filter(isWhole);
  const starts = whole.map(
    ({ name, description }) => `complete -c akv-csi -f -n __fish_use_subcommand -a ${name} -d ${quoted(description)}`,
  );
  const lines = commands.flatMap(({ path, options, choices }) => {
    const condition = quoted(`__akv_csi_at ${path}`);
    return [
      ...choices.map((choice) => `complete -c akv-csi -f -n ${quoted(`__akv_csi_after ${path}`)} -a ${choice}`),
      ...options.map((option) => {
        const values = option.choices.length === 0 ? '' : ` -f -a ${quoted(option.choices.join(' '))}`;
        const rest = `${option.takesValue ? ' -r' : ''}${values} -d ${quoted(option.description)}`;
        return `complete -c akv-csi -n ${condition} -l ${option.name.slice(2)}${rest}`;
      }),
    ];
  });
  return `# Completion of akv-csi for Fish. \`akv-csi completion fish\` prints it.
function __akv_csi_at
  set -l words (commandline -opc)
  set -l last (math (count $argv) + 1)
  test (count $words) -ge $last; and test "$words[2..$last]" = "$argv"
end
function __akv_csi_after
  set -l words (commandline -opc)
  test "$words[2..-1]" = "$argv"
end
${[...starts, ...lines].join('\n')}
`;
}
