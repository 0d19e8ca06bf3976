/**
 * Runs commands: one after a change by the shell (`steps.ts`), and the program that the wrapper starts (`cli/watch.ts`).
 * Their output goes to the output of this process. Refuses a command that does not end with 0, or in time.
 */

import type { ChildProcess } from 'node:child_process';
import { constants } from 'node:os';
import { ProviderError, systemCodeOf } from '../base/errors.ts';

const SHELL = '/bin/sh';
/** After SIGTERM, a command has this long before SIGKILL, in milliseconds. */
const KILL_AFTER_MS = 5_000;
/** Exit codes of shells for a program that cannot be run, and one that is not there. */
const NOT_EXECUTABLE = 126;
const NOT_FOUND = 127;
const SIGNALLED = 128;

/**
 * Runs a command by the shell, in a process group of its own, and waits for its end.
 * Throws: ERR_SETUP if it cannot be started, does not end with 0, or takes longer; the reason of the signal when it aborts.
 */
export async function runShell(
  command: string,
  options: {
    readonly env: Readonly<Record<string, string>>;
    readonly timeoutMs: number;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const { env, timeoutMs, signal } = options;
  const { spawn } = await import('node:child_process');
  signal.throwIfAborted();
  const child = spawn(SHELL, ['-c', command], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'inherit', 'inherit'],
    detached: true,
  });
  const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  const stop = () => {
    killGroup(child, 'SIGTERM');
    setTimeout(() => killGroup(child, 'SIGKILL'), KILL_AFTER_MS).unref();
  };
  limit.addEventListener('abort', stop, { once: true });
  try {
    const code = await exitCode(child);
    signal.throwIfAborted();
    if (limit.aborted) throw failed(command, `it took longer than ${timeoutMs / 1000} s and was ended`);
    if (code !== 0) throw failed(command, `it ended with ${code}`);
  } catch (error) {
    if (systemCodeOf(error) !== 'ENOENT') throw error;
    throw failed(command, `this image has no ${SHELL}; use an image that has one, or --signal or --url`);
  } finally {
    limit.removeEventListener('abort', stop);
  }
}

function failed(command: string, reason: string): ProviderError {
  return new ProviderError('ERR_SETUP', `command "${command}": ${reason}`);
}

function killGroup({ pid, exitCode, signalCode }: ChildProcess, signal: NodeJS.Signals): void {
  if (pid === undefined || exitCode !== null || signalCode !== null) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // It has ended.
  }
}

/** The program that the wrapper runs. */
export interface WrappedProgram {
  readonly name: string;
  readonly pid: number;
  kill(signal: NodeJS.Signals): void;
  /** Resolves with the exit code; 128 plus the number of the signal that ended it. */
  readonly ended: Promise<number>;
}

/**
 * Starts the program that the wrapper runs, with the standard streams of this process.
 * Throws: {@link StartError} if it cannot be started.
 */
export async function startProgram([name = '', ...args]: readonly string[]): Promise<WrappedProgram> {
  const { spawn } = await import('node:child_process');
  const child = spawn(name, args, { stdio: 'inherit' });
  const ended = exitCode(child);
  if (child.pid === undefined) {
    const code = await ended.catch(systemCodeOf);
    const missing = code === 'ENOENT';
    throw new StartError(
      missing ? NOT_FOUND : NOT_EXECUTABLE,
      missing ? `cannot start ${name}: there is no such program in this image` : `cannot start ${name}: ${code}`,
    );
  }
  return { name, pid: child.pid, kill: (signal) => void child.kill(signal), ended };
}

/** A program that could not be started, with the exit code that a shell has for it. */
export class StartError extends Error {
  readonly exitCode: number;

  constructor(exitCode: number, message: string) {
    super(message);
    this.exitCode = exitCode;
  }
}

function exitCode(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) =>
      resolve(code ?? SIGNALLED + (signal === null ? 0 : constants.signals[signal])),
    );
  });
}
