/** What all commands have in common: their help, their errors, and the words that shells complete. */
import { execFile, execFileSync } from 'node:child_process';
import type { Command } from 'commander';
import { beforeAll, describe, expect, it } from 'vitest';
import { printCompletion } from '../../src/cli/completion.ts';
import { allCommands, makeProgram } from '../../src/cli/program.ts';
import { SERVE_FLAGS } from '../../src/cli/serve-flag-specs.ts';
import { serveHelp } from '../../src/cli/serve-flags.ts';
import { WEBHOOK_FLAGS, webhookHelp } from '../../src/cli/webhook-flags.ts';
import { recordedIo } from '../support/cli.ts';
import { builtProgram } from '../support/e2e.ts';

const NAMES = [
  'serve',
  'check',
  'render',
  'mount',
  'inspect',
  'watch',
  'kubectl',
  'webhook',
  'emulator',
  'demo',
  'version',
  'completion',
];
const PARTS = ['status', 'why', 'check', 'connect'].map((name) => `kubectl ${name}`);

/** Commands by their paths. */
const commands = new Map<string, Command>();

beforeAll(async () => {
  for (const command of await allCommands(makeProgram())) {
    commands.set(command.name(), command);
    for (const part of command.commands) commands.set(`${command.name()} ${part.name()}`, part);
  }
});

function commandAt(path: string): Command {
  const command = commands.get(path);
  if (command === undefined) throw new Error(`there is no command ${path}`);
  return command;
}

function helpOf(path: string): string {
  if (path === 'serve') return serveHelp();
  if (path === 'webhook') return webhookHelp();
  let help = '';
  commandAt(path)
    .configureOutput({ writeOut: (text) => (help += text) })
    .outputHelp();
  return help;
}

it('are all in these tests', () => {
  const visible = [...commands.keys()].filter((path) => !path.includes('__'));
  expect(visible.toSorted()).toEqual([...NAMES, ...PARTS].toSorted());
});

describe.each([...NAMES, ...PARTS])('the help of %s', (path) => {
  it('has the usage, an example and the exit codes, and describes each option once', () => {
    const help = helpOf(path);
    expect(help).toMatch(/^Usage: /);
    expect(help).toMatch(/^Examples?\b/m);
    expect(help).toMatch(/^Exit codes: /m);
    const { options } = commandAt(path);
    expect(options.filter(({ description }) => !/^\S.*[^.]$/.test(description))).toEqual([]);
    expect(new Set(options.map(({ long }) => long)).size).toBe(options.length);
  });
});

describe('the error of a wrong command line', () => {
  const withOptions = [...NAMES, ...PARTS].filter((path) => !['serve', 'webhook', 'kubectl'].includes(path));

  it.each(withOptions)('of %s names the option that may be meant', async (path) => {
    const command = commandAt(path);
    const option = command.options.find(({ long = '' }) => long.length > 5)?.long ?? '--help';
    let printed = '';
    command.exitOverride().configureOutput({ writeErr: (text) => (printed += text) });
    await expect(command.parseAsync([`${option}x`], { from: 'user' })).rejects.toMatchObject({ exitCode: 1 });
    expect(printed).toMatch(new RegExp(`^error: unknown option '${option}x'\\n\\(Did you mean ${option}\\?\\)\\n`));
  });

  it.each([
    [['chek'], "error: unknown command 'chek'\n(Did you mean check?)"],
    [['kubectl', 'statsu'], "error: unknown command 'statsu'\n(Did you mean status?)"],
    [['serve', '--endpiont=x'], 'unknown flag --endpiont; did you mean --endpoint?'],
    [['emulator', '--port', 'x'], "error: option '--port <number>' argument 'x' is invalid."],
    [['check', '/nowhere'], 'error: cannot read /nowhere: no such file or directory'],
  ])('of the program with %j is a few lines without a stack, and exit code 2', async (args, message) => {
    const printed = await new Promise<object>((resolve) => {
      execFile(process.execPath, [builtProgram(), ...args], (error, stdout, stderr) =>
        resolve({ code: error?.code, stdout, lines: stderr.split('\n').length < 5, stderr }),
      );
    });
    expect(printed).toEqual({ code: 2, stdout: '', lines: true, stderr: expect.stringContaining(message) });
  });
});

describe('the completion', () => {
  function scriptOf(shell: 'bash' | 'fish'): string {
    const io = recordedIo({});
    printCompletion(
      shell,
      [...commands].filter(([path]) => !path.includes(' ')).map(([, command]) => command),
      io,
    );
    return io.printed.stdout;
  }

  it('of Bash offers every command and every option', () => {
    const all = [...NAMES, ...PARTS];
    const calls = all.map(
      (path) =>
        `COMP_WORDS=(akv-csi ${path} --); COMP_CWORD=${path.split(' ').length + 1}; _akv_csi; echo \${COMPREPLY[*]}`,
    );
    const printed = execFileSync('bash', ['-c', [scriptOf('bash'), ...calls].join('\n')], { encoding: 'utf8' });
    const flags = { serve: SERVE_FLAGS, webhook: WEBHOOK_FLAGS };
    const expected = all.map((path) => {
      const own = path === 'serve' || path === 'webhook' ? flags[path].map(({ name }) => `--${name}`) : undefined;
      return (own ?? [...commandAt(path).options.map(({ long }) => long), '--help']).join(' ');
    });
    expect(printed.trimEnd().split('\n')).toEqual(expected);
  });

  it('of Fish has a line for every option', () => {
    const lines = scriptOf('fish').split('\n');
    for (const path of PARTS)
      for (const { long = '' } of commandAt(path).options)
        expect(lines.some((line) => line.includes(`'__akv_csi_at ${path}' -l ${long.slice(2)} `))).toBe(true);
  });
});
