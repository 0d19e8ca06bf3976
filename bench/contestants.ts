import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Secret } from '../src/base/secret.ts';
import { connectProvider } from '../src/driver/client.ts';
import { mountRequestOf } from '../src/driver/publish.ts';
import type { Azure } from './azure.ts';
import type { BaselineMethods } from './baseline-process.ts';
import { startHelper } from './ipc.ts';
import { cpuSecondsOf } from './linux.ts';
import { type Pod, TENANT, VAULT } from './world.ts';

/** Whoever mounts volumes in this benchmark. */
export interface Contestant {
  readonly name: string;
  /** A program of its own, measured as a process, or a baseline. */
  readonly kind: 'provider' | 'baseline';
  start(azure: Azure, options?: StartOptions): Promise<Running>;
}

/** How a contestant is started; baselines heed nothing of it. */
export interface StartOptions {
  /** How long the provider may answer from memory, where it has flags for that. */
  readonly cacheTtlMs?: number;
  /** Measure blocks of the event loop, where it is this project's provider. */
  readonly watchLoop?: boolean;
  /** Files of control groups that the process joins before it becomes the provider. */
  readonly procsFiles?: readonly string[];
}

/** The longest time that the event loop was not free, in milliseconds, and the CPU time the process used in it. */
export interface LoopBlock {
  readonly blockMs: number;
  readonly cpuMs: number;
}

/** A contestant at work. */
export interface Running {
  readonly pid: number;
  /** From exec to the first answered `Version`. */
  readonly start: { readonly wallMs: number; readonly cpuSeconds: number };
  mount(pod: Pod): Promise<void>;
  /** Measures blocks of the event loop from now on. */
  watchFromNow(): Promise<void>;
  /** Ends it. */
  stop(): Promise<{ readonly loop: LoopBlock | undefined }>;
}

const POLL_MS = 2;
/** A provider that has just started may have something to finish. */
const SETTLE_MS = 1000;
const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 10_000;

/** A provider that speaks the contract: a command that takes the official provider's flags. */
export function provider(name: string, command: readonly string[], own: boolean): Contestant {
  return {
    name,
    kind: 'provider',
    start: (azure, options = {}) => startProvider({ command, own, azure, ...options }),
  };
}

/** One of the baselines of this benchmark. */
export function baseline(name: 'sequential' | 'limit'): Contestant {
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
        async watchFromNow() {},
        async stop() {
          await stop();
          return { loop: undefined };
        },
      };
    },
  };
}

interface ProviderStart extends StartOptions {
  readonly command: readonly string[];
  readonly own: boolean;
  readonly azure: Azure;
}

async function startProvider(options: ProviderStart): Promise<Running> {
  const { azure } = options;
  const directory = mkdtempSync(join(tmpdir(), 'bench-'));
  const socket = join(directory, 's');
  const loopFile = join(directory, 'loop.json');
  const started = performance.now();
  const { child, log } = spawnProvider(options, socket, loopFile);
  try {
    while (!existsSync(socket)) {
      if (child.exitCode !== null || child.signalCode !== null) throw new Error(`it ended:\n${log()}`);
      if (performance.now() - started > START_TIMEOUT_MS) throw new Error(`there is no ${socket}:\n${log()}`);
      await sleep(POLL_MS);
    }
    const client = connectProvider(`unix://${socket}`);
    await client.version();
    const pid = child.pid ?? 0;
    const start = { wallMs: performance.now() - started, cpuSeconds: cpuSecondsOf(pid) };
    return {
      pid,
      start,
      async mount(pod) {
        const { files } = await client.mount(requestFor(pod, azure), { deadlineMs: 120_000 });
        if (files.length !== pod.objects.length) throw new Error(`${pod.name} got ${files.length} files`);
      },
      async watchFromNow() {
        if (!options.own || options.watchLoop !== true) return;
        await sleep(SETTLE_MS);
        child.kill('SIGUSR2');
        await sleep(SETTLE_MS / 10);
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

function spawnProvider({ command, own, azure, ...options }: ProviderStart, socket: string, loopFile: string) {
  const { cacheTtlMs, watchLoop = false, procsFiles = [] } = options;
  const [program = '', ...args] = command;
  const ttl = own && cacheTtlMs !== undefined ? ['--cache-ttl', `${cacheTtlMs}ms`] : [];
  const flags = ['--endpoint', `unix://${socket}`, '--healthz-port', '0', '--prometheus-port', '0', ...ttl];
  const watched = own && watchLoop;
  const hook = watched ? ['--import', fileURLToPath(new URL('loop-hook.mjs', import.meta.url))] : [];
  const line = [program, ...hook, ...args, ...flags];
  // A shell joins the groups and then becomes the provider, so that all of its memory and time counts.
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
    },
  });
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

function requestFor(pod: Pod, azure: Azure) {
  const objects = pod.objects.map(({ name, type }) => `  - |\n    objectName: ${name}\n    objectType: ${type}\n`);
  const cloud = azure.publicNames ? {} : { cloudName: 'AzureStackCloud', cloudEnvFileName: azure.cloudFile };
  return mountRequestOf({
    parameters: { keyvaultName: VAULT, tenantID: TENANT, objects: `array:\n${objects.join('')}`, ...cloud },
    pod: { name: pod.name, namespace: 'bench', uid: `uid-${pod.name}`, serviceAccount: 'default' },
    volumeAttributes: { secretProviderClass: 'bench' },
    nodePublishSecret: { clientid: new Secret(pod.clientId), clientsecret: new Secret(pod.clientSecret) },
    targetDir: `/var/lib/kubelet/pods/uid-${pod.name}/volumes/kubernetes.io~csi/secrets/mount`,
  });
}
