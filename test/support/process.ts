/** Starts the built program as a process, for tests of its start and its end. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { builtProgram } from './e2e.ts';

/** Returns a directory with a short path, which is removed after the test. */
export function scratch(defer: Start['defer'] = onTestFinished): string {
  const directory = mkdtempSync(join(tmpdir(), 'akv-p-'));
  defer(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** The target of a stream: a pipe that the test reads, or a target that cannot be written. */
export type Sink = 'read' | 'reader gone' | 'disk full';

/** The exit code and the signal of a process. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A process of the program. */
export interface Program {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** Returns the output so far of a stream that the test reads. */
  output(stream: 'stdout' | 'stderr'): string;
  /** Resolves when the output matches. Rejects if the process ends first. */
  until(pattern: RegExp): Promise<void>;
  stop(signal?: NodeJS.Signals): Promise<Ended>;
}

/** Options of a process. */
export interface Start {
  readonly stdout?: Sink;
  readonly stderr?: Sink;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Registers a cleanup; default: after the test. */
  readonly defer?: (undo: () => void | Promise<void>) => void;
  /** Another program that runs the process, with its arguments. */
  readonly by?: readonly string[];
}

/** Starts `akv-csi` with arguments. The process is killed after the test. */
export function start(args: readonly string[], how: Start = {}): Program {
  const { stdout = 'read', stderr = 'read', env = {}, by = [], cwd, defer = onTestFinished } = how;
  const [program = '', ...rest] = [...by, process.execPath, builtProgram(), ...args];
  const opened = [stdout, stderr].map(openSink);
  const child = spawn(program, rest, {
    cwd,
    stdio: ['ignore', ...opened],
    env: { PATH: process.env.PATH, TMPDIR: tmpdir(), ...env },
  });
  for (const sink of opened) if (typeof sink === 'number') closeSync(sink);
  const ended = once(child, 'close').then(([code, signal]): Ended => ({ code, signal }));
  defer(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  const written = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (chunk: string) => {
      written[name] += chunk;
    });
  }
  return {
    child,
    ended,
    output: (stream) => written[stream],
    async until(pattern) {
      let over = false;
      void ended.then(() => {
        over = true;
      });
      await eventually(() => {
        if (pattern.test(written.stdout + written.stderr)) return true;
        if (over) throw new Error(`it ended without ${pattern}:\n${written.stdout}${written.stderr}`);
        return false;
      });
    },
    stop(signal = 'SIGTERM') {
      child.kill(signal);
      return ended;
    },
  };
}

function openSink(sink: Sink): number | 'pipe' {
  if (sink === 'read') return 'pipe';
  return sink === 'disk full' ? openSync('/dev/full', 'w') : pipeWithoutReader();
}

/** Returns the writing end of a pipe whose reading end is closed. */
function pipeWithoutReader(): number {
  const directory = mkdtempSync(join(tmpdir(), 'akv-pipe-'));
  const fifo = join(directory, 'fifo');
  execFileSync('mkfifo', [fifo]);
  // Opening one end alone would wait for the other end.
  const both = openSync(fifo, 'r+');
  const writer = openSync(fifo, 'w');
  closeSync(both);
  rmSync(directory, { recursive: true });
  return writer;
}

/** Resolves when `holds` returns true. Only the time limit of the test ends the wait. */
export async function eventually(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await sleep(20);
}

/** A provider in a separate process. */
export interface Provider extends Program {
  readonly path: string;
  readonly healthPort: number;
  readonly metricsPort: number;
  /** Returns status and text of a health check. */
  health(): Promise<readonly [number, string]>;
  /** Returns the current value of a metric, by name and labels. The provider reuses a rendering for one second. */
  metric(name: string): Promise<number>;
}

/** Starts `serve` and waits until it serves. */
export async function serve(path: string, { args = [], ...how }: Start & { args?: readonly string[] } = {}) {
  const [healthPort, metricsPort] = [await freePort(), await freePort()];
  const ports = ['--healthz-port', String(healthPort), '--prometheus-port', String(metricsPort)];
  const program = start(['serve', '--endpoint', `unix://${path}`, ...ports, ...args], how);
  const health = async () => {
    const response = await fetch(`http://127.0.0.1:${healthPort}/healthz`);
    return [response.status, await response.text()] as const;
  };
  let renderedAt = Number.NEGATIVE_INFINITY;
  const provider: Provider = {
    ...program,
    path,
    healthPort,
    metricsPort,
    health,
    async metric(name) {
      const old = performance.now() - renderedAt;
      if (old < 1001) await new Promise((resolve) => setTimeout(resolve, 1001 - old));
      const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
      renderedAt = performance.now();
      const line = text.split('\n').find((one) => one.startsWith(`${name} `));
      return Number(line?.slice(name.length));
    },
  };
  let ended: Ended | undefined;
  void program.ended.then((end) => {
    ended = end;
  });
  await eventually(async () => {
    if (ended !== undefined) throw new Error(`it did not start: ${JSON.stringify(ended)} ${program.output('stderr')}`);
    return health().then(
      ([status]) => status === 200,
      () => false,
    );
  });
  return provider;
}

/**
 * Returns a port on which no process listens and that the system does not assign by itself. Another process can take it
 * before the caller does.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(10_000, 30_000);
    const server = createServer();
    const free = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, () => server.close(() => resolve(true)));
    });
    if (free) return port;
  }
}
