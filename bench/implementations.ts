/**
 * Starts the measured implementations: providers as processes, and the baselines. The scenarios call it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import dockerfile from '../Dockerfile?raw';
import { Secret } from '../src/base/secret.ts';
import { connectProvider, KUBELET_DEADLINE_MS } from '../src/driver/client.ts';
import { mountRequestOf } from '../src/driver/publish.ts';
import type { Azure } from './azure.ts';
import type { BaselineMethods } from './baseline-process.ts';
import { startHelper } from './ipc.ts';
import { cpuSecondsOf } from './linux.ts';
import { type Pod, TENANT, VAULT } from './world.ts';

/** An implementation that mounts volumes: a provider or a baseline. */
export interface Implementation {
  readonly name: string;
  /** `provider` is a program that is measured as a process. */
  readonly kind: 'provider' | 'baseline';
  start(azure: Endpoints, options?: StartOptions): Promise<Running>;
}

/** The addresses of the emulator that a start uses. */
export type Endpoints = Pick<Azure, 'address' | 'listener' | 'publicNames' | 'caFile' | 'cloudFile'>;

/** Options of a start. Baselines ignore them. */
export interface StartOptions {
  /** Lifetime of cached values. Only this project's provider has a flag for it. */
  readonly cacheTtlMs?: number;
  /** If true, the blocks of the event loop are measured. Only this project's provider supports it. */
  readonly watchLoop?: boolean;
  /** `cgroup.procs` files of the control groups that the provider's process joins. */
  readonly procsFiles?: readonly string[];
  /** Further flags of the provider. */
  readonly flags?: readonly string[];
  /** Settings of the C library, in the form of its `GLIBC_TUNABLES`; empty: its own. Default: {@link IMAGE_TUNABLES}. */
  readonly tunables?: string;
  /** Timeout of each Mount. Default: that of the kubelet. */
  readonly deadlineMs?: number;
}

/** The longest block of the event loop and the CPU time that the process used during it, in milliseconds. */
export interface LoopBlock {
  readonly blockMs: number;
  readonly cpuMs: number;
}

/** A running implementation. */
export interface Running {
  readonly pid: number;
  /** Time from exec to the first response to `Version`. */
  readonly start: { readonly wallMs: number; readonly cpuSeconds: number };
  mount(pod: Pod): Promise<void>;
  /** Resolves when the process has ended. */
  readonly ended: Promise<void>;
  /** Restarts the measurement of blocks of the event loop. */
  watchFromNow(): Promise<void>;
  /** Ends the process. */
  stop(): Promise<{ readonly loop: LoopBlock | undefined }>;
}

/** How a provider is started, and which names it is given. */
export interface ProviderKind {
  /** True for this project's provider, whose own flags and hooks can be used. */
  readonly own: boolean;
  /**
   * `emulator`: the names of the run, by the emulator's cloud file unless they are public. `public`: always the names of
   * the public cloud, for a provider that connects to the address of its flag `--connect` whatever the name.
   */
  readonly cloud: 'emulator' | 'public';
}

/** The settings of the C library in the image, which this project's provider is measured with; others have its own. */
export const IMAGE_TUNABLES = /^ENV GLIBC_TUNABLES=(\S+)$/m.exec(dockerfile)?.[1] ?? '';

const POLL_MS = 2;
/** Time until the hook has handled a signal. */
const SIGNAL_MS = 100;
const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 10_000;

/** Returns a provider that is started by `command`, which must accept the flags of the official provider. */
export function provider(name: string, command: readonly string[], kind: ProviderKind): Implementation {
  return {
    name,
    kind: 'provider',
    start: (azure, options = {}) => startProvider({ command, ...kind, azure, ...options }),
  };
}

/** Returns a baseline of this benchmark. */
export function baseline(name: 'sequential' | 'limit'): Implementation {
  return {
    name,
    kind: 'baseline',
    async start({ address }) {
      const started = performance.now();
      const { remote, child, stop } = startHelper<BaselineMethods>('baseline-process', [name]);
      await remote.connect(address);
      return {
        pid: child.pid ?? 0,
        start: { wallMs: performance.now() - started, cpuSeconds: Number.NaN },
        mount: remote.mount,
        ended: once(child, 'exit').then(() => {}),
        async watchFromNow() {},
        async stop() {
          await stop();
          return { loop: undefined };
        },
      };
    },
  };
}

interface ProviderStart extends StartOptions, ProviderKind {
  readonly command: readonly string[];
  readonly azure: Endpoints;
}

async function startProvider(options: ProviderStart): Promise<Running> {
  const directory = mkdtempSync(join(tmpdir(), 'bench-'));
  const socket = join(directory, 's');
  const loopFile = join(directory, 'loop.json');
  const started = performance.now();
  const { child, log } = spawnProvider(options, socket, loopFile);
  try {
    while (!existsSync(socket)) {
      if (child.exitCode !== null || child.signalCode !== null) throw new Error(`the provider ended:\n${log()}`);
      if (performance.now() - started > START_TIMEOUT_MS)
        throw new Error(`the provider did not create ${socket}:\n${log()}`);
      await sleep(POLL_MS);
    }
    const { deadlineMs = KUBELET_DEADLINE_MS } = options;
    const client = connectProvider(`unix://${socket}`);
    await client.version();
    const pid = child.pid ?? 0;
    const start = { wallMs: performance.now() - started, cpuSeconds: cpuSecondsOf(pid) };
    return {
      pid,
      start,
      ended: once(child, 'exit').then(() => {}),
      async mount(pod) {
        const { files } = await client.mount(requestFor(pod, options), { deadlineMs });
        const expected = pod.volume?.files ?? pod.objects.length;
        if (files.length !== expected) throw new Error(`${pod.name}: ${files.length} files instead of ${expected}`);
      },
      async watchFromNow() {
        if (!options.own || options.watchLoop !== true) return;
        child.kill('SIGUSR2');
        await sleep(SIGNAL_MS);
      },
      async stop() {
        client.close();
        await end(child);
        const loop = existsSync(loopFile) ? (JSON.parse(readFileSync(loopFile, 'utf8')) as LoopBlock) : undefined;
        rmSync(directory, { recursive: true, force: true });
        return { loop };
      },
    };
  } catch (error) {
    await end(child);
    throw error;
  }
}

function spawnProvider({ command, own, cloud, azure, ...options }: ProviderStart, socket: string, loopFile: string) {
  const { cacheTtlMs, watchLoop = false, procsFiles = [], flags: further = [] } = options;
  const tunables = options.tunables ?? (own ? IMAGE_TUNABLES : '');
  const [program = '', ...args] = command;
  const ttl = own && cacheTtlMs !== undefined ? ['--cache-ttl', `${cacheTtlMs}ms`] : [];
  const connect = cloud === 'public' ? ['--connect', azure.listener] : [];
  const ports = ['--healthz-port', '0', '--prometheus-port', '0'];
  const flags = ['--endpoint', `unix://${socket}`, ...ports, ...ttl, ...connect, ...further];
  const watched = own && watchLoop;
  const hook = watched ? ['--import', fileURLToPath(new URL('loop-hook.mjs', import.meta.url))] : [];
  const line = [program, ...hook, ...args, ...flags];
  // A shell joins the groups and then executes the provider, so that all of its memory and time is counted.
  const joined = ['sh', '-c', 'for f in $GROUPS_TO_JOIN; do echo $$ > "$f"; done; exec "$@"', 'sh', ...line];
  const [file = '', ...rest] = procsFiles.length === 0 ? line : joined;
  const child = spawn(file, rest, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env.PATH,
      SSL_CERT_FILE: azure.caFile,
      ...(azure.publicNames ? {} : { AZURE_ENVIRONMENT_FILEPATH: azure.cloudFile }),
      ...(procsFiles.length === 0 ? {} : { GROUPS_TO_JOIN: procsFiles.join(' ') }),
      ...(watched ? { LOOP_FILE: loopFile } : {}),
      ...(tunables === '' ? {} : { GLIBC_TUNABLES: tunables }),
    },
  });
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  child.once('exit', () => process.off('exit', kill));
  const tail: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      tail.push(chunk);
      if (tail.length > 20) tail.shift();
    });
  }
  return { child, log: () => tail.join('') };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
  await ended;
  clearTimeout(timer);
}

function requestFor(pod: Pod, { azure, cloud: names }: Pick<ProviderStart, 'azure' | 'cloud'>) {
  const item = (field: string, text: string) => `  - |\n    ${field}: ${text}\n    objectType: secret\n`;
  const objects =
    pod.selection === undefined
      ? pod.objects.map(({ name }) => item('objectName', name))
      : [item('objectNames', JSON.stringify(pod.selection))];
  const isPublic = azure.publicNames || names === 'public';
  const cloud = isPublic ? {} : { cloudName: 'AzureStackCloud', cloudEnvFileName: azure.cloudFile };
  return mountRequestOf({
    parameters: {
      keyvaultName: VAULT,
      tenantID: TENANT,
      objects: `array:\n${objects.join('')}`,
      ...cloud,
      ...pod.volume?.parameters,
    },
    pod: { name: pod.name, namespace: 'bench', uid: `uid-${pod.name}`, serviceAccount: 'default' },
    volumeAttributes: { secretProviderClass: 'bench' },
    nodePublishSecret: { clientid: new Secret(pod.clientId), clientsecret: new Secret(pod.clientSecret) },
    targetDir: `/var/lib/kubelet/pods/uid-${pod.name}/volumes/kubernetes.io~csi/secrets/mount`,
  });
}
