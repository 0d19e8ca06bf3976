// Runs the daemons of a cluster and commands against it. The log of a daemon is a file in the directory of the cluster.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 100;
const LOG_LINES = 40;
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;

/** A running daemon. */
export interface Daemon {
  /** Returns the end of the log. */
  log(): string;
  /** Resolves when `ready` returns true. Rejects with the end of the log if the daemon ends first. */
  until(ready: () => boolean | Promise<boolean>): Promise<void>;
  stop(): Promise<void>;
}

/** Starts a daemon whose output goes to the file `log`. It ends with this process at the latest. */
export function startDaemon(program: string, args: readonly string[], log: string): Daemon {
  const file = openSync(log, 'a');
  const child = spawn(program, args, { stdio: ['ignore', file, file] });
  closeSync(file);
  const lastResort = () => void child.kill('SIGKILL');
  process.once('exit', lastResort);
  const ended = once(child, 'exit').finally(() => process.off('exit', lastResort));
  const lines = () => readFileSync(log, 'utf8').split('\n').slice(-LOG_LINES).join('\n');
  return {
    log: lines,
    async until(ready) {
      while (!(await ready())) {
        if (over(child)) throw new Error(`${program} ended with ${child.signalCode ?? child.exitCode}:\n${lines()}`);
        await sleep(POLL_MS);
      }
    },
    async stop() {
      if (!over(child)) child.kill('SIGKILL');
      await ended;
    },
  };
}

const over = (child: ChildProcess) => child.exitCode !== null || child.signalCode !== null;

/** Options of {@link run}. */
export interface RunOptions {
  /** Standard input; default: none. */
  readonly input?: string | undefined;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** Runs a program and returns its standard output. Throws an error with the arguments and its output if it fails. */
export function run(program: string, args: readonly string[], { input = '', env, cwd }: RunOptions = {}) {
  return new Promise<string>((resolve, reject) => {
    const options = { env: { ...process.env, ...env }, cwd, maxBuffer: MAX_OUTPUT_BYTES };
    const child = execFile(program, [...args], options, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${program} ${args.join(' ')}: ${stderr || stdout || error.message}`));
    });
    // A program that fails early does not read its input.
    child.stdin?.on('error', () => {});
    child.stdin?.end(input);
  });
}
