/** Real processes of the built program, for the tests of how it lives and ends. */
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

/** A directory with a short path that is gone after the test. */
export function scratch(defer: Start['defer'] = onTestFinished): string {
  const directory = mkdtempSync(join(tmpdir(), 'akv-p-'));
  defer(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** What a stream of a process is connected to: a pipe that the test reads, or something that cannot be written. */
export type Sink = 'read' | 'reader gone' | 'disk full';

/** How a process ended. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A process of the program. */
export interface Program {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** What it has written where it is read. */
  output(stream: 'stdout' | 'stderr'): string;
  /** Resolves when the output has it; rejects where the process ends before. */
  until(pattern: RegExp): Promise<void>;
  stop(signal?: NodeJS.Signals): Promise<Ended>;
}

/** How a process is started. */
export interface Start {
  readonly stdout?: Sink;
  readonly stderr?: Sink;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Has something undone after the test, or later. */
  readonly defer?: (undo: () => void | Promise<void>) => void;
  /** Another program that runs it, with its arguments. */
  readonly by?: readonly string[];
}

/** Starts `akv-csi` with arguments; it is killed after the test. */
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

/** The writing end of a pipe whose reading end is closed. */
function pipeWithoutReader(): number {
  const directory = mkdtempSync(join(tmpdir(), 'akv-pipe-'));
  const fifo = join(directory, 'fifo');
  execFileSync('mkfifo', [fifo]);
  // Opening one end waits for the other, unless both are opened at once.
  const both = openSync(fifo, 'r+');
  const writer = openSync(fifo, 'w');
  closeSync(both);
  rmSync(directory, { recursive: true });
  return writer;
}

/** Resolves when it holds; the test's own limit is the only one. */
export async function eventually(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await sleep(20);
}

/** A provider in a process of its own. */
export interface Provider extends Program {
  readonly path: string;
  readonly healthPort: number;
  readonly metricsPort: number;
  /** Status and text of a health check. */
  health(): Promise<readonly [number, string]>;
  /** The value of a metric, by name and labels, as it is now: a rendering serves for a second. */
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

/** A port that nobody listens on, and that the system gives to nobody by itself. */
async function freePort(): Promise<number> {
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
