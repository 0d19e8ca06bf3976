// The real driver: builds it, runs it in a mount namespace of its own, and looks into the volumes there. node.ts calls it.
// Without REQUIRE_TOOLS nothing of it is done, since the build takes minutes.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A line of drivers. */
export interface DriverLine {
  /** There is a `driver/<version>.mod`. */
  readonly version: string;
  /** Who has volumes mounted again: the kubelet (from v1.6 on), or the driver itself. */
  readonly rotation: 'kubelet' | 'driver';
}

/** All that are tested. */
export const DRIVERS: readonly DriverLine[] = [
  { version: 'v1.6.0', rotation: 'kubelet' },
  { version: 'v1.5.6', rotation: 'driver' },
];

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

/** Name of the node that driver and pods are on. */
export const NODE_NAME = 'node-1';

const STOP_LIMIT_MS = 30_000;

/** What the driver needs. */
export interface DriverOptions {
  readonly line: DriverLine;
  /** Gets the socket and the kubeconfig, and holds `providers/`. Its path must be short. */
  readonly directory: string;
  readonly kubeconfig: string;
  /** How old a volume must be to be mounted again, in Go's syntax. */
  readonly rotationInterval: string;
}

/** A running driver. */
export interface Driver {
  /** Path of its CSI socket, which is there when it is ready. */
  readonly socket: string;
  log(): string;
  /** The volume at a path. Paths of volumes exist in the driver's mount namespace only. */
  look(path: string): MountedVolume;
  /** Rejects where it ended before, by itself. */
  stop(): Promise<void>;
}

/** What is to be seen at a volume's path. */
export interface MountedVolume {
  /** Type of the filesystem mounted there; undefined where nothing is. */
  readonly filesystem: string | undefined;
  /** The directory that holds this state of the files; another one after every write. Undefined in an empty volume. */
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

/** Builds the driver where it is not up to date, and starts it. */
export function startDriver({ line, directory, kubeconfig, rotationInterval }: DriverOptions): Driver {
  const build = join(import.meta.dirname, 'build');
  const program = execFileSync('bash', [build, line.version], { encoding: 'utf8' }).trim();
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
  const child = spawn('unshare', ['--mount', '--propagation', 'private', program, ...flags], {
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
  const top = `/proc/${pid}/root${path}`;
  const generation = generationOf(top);
  return {
    filesystem: filesystem?.[filesystem.indexOf('-') + 1],
    generation,
    files: generation === undefined ? {} : Object.fromEntries(filesIn(join(top, generation), '')),
  };
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
