// Builds the real driver, runs it in a separate mount namespace, and reads the volumes there. node.ts calls it. Without
// REQUIRE_TOOLS it does nothing, because the build takes minutes.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A release line of the driver. */
export interface DriverLine {
  /** The version. `driver/<version>.mod` exists. */
  readonly version: string;
  /** The component that repeats mounts: the kubelet (from v1.6 on) or the driver itself. */
  readonly rotation: 'kubelet' | 'driver';
}

/** The newest release lines of both kinds. The tests of load and outages, which take long, run with them only. */
export const NEWEST_DRIVERS: readonly DriverLine[] = [
  { version: 'v1.6.0', rotation: 'kubelet' },
  { version: 'v1.5.6', rotation: 'driver' },
];

/** All release lines that are tested. */
export const DRIVERS: readonly DriverLine[] = [...NEWEST_DRIVERS, { version: 'v1.4.8', rotation: 'driver' }];

/**
 * Whether the tests with the real driver run. They do with REQUIRE_TOOLS set, and then it is an error where this machine
 * cannot do it; otherwise it says how to have them run.
 */
export function realDriverWanted(): boolean {
  if (!process.env.REQUIRE_TOOLS) {
    console.warn('skipped: the real driver is built and run with REQUIRE_TOOLS=1 only (as root, on Linux, with Go)');
    return false;
  }
  if (process.platform === 'linux' && process.getuid?.() === 0) return true;
  throw new Error('the real driver mounts volumes, for which this must be run as root on Linux; REQUIRE_TOOLS is set');
}

/** Name of the node of driver and pods. */
export const NODE_NAME = 'node-1';

const STOP_LIMIT_MS = 30_000;

/** Options of {@link startDriver}. */
export interface DriverOptions {
  readonly line: DriverLine;
  /** The directory for the socket, the kubeconfig and `providers/`. Its path must be short. */
  readonly directory: string;
  readonly kubeconfig: string;
  /** The age from which a volume is mounted again, in Go's syntax. */
  readonly rotationInterval: string;
}

/** A running driver. */
export interface Driver {
  /** Path of the driver's CSI socket. It exists when the driver is ready. */
  readonly socket: string;
  log(): string;
  /** Returns the volume at a path. Paths of volumes exist only in the driver's mount namespace. */
  look(path: string): MountedVolume;
  /** Returns the path by which other processes see the volume at a path. */
  outside(path: string): string;
  /** Stops the driver. Rejects if it has already ended by itself. */
  stop(): Promise<void>;
}

/** The state of a volume's path. */
export interface MountedVolume {
  /** Type of the mounted filesystem; undefined if none is mounted. */
  readonly filesystem: string | undefined;
  /**
   * The directory that contains this version of the files. Every write makes a new one. Undefined in an empty volume.
   */
  readonly generation: string | undefined;
  /** By path in the volume. */
  readonly files: Readonly<Record<string, MountedFile>>;
}

/** A file of a volume. */
export interface MountedFile {
  /** Permission bits. */
  readonly mode: number;
  readonly contents: Buffer;
}

/** Builds the driver if it is not up to date. Returns the path of its program. */
export function driverProgram(version: string): string {
  return execFileSync('bash', [join(import.meta.dirname, 'build'), version], { encoding: 'utf8' }).trim();
}

/** Starts the driver, which is built before if it is not up to date. */
export function startDriver({ line, directory, kubeconfig, rotationInterval }: DriverOptions): Driver {
  const inside = (name: string) => join(directory, name);
  writeFileSync(inside('kubeconfig'), kubeconfig);
  const flags = [
    `--endpoint=unix://${inside('csi.sock')}`,
    `--nodeid=${NODE_NAME}`,
    `--provider-volume=${inside('providers')}`,
    `--additional-provider-volume-paths=${inside('none')}`,
    '--metrics-addr=127.0.0.1:0',
    '--enable-secret-rotation=true',
    `--rotation-poll-interval=${rotationInterval}`,
    '-v=5',
  ];
  const child = spawn('unshare', ['--mount', '--propagation', 'private', driverProgram(line.version), ...flags], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH, KUBECONFIG: inside('kubeconfig') },
  });
  const lastResort = () => void child.kill('SIGKILL');
  process.once('exit', lastResort);
  child.once('exit', () => process.off('exit', lastResort));
  const chunks: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => chunks.push(text));
  return {
    socket: inside('csi.sock'),
    log: () => chunks.join(''),
    look: (path) => lookAt(child.pid ?? 0, path),
    outside: (path) => outsideOf(child.pid ?? 0, path),
    stop: () => stopDriver(child, () => chunks.join('')),
  };
}

async function stopDriver(child: ChildProcess, log: () => string): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) {
    throw new Error(`the driver ended by itself with ${child.signalCode ?? child.exitCode}; its log:\n${log()}`);
  }
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS);
  await ended;
  clearTimeout(timer);
}

function lookAt(pid: number, path: string): MountedVolume {
  const mounts = readFileSync(`/proc/${pid}/mountinfo`, 'utf8').split('\n');
  const filesystem = mounts.map((line) => line.split(' ')).find((fields) => fields[4] === path);
  const top = outsideOf(pid, path);
  const generation = generationOf(top);
  return {
    filesystem: filesystem?.[filesystem.indexOf('-') + 1],
    generation,
    files: generation === undefined ? {} : Object.fromEntries(filesIn(join(top, generation), '')),
  };
}

function outsideOf(pid: number, path: string): string {
  return `/proc/${pid}/root${path}`;
}

function generationOf(top: string): string | undefined {
  try {
    return readlinkSync(join(top, '..data'));
  } catch {
    return undefined;
  }
}

function filesIn(top: string, prefix: string): (readonly [string, MountedFile])[] {
  return readdirSync(join(top, prefix), { withFileTypes: true }).flatMap((entry) => {
    const path = join(prefix, entry.name);
    if (entry.isDirectory()) return filesIn(top, path);
    const file = join(top, path);
    return [[path, { mode: statSync(file).mode & 0o777, contents: readFileSync(file) }] as const];
  });
}
