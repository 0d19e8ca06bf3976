/**
 * The command line of `watch`. `watch.ts` calls it. Refuses options that have no effect, before anything is started.
 */

import { resolve } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { ProviderError } from '../base/errors.ts';
import { DURATION_RULE, parseGoDuration } from '../base/go.ts';
import { parseSignal } from '../watch/steps.ts';
import type { Io } from './io.ts';

/** The options of `watch`. */
export interface WatchOptions {
  readonly directories: readonly string[];
  /** The program that the wrapper starts, with its arguments; empty for a sidecar. */
  readonly program: readonly string[];
  readonly run: readonly string[];
  readonly process: readonly string[];
  /** Set on the command line, or the default for what gets one. */
  readonly signal?: NodeJS.Signals;
  readonly url: readonly URL[];
  readonly method: string;
  readonly retries: number;
  readonly timeoutMs: number;
  readonly settleMs: number;
  readonly initial: boolean;
  readonly once: boolean;
  readonly json: boolean;
}

/** The limit of directories, commands, processes and URLs, each. */
const MAX_EACH = 16;
const DEFAULT_SIGNAL = 'SIGHUP';
const MAX_RETRIES = 1_000_000;

const HELP = `
Watches volumes of the CSI driver (or of Secrets and ConfigMaps) and does something once after each change of their
files: first the commands, then the signals, then the requests. One that fails is repeated after 1 s, 2 s, … 60 s.

Examples, beside the program, with shareProcessNamespace: true in the pod:
  akv-csi watch /tls --process mosquitto
  akv-csi watch /tls /passwords --url http://localhost:8001/reload

Around the program, which gets the signal, as the first process of a container:
  akv-csi watch /tls -- mosquitto -c /mosquitto.conf

Exit codes: that of the program; else 0 ended by a signal, or --once succeeded, 1 --once given up, 2 wrong command line.
docs/watch.md says what each broker needs.`;

/** Returns the command, for its help and its errors. Its arguments end before the first `--`. */
export function watchCommand(): Command {
  return new Command('watch')
    .description('send a signal, call a URL or run a command when the files of a volume have changed')
    .usage('[options] <directory...> [-- program [args...]]')
    .argument('<directory...>', 'directories where volumes are mounted')
    .option('--process <name>', 'send the signal to the processes of this name (repeatable)', upTo(MAX_EACH, String))
    .option(
      '--signal <name>',
      `the signal for --process or the program (default: ${DEFAULT_SIGNAL.slice(3)})`,
      signalOf,
    )
    .option('--url <url>', 'send a request to this URL (repeatable)', upTo(MAX_EACH, urlOf))
    .option('--method <method>', 'the method of the requests', methodOf, 'POST')
    .option('--run <command>', 'run this command by /bin/sh (repeatable)', upTo(MAX_EACH, String))
    .addOption(duration('--timeout', 'the time for a command or a request', '30s').argParser(timeLimitOf))
    .option(
      '--retries <count>',
      'repeat what fails this often (default: until it succeeds, or the next change)',
      countOf,
    )
    .addOption(duration('--settle', 'wait for this long without a further change', '1s'))
    .option('--initial', 'do it at the start too')
    .option('--once', 'end after the first change')
    .option('--log-format-json', 'write the log as JSON')
    .addHelpText('after', HELP);
}

/**
 * Reads the command line.
 * Throws: ERR_USAGE for options that contradict each other or do nothing; commander's error, printed already, for others.
 */
export async function parseWatchOptions(args: readonly string[], io: Io): Promise<WatchOptions> {
  const end = args.indexOf('--');
  const program = end === -1 ? [] : args.slice(end + 1);
  const command = watchCommand().name('akv-csi watch').exitOverride();
  command.configureOutput({ writeOut: (text) => io.stdout(text), writeErr: (text) => io.stderr(text) });
  let directories: readonly string[] = [];
  command.action((named: string[]) => {
    directories = named;
  });
  await command.parseAsync(end === -1 ? [...args] : args.slice(0, end), { from: 'user' });
  const { timeout, settle, logFormatJson = false, ...given } = command.opts();
  const defaults = { run: [], process: [], url: [], retries: Number.POSITIVE_INFINITY, initial: false, once: false };
  const options: WatchOptions = {
    ...defaults,
    ...(given as Pick<WatchOptions, 'method'>),
    directories: directories.map((directory) => resolve(directory)),
    program,
    timeoutMs: timeout,
    settleMs: settle,
    json: logFormatJson,
  };
  const problem = problemOf(options, end !== -1);
  if (problem !== undefined) throw new ProviderError('ERR_USAGE', problem);
  const signals = options.process.length > 0 || (program.length > 0 && options.run.length + options.url.length === 0);
  return signals ? { signal: DEFAULT_SIGNAL, ...options } : options;
}

function problemOf(options: WatchOptions, separated: boolean): string | undefined {
  const { directories, program, run, process, url, signal, once } = options;
  if (directories.length > MAX_EACH)
    return `there are ${directories.length} directories; at most ${MAX_EACH} are watched`;
  if (separated && program.length === 0) return 'there is no program after --';
  if (program.length === 0 && run.length + process.length + url.length === 0)
    return 'say what to do after a change: --process NAME, --url URL, --run COMMAND, or -- PROGRAM';
  if (signal !== undefined && process.length === 0 && program.length === 0)
    return `--signal ${signal.slice(3)} needs a process: add --process NAME, or -- PROGRAM`;
  if (once && program.length > 0) return '--once cannot end a program: leave out --once, or -- and what follows';
  return undefined;
}

function upTo<T>(limit: number, parse: (text: string) => T) {
  return (text: string, before: readonly T[] = []): readonly T[] => {
    if (text === '') throw new InvalidArgumentError('It is empty.');
    if (before.length === limit) throw new InvalidArgumentError(`At most ${limit} can be given.`);
    return [...before, parse(text)];
  };
}

function signalOf(text: string): NodeJS.Signals {
  const signal = parseSignal(text);
  if (signal === undefined) throw new InvalidArgumentError('Use the name of a signal, such as HUP or USR1.');
  return signal;
}

function urlOf(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw new InvalidArgumentError('Use a URL that begins with http:// or https://.');
  if (url.username !== '' || url.password !== '')
    throw new InvalidArgumentError('A password in it would be visible to others: use --run with curl and a file.');
  return url;
}

function methodOf(text: string): string {
  if (!/^[A-Z]{1,20}$/.test(text)) throw new InvalidArgumentError('Use a method of HTTP, such as POST or PUT.');
  return text;
}

function duration(name: string, description: string, text: string): Option {
  const option = new Option(`${name} <duration>`, description).argParser(durationOf);
  return option.default(durationOf(text), text);
}

function durationOf(text: string): number {
  const ms = parseGoDuration(text);
  if (ms === undefined) throw new InvalidArgumentError(`Use ${DURATION_RULE}.`);
  return ms;
}

/** Without time every command and every request would fail. */
function timeLimitOf(text: string): number {
  const ms = durationOf(text);
  if (ms === 0) throw new InvalidArgumentError('Use a duration above 0, such as 30s.');
  return ms;
}

function countOf(text: string): number {
  if (!/^\d+$/.test(text) || Number(text) > MAX_RETRIES)
    throw new InvalidArgumentError(`Use a number from 0 to ${MAX_RETRIES}.`);
  return Number(text);
}
