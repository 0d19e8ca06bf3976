/**
 * The command `watch`: tells a process that the files of a volume have changed. `main.ts` calls it. It is the only command
 * that runs in the pods of users, and loads nothing of the provider.
 */

import { CommanderError } from 'commander';
import { messageOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { StartError, startProgram, type WrappedProgram } from '../watch/command.ts';
import { Reloader } from '../watch/reload.ts';
import { commandStep, processStep, programStep, requestStep, type Step } from '../watch/steps.ts';
import { type Change, watchVolumes } from '../watch/volumes.ts';
import { type Io, WRONG_USAGE } from './io.ts';
import { openLogOutput } from './log-output.ts';
import { createLogger } from './logging.ts';
import type { HeldSignals } from './signals.ts';
import { asksForJson, writeStartError } from './start-error.ts';
import { parseWatchOptions, type WatchOptions } from './watch-options.ts';

/** The parts of the process that `watch` uses. */
export interface WatchProcess {
  readonly signals: HeldSignals;
  /** From this call on, `watch` handles errors of standard output and standard error itself. */
  readonly takeOutput: () => void;
}

/** Signals that end a sidecar. */
const STOPPING: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT'];
/** Signals that a terminal sends to all its processes, the wrapped program included. */
const OF_TERMINAL: readonly NodeJS.Signals[] = ['SIGINT', 'SIGQUIT'];

/** `akv-csi watch`: runs until a signal, the wrapped program or `--once` ends it. Returns the exit code. */
export async function runWatch(
  args: readonly string[],
  io: Io,
  { signals, takeOutput }: WatchProcess,
): Promise<number> {
  let options: WatchOptions;
  const json = asksForJson(args);
  try {
    // The words of commander would not be JSON.
    options = await parseWatchOptions(args, json ? { ...io, stderr() {} } : io);
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    if (json) writeStartError('Cannot watch', messageOf(error).replace(/^error: /, ''), { args, stderr: io.stderr });
    else if (!(error instanceof CommanderError))
      io.stderr(`error: ${messageOf(error)} (akv-csi watch --help shows the options)\n`);
    return WRONG_USAGE;
  }
  takeOutput();
  const log = createLogger({ json: options.json, verbosity: 0, ...openLogOutput(process, () => {}) });
  const end = new AbortController();
  return options.program.length > 0
    ? aroundProgram(options, { log, signals, end })
    : beside(options, { log, signals, end });
}

interface Running {
  readonly log: Logger;
  readonly signals: HeldSignals;
  readonly end: AbortController;
}

/** Runs as a sidecar. */
async function beside(options: WatchOptions, { log, signals, end }: Running): Promise<number> {
  signals.onEach((signal) => {
    if (STOPPING.includes(signal)) end.abort();
  });
  const follow = await watching(options, stepsOf(options, log), { log, end });
  return (await follow()) ? 0 : 1;
}

/** Runs a program, and ends with it. */
async function aroundProgram(options: WatchOptions, { log, signals, end }: Running): Promise<number> {
  let program: WrappedProgram | undefined;
  const steps = stepsOf(options, log);
  const { signal } = options;
  if (signal !== undefined && options.process.length === 0) steps.push(programStep(() => program?.pid, signal, log));
  // The files are known before the program reads them, so that it is told of each later change.
  const follow = await watching(options, steps, { log, end });
  try {
    program = await startProgram(options.program);
  } catch (error) {
    end.abort();
    log.error('Cannot start the program', { error: messageOf(error) });
    return error instanceof StartError ? error.exitCode : 1;
  }
  const { kill, ended } = program;
  signals.onEach((signal) => {
    if (!(process.stdin.isTTY && OF_TERMINAL.includes(signal))) kill(signal);
  });
  follow().catch((error: unknown) =>
    log.error('Changes are no longer seen: restart the container', { error: messageOf(error) }),
  );
  const code = await ended;
  end.abort();
  return code;
}

/**
 * Reads the files. Returns a function that watches them until the end. It resolves with false if `--once` was set and a
 * step was given up.
 */
async function watching(options: WatchOptions, steps: readonly Step[], { log, end }: Pick<Running, 'log' | 'end'>) {
  const { directories, settleMs, retries, once, initial } = options;
  const { signal } = end;
  const reloader = new Reloader(steps, { log, retries, signal });
  let succeeded = true;
  const reload = async (changes: readonly Change[]) => {
    const reloaded = await reloader.perform(changes);
    if (!once || signal.aborted) return;
    succeeded = reloaded;
    end.abort();
  };
  const begin = (changes: readonly Change[]) => {
    reload(changes).catch((error: unknown) => log.error('Defect', { error: messageOf(error) }));
  };
  const follow = await watchVolumes(directories, begin, { log, settleMs, signal });
  return async () => {
    if (initial) begin([]);
    await follow();
    return succeeded;
  };
}

function stepsOf(options: WatchOptions, log: Logger): Step[] {
  const { run, process, signal, url, method, timeoutMs } = options;
  return [
    ...run.map((command) => commandStep(command, { log, timeoutMs })),
    ...(signal === undefined ? [] : process.map((name) => processStep(name, signal, log))),
    ...url.map((one) => requestStep(one, { method, log, timeoutMs })),
  ];
}
