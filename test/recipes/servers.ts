/**
 * Starts the servers of the recipes on this machine, as the pod of the recipe does: its configuration, its user, its
 * environment. Called by the tests of the recipes that need these servers.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts } from '../e2e/mosquitto.ts';
import { root, shellLines, textOf } from '../support/markdown.ts';
import type { Stage } from './recipe.ts';

const PATH = `${process.env.PATH}:/usr/sbin:/usr/lib/rabbitmq/bin`;

/** A server that was started. */
export interface Server {
  /** Returns true when it has ended, and all it has printed has come. */
  ended(): boolean;
  /** What it has printed so far. */
  output(): string;
  /** Makes it read its files again, if it does not do so by itself. */
  tell(): Promise<void> | void;
  stop(): Promise<void>;
}

/** How a server is started, and what a client has to do. */
export interface ServerKind {
  /** The programs that it needs. */
  readonly tools: readonly string[];
  /** The port of the pod that the tests connect to. */
  readonly port: number;
  readonly protocol?: 'postgres';
  start(stage: Stage): Promise<Server> | Server;
}

/** Returns a directory, which the user of the pod can read, with a server from a registry: test/recipes/build. */
function built(stage: Stage, name: string): string {
  const args = [join(root, 'test/recipes/build'), name];
  const from = execFileSync('bash', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }).trim();
  const to = join(stage.config, '..', 'program');
  execFileSync('sh', ['-c', 'cp -rl "$0" "$1" 2>/dev/null || cp -r "$0" "$1"', from, to]);
  return to;
}

/** Returns the command that runs a program as the user of the pod, without rights of root. */
function asUser({ recipe }: Stage, user?: string): readonly string[] {
  const { runAsUser, supplementalGroups = [] } = recipe.pod.securityContext;
  const groups = supplementalGroups.length === 0 ? '--clear-groups' : `--groups=${supplementalGroups.join(',')}`;
  const id = user ?? String(runAsUser);
  return ['setpriv', `--reuid=${id}`, `--regid=${id}`, groups];
}

function environment(stage: Stage): Record<string, string> {
  const own = stage.recipe.server.env?.map(({ name, value }) => [name, stage.here(value)]) ?? [];
  return { PATH, HOME: stage.data, LANG: 'C.UTF-8', ...Object.fromEntries(own) };
}

interface How {
  readonly user?: string;
  readonly env?: Readonly<Record<string, string>>;
  tell?(child: ChildProcess): Promise<void> | void;
  /** Ends what the server has left behind. */
  stop?(): void;
}

/** Starts a command as the user of the pod, in a process group of its own. */
function run(stage: Stage, command: readonly string[], how: How = {}): Server {
  const { user, env = {}, tell, stop } = how;
  const [program = '', ...args] = [...asUser(stage, user), ...command];
  const settings = { cwd: stage.data, env: { ...environment(stage), ...env }, detached: true } as const;
  const child = spawn(program, args, { ...settings, stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
  let over = false;
  const ended = once(child, 'close').then(() => {
    over = true;
  });
  return {
    ended: () => over,
    output: () => text,
    tell: () => tell?.(child),
    stop: async () => {
      if (child.exitCode === null && child.signalCode === null && child.pid !== undefined)
        process.kill(-child.pid, 'SIGKILL');
      await ended;
      stop?.();
    },
  };
}

const hangup = (child: ChildProcess) => void child.kill('SIGHUP');
const jars = (stage: Stage, name: string) => ['-cp', `${built(stage, name)}/*`];
const SMALL = ['-Xmx256m', '-XX:TieredStopAtLevel=1'];

/** The servers, by recipe. */
export const SERVERS: Readonly<Record<string, ServerKind>> = {
  mosquitto: {
    tools: ['mosquitto'],
    port: 8883,
    start: (stage) => run(stage, ['mosquitto', '-c', join(stage.config, 'mosquitto.conf')], { tell: hangup }),
  },
  nginx: {
    tools: ['nginx'],
    port: 8443,
    start: (stage) => {
      const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
        (name) => `${name}_temp_path ${stage.data}/${name};`,
      );
      const http = ['access_log off;', ...temporary, `include ${stage.config}/*.conf;`].join(' ');
      const main = `pid ${stage.data}/pid; error_log stderr; events {} http { ${http} }`;
      writeFileSync(join(stage.data, 'nginx.conf'), main);
      const command = ['nginx', '-e', 'stderr', '-c', join(stage.data, 'nginx.conf'), '-g', 'daemon off;'];
      return run(stage, command, { tell: hangup });
    },
  },
  envoy: {
    tools: ['setpriv'],
    port: 8443,
    start: (stage) => {
      const program = join(built(stage, 'envoy'), 'envoy/_bin/envoy');
      return run(stage, [
        program,
        '-c',
        join(stage.config, 'envoy.yaml'),
        '--disable-hot-restart',
        '--concurrency',
        '1',
      ]);
    },
  },
  postgresql: {
    tools: ['psql'],
    port: 5432,
    protocol: 'postgres',
    start: (stage) => {
      const [bin = ''] = execFileSync('sh', ['-c', 'ls -d /usr/lib/postgresql/*/bin'], { encoding: 'utf8' }).split(
        '\n',
      );
      const user = 'postgres';
      const [program = '', ...args] = asUser(stage, user);
      const directory = join(stage.data, 'pg');
      execFileSync(program, [...args, join(bin, 'initdb'), '-D', directory, '--no-sync'], {
        env: environment(stage),
        stdio: 'ignore',
      });
      const settings = [
        '-c',
        `config_file=${stage.config}/postgresql.conf`,
        '-c',
        `unix_socket_directories=${stage.data}`,
      ];
      return run(stage, [join(bin, 'postgres'), '-D', directory, ...settings], { user, tell: hangup });
    },
  },
  rabbitmq: {
    tools: ['rabbitmq-server'],
    port: 8883,
    start: async (stage) => {
      const [epmd = 0, dist = 0] = await freePorts(2);
      const env = {
        ERL_EPMD_PORT: String(epmd),
        RABBITMQ_DIST_PORT: String(dist),
        RABBITMQ_NODENAME: `akv${epmd}@localhost`,
        RABBITMQ_MNESIA_BASE: stage.data,
        RABBITMQ_LOG_BASE: stage.data,
        RABBITMQ_LOGS: '-',
      };
      const control = (...args: readonly string[]) => {
        const [program = '', ...rest] = [...asUser(stage), ...args];
        spawnSync(program, rest, { env: { ...environment(stage), ...env }, stdio: 'ignore' });
      };
      return run(stage, ['/usr/lib/rabbitmq/bin/rabbitmq-server'], {
        env,
        tell: () => control('/usr/lib/rabbitmq/bin/rabbitmqctl', 'eval', 'ssl:clear_pem_cache().'),
        // epmd is a daemon of its own.
        stop: () => control('epmd', '-kill'),
      });
    },
  },
  hivemq: {
    tools: ['java', 'mvn'],
    port: 8883,
    start: (stage) => {
      // In place of the script of the image.
      const script = join(stage.data, 'run.sh');
      const java = [
        'java',
        ...SMALL,
        ...jars(stage, 'hivemq'),
        `-Dhivemq.home=${stage.data}`,
        'com.hivemq.HiveMQServer',
      ];
      writeFileSync(script, `#!/bin/sh\nexec ${java.map((word) => `'${word}'`).join(' ')}\n`);
      chmodSync(script, 0o755);
      const command = stage.recipe.server.command?.map((word) =>
        stage.here(word).replace('/opt/hivemq/bin/run.sh', script),
      );
      return run(stage, command ?? []);
    },
  },
  kafka: {
    tools: ['java', 'mvn'],
    port: 9094,
    start: (stage) => {
      const file = join(stage.config, 'server.properties');
      const java = ['java', ...SMALL, ...jars(stage, 'kafka')];
      const [program = '', ...args] = [...asUser(stage), ...java];
      const format = ['kafka.tools.StorageTool', 'format', '-t', 'MkU3OEVBNTcwNTJENDM2Qk', '-c', file];
      execFileSync(program, [...args, ...format], { env: environment(stage), stdio: 'pipe' });
      const [line = ''] = shellLines(textOf('docs/recipes/kafka.md'));
      const [, ...options] = stage.here(line).split(' ');
      const tell = () =>
        void execFileSync(program, [...args, 'kafka.admin.ConfigCommand', ...options], {
          env: environment(stage),
          stdio: 'pipe',
        });
      return run(stage, [...java, 'kafka.Kafka', file], { tell });
    },
  },
  java: {
    tools: ['javac', 'mvn'],
    port: 8443,
    start: (stage) => {
      const source = join(stage.data, 'App.java');
      copyFileSync(join(root, 'test/recipes/java/spring/App.java'), source);
      return run(stage, ['java', ...SMALL, ...jars(stage, 'spring'), source]);
    },
  },
};
