import { execFileSync } from 'node:child_process';
import { Command, Option } from 'commander';
import { describe, expect, it } from 'vitest';
import { completionCommand, printCompletion } from '../../src/cli/completion.ts';
import { SERVE_FLAGS } from '../../src/cli/serve-flag-specs.ts';
import { recordedIo } from '../support/cli.ts';

const commands = [
  new Command('serve').description('run'),
  new Command('check')
    .description("check a person's files")
    .option('--fetch', 'also read')
    .addOption(new Option('--format <format>', 'the form').choices(['text', 'json'])),
  completionCommand(async () => []),
  new Command('kubectl')
    .addCommand(new Command('status').option('--all', 'all of them'))
    .addCommand(new Command('__x')),
];

function scriptOf(shell: 'bash' | 'zsh' | 'fish'): string {
  const io = recordedIo({});
  printCompletion(shell, commands, io);
  return io.printed.stdout;
}

/** Returns the words that Bash offers for a command line whose last word is being typed. */
function offered(...words: readonly string[]): readonly string[] {
  const call = 'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _akv_csi; declare -p COMPREPLY';
  const printed = execFileSync('bash', ['-c', `${scriptOf('bash')}\n${call}`, 'bash', 'akv-csi', ...words], {
    encoding: 'utf8',
  });
  return [...printed.matchAll(/\[\d+\]="(.*?)"/g)].map(([, word = '']) => word);
}

describe('the completion of Bash', () => {
  it.each<[readonly string[], readonly string[]]>([
    [[''], ['serve', 'check', 'completion', 'kubectl', 'help', '--help', '--version']],
    [['ch'], ['check']],
    [
      ['check', '--f'],
      ['--fetch', '--format'],
    ],
    [
      ['check', '--'],
      ['--fetch', '--format', '--help'],
    ],
    [
      ['check', '--format', ''],
      ['text', 'json'],
    ],
    [['check', '--format', 'j'], ['json']],
    [
      ['completion', ''],
      ['bash', 'zsh', 'fish'],
    ],
    [['kubectl', ''], ['status']],
    [
      ['kubectl', 'status', '--'],
      ['--all', '--help'],
    ],
    [['help', 'ch'], ['check']],
    [['check', 'file'], []],
    [['unknown', '--'], []],
  ])('offers for %j the words %j', (words, expected) => {
    expect(offered(...words)).toEqual(expected);
  });

  it('offers every flag of serve', () => {
    expect(offered('serve', '--')).toEqual(SERVE_FLAGS.map(({ name }) => `--${name}`));
  });
});

describe('the completion of Fish', () => {
  it('has a line for each command, option and choice, with its description', () => {
    const lines = scriptOf('fish').split('\n');
    expect(lines).toContain("complete -c akv-csi -f -n __fish_use_subcommand -a check -d 'check a person\\'s files'");
    expect(lines).toContain("complete -c akv-csi -n '__akv_csi_at check' -l fetch -d 'also read'");
    expect(lines).toContain("complete -c akv-csi -n '__akv_csi_at check' -l format -r -f -a 'text json' -d 'the form'");
    expect(lines).toContain("complete -c akv-csi -f -n '__akv_csi_after completion' -a zsh");
  });
});
