/**
 * Child processes of the demo: starts one, waits until its log says that it is ready, and stops it. Used for the
 * provider, the broker and `watch`. It reports the last lines of the log of a process that does not start.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { abortable } from '../../base/abort.ts';
import { ProviderError } from '../../base/errors.ts';

/** The limits of a start, and of the wait for a line of a log, in milliseconds. */
const LOG_TIMEOUT_MS = 30_000;
/** As for the pods of a kubelet; the provider waits 20 s for its calls. */
const STOP_TIMEOUT_MS = 30_000;
const LOG_TAIL_LINES = 12;

/** A process and its log. */
export interface Child {
  readonly process: ChildProcess;
  /** Returns everything that it has printed. */
  log(): string;
  /** Returns the last lines that it has printed. */
  logTail(): string;
  /**
   * Waits until the log has matched this number of times.
   * Throws: ERR_INTERNAL with the end of the log if it ends before, or takes too long.
   */
  logged(pattern: RegExp, times?: number): Promise<void>;
  /** Stops it by a signal, and kills it if it does not end. Returns the exit code; null if a signal ended it. */
  stop(): Promise<number | null>;
}

/** Options of {@link startChild}. */
export interface ChildOptions {
  /** The process in messages, such as `the provider`. */
  readonly title: string;
  readonly command: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The log of a process that is ready. */
  readonly ready: RegExp;
}

/**
 * Starts a process and waits until it is ready.
 * Throws: ERR_INTERNAL with the end of its log if it does not start.
 */
export async function startChild({ title, command, env, ready }: ChildOptions): Promise<Child> {
  const [program, ...args] = command;
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env });
  const lastResort = () => void child.kill('SIGKILL');
  // Before the listener that removes the directory, in which this process writes.
  process.prependOnceListener('exit', lastResort);
  child.once('exit', () => process.off('exit', lastResort));

  let log = '';
  const looking = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      log += chunk;
      for (const look of looking) look();
    });
  }
  const logTail = () => log.trimEnd().split('\n').slice(-LOG_TAIL_LINES).join('\n');
  const matched = (pattern: RegExp, times: number) =>
    new Promise<void>((resolve, reject) => {
      const look = () => {
        if ((log.match(new RegExp(pattern, 'g'))?.length ?? 0) >= times) resolve();
      };
      looking.add(look);
      child.once('error', reject);
      child.once('exit', (code, signal) => reject(new Error(`it ended with ${signal ?? code}`)));
      look();
    });
  const logged = async (pattern: RegExp, times = 1, what = `did not log ${pattern}`) => {
    try {
      await abortable(matched(pattern, times), AbortSignal.timeout(LOG_TIMEOUT_MS));
    } catch (cause) {
      throw new ProviderError('ERR_INTERNAL', `${title} ${what}; its log ends with:\n${logTail()}`, { cause });
    }
  };
  const stop = () => stopChild(child);
  try {
    await logged(ready, 1, 'did not start');
  } catch (error) {
    await stop();
    throw error;
  }
  return { process: child, log: () => log, logTail, logged, stop };
}

async function stopChild(child: ChildProcess): Promise<number | null> {
  if (child.pid === undefined) return null;
  if (child.exitCode === null && child.signalCode === null) {
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await ended;
    clearTimeout(timer);
  }
  return child.exitCode;
}
