/**
 * Runs an image as a container with runc, as the DaemonSet of deploy/provider.yaml says. image.ci.test.ts calls it.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { type Daemon, run, startDaemon } from '../cluster/process.ts';
import { textOf } from '../support/markdown.ts';

/** What a DaemonSet says of its container. */
interface PodContainer {
  readonly args: readonly string[];
  readonly securityContext: {
    readonly readOnlyRootFilesystem: boolean;
    readonly allowPrivilegeEscalation: boolean;
    readonly capabilities: { readonly drop: readonly string[] };
  };
}

/** How a container runs. */
export interface Running {
  /** User and group of the process. */
  readonly user: number;
  /** Limit of the memory cgroup, bytes. */
  readonly memoryBytes: number;
  /** Directories of this machine, by their path in the container. */
  readonly mounts: Readonly<Record<string, string>>;
  /** Flags that replace or follow those of the DaemonSet. */
  readonly args: readonly string[];
  readonly env: readonly string[];
}

/** A running container. */
export interface Container extends Daemon {
  /** Runs `/nodejs/bin/node` with arguments in it, and returns its stdout. */
  node(...args: readonly string[]): Promise<string>;
  /** Returns everything that it has written. */
  output(): string;
  /** Sends a signal and resolves when the container has ended. */
  end(): Promise<void>;
}

/** The configuration of an image. */
export interface Config {
  readonly Entrypoint: readonly string[];
  readonly Env: readonly string[];
  readonly WorkingDir: string;
}

function podContainer(): PodContainer {
  const documents = parseAllDocuments(textOf('deploy/provider.yaml')).map((document) => document.toJS());
  const { spec } = documents.find(({ kind }) => kind === 'DaemonSet');
  return spec.template.spec.containers[0];
}

/** Starts a container from an image whose files are in `root`. `directory` is for the files of the container. */
export function startContainer(root: string, config: Config, how: Running, directory: string): Container {
  const { securityContext, args } = podContainer();
  mkdirSync(directory);
  const id = `akv-csi-image-${process.pid}-${how.user}`;
  const bind = ([destination, source]: [string, string]) => ({
    destination,
    source,
    type: 'bind',
    options: ['rbind', 'rw', 'nosuid', 'nodev'],
  });
  const flags = how.args.map((flag) => flag.split('=')[0]);
  const spec = {
    ociVersion: '1.0.2',
    root: { path: root, readonly: securityContext.readOnlyRootFilesystem },
    process: {
      args: [...config.Entrypoint, ...args.filter((flag) => !flags.includes(flag.split('=')[0])), ...how.args],
      env: [...config.Env, ...how.env],
      cwd: config.WorkingDir,
      user: { uid: how.user, gid: how.user },
      noNewPrivileges: !securityContext.allowPrivilegeEscalation,
      // What is not named is dropped.
      capabilities: securityContext.capabilities.drop.includes('ALL') ? {} : undefined,
    },
    mounts: [
      { destination: '/proc', source: 'proc', type: 'proc' },
      { destination: '/dev', source: 'tmpfs', type: 'tmpfs', options: ['nosuid', 'mode=755'] },
      { destination: '/sys/fs/cgroup', source: 'cgroup', type: 'cgroup', options: ['nosuid', 'noexec', 'nodev', 'ro'] },
      ...Object.entries(how.mounts).map(bind),
    ],
    // The network is that of the node, as in the DaemonSet.
    linux: {
      cgroupsPath: `/${id}`,
      resources: { memory: { limit: how.memoryBytes, swap: how.memoryBytes } },
      namespaces: ['pid', 'mount', 'ipc', 'uts'].map((type) => ({ type })),
    },
  };
  writeFileSync(join(directory, 'config.json'), JSON.stringify(spec));
  const state = `--root=${join(directory, 'state')}`;
  const log = join(directory, 'log');
  const daemon = startDaemon('runc', [state, 'run', '--bundle', directory, id], log);
  return {
    ...daemon,
    node: (...command) => run('runc', [state, 'exec', id, '/nodejs/bin/node', ...command]),
    output: () => readFileSync(log, 'utf8'),
    async end() {
      await run('runc', [state, 'kill', id, 'TERM']);
      await daemon.until(() => daemon.log().includes('msg=Stopped'));
    },
    async stop() {
      await run('runc', [state, 'delete', '--force', id]);
      await daemon.stop();
    },
  };
}
