import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';

/** Debian installs daemons outside of the PATH of a normal user. */
const PATH = `${process.env.PATH}:/usr/sbin:/usr/local/sbin`;

/**
 * Returns the version of mosquitto, or undefined with one line on stderr. With REQUIRE_TOOLS set, a missing mosquitto
 * is an error.
 */
export function findMosquitto(): string | undefined {
  const { stdout } = spawnSync('mosquitto', ['-h'], { encoding: 'utf8', env: { PATH } });
  const version = /^mosquitto version (\S+)/.exec(stdout ?? '')?.[1];
  if (version !== undefined) return version;
  if (process.env.REQUIRE_TOOLS) throw new Error('mosquitto is not on the PATH, and REQUIRE_TOOLS is set');
  console.warn('skipped: no broker but our own is tested, since there is no mosquitto on the PATH');
  return undefined;
}

/** Returns the path of mosquitto. */
export function mosquittoPath(): string {
  return execFileSync('sh', ['-c', 'command -v mosquitto'], { encoding: 'utf8', env: { PATH } }).trim();
}

/** A running mosquitto. */
export interface Mosquitto {
  log(): string;
  /** Resolves when the log has matched `times` times. Rejects if mosquitto ends first. */
  logged(pattern: RegExp, times?: number): Promise<void>;
  /** Makes mosquitto read its configuration, passwords and listener certificates again (SIGHUP). */
  reload(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Starts mosquitto with these lines of configuration and waits until it runs. `command` starts it, for another program than
 * the one on the PATH.
 */
export async function startMosquitto(
  directory: string,
  name: string,
  lines: readonly string[],
  [program = '', ...args]: readonly string[] = ['mosquitto'],
): Promise<Mosquitto> {
  const file = join(directory, `${name}.conf`);
  // If root starts it, mosquitto changes to its own user, which cannot read this directory.
  writeFileSync(file, `${['user root', 'log_type all', 'connection_messages true', ...lines].join('\n')}\n`);
  const child = spawn(program, [...args, '-c', file], { env: { PATH }, stdio: ['ignore', 'pipe', 'pipe'] });
  const log = watchLog(child);
  const running: Mosquitto = {
    log: log.text,
    logged: log.has,
    reload: async () => {
      const before = log.count(/Reloading config/);
      child.kill('SIGHUP');
      await log.has(/Reloading config/, before + 1);
    },
    stop: async () => {
      if (child.exitCode === null && child.signalCode === null && child.kill('SIGTERM')) await once(child, 'exit');
    },
  };
  await running.logged(/mosquitto version \S+ running/);
  return running;
}

function watchLog(child: ChildProcess) {
  let text = '';
  const waiting = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      for (const look of waiting) look();
    });
  }
  const count = (pattern: RegExp) => text.match(new RegExp(pattern, 'g'))?.length ?? 0;
  const has = (pattern: RegExp, times = 1) =>
    new Promise<void>((resolve, reject) => {
      const ended = () => reject(new Error(`mosquitto ended without ${pattern}:\n${text}`));
      const look = () => {
        if (count(pattern) < times) return;
        waiting.delete(look);
        child.off('exit', ended);
        resolve();
      };
      waiting.add(look);
      child.once('exit', ended);
      child.once('error', reject);
      look();
    });
  return { text: () => text, count, has };
}

/** Returns different free ports. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}
