/**
 * Runs mosquitto, where it is installed, with the configuration of its ConfigMap. The broker step of the demo starts it.
 */

import { execFile } from 'node:child_process';
import { access, constants, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { portOf } from '../../server/bind.ts';
import { type Child, startChild } from './child.ts';

/** Distributions install daemons outside of the PATH of a normal user. */
const DIRECTORIES = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/usr/local/sbin'];
/** The ports in the configuration: clients with a password, and clients with a certificate. */
const PORTS = [8883, 8884];

/** An installed mosquitto. */
export interface InstalledMosquitto {
  readonly path: string;
  readonly version: string;
}

/** A running mosquitto. */
export interface RunningMosquitto extends Child {
  /** The path by which it was started, which no other process has. */
  readonly path: string;
  readonly port: number;
  readonly certificatePort: number;
}

/** Returns the mosquitto of this machine; undefined if there is none that runs. */
export async function findMosquitto(): Promise<InstalledMosquitto | undefined> {
  for (const directory of DIRECTORIES.filter((one) => one.startsWith('/'))) {
    const path = join(directory, 'mosquitto');
    const found = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (!found) continue;
    // It ends with 3 after its help.
    const { stdout } = await promisify(execFile)(path, ['-h']).catch((error: { stdout?: string }) => error);
    const version = /^mosquitto version (\S+)/.exec(stdout ?? '')?.[1];
    if (version !== undefined) return { path, version };
  }
  return undefined;
}

/**
 * Starts mosquitto in a directory, with a configuration for a container: `volumes` has the directory of each path in it.
 * Throws: ERR_INTERNAL with the end of its log if it does not start.
 */
export async function startMosquitto(
  { path: installed }: InstalledMosquitto,
  directory: string,
  { configuration, volumes }: { readonly configuration: string; readonly volumes: ReadonlyMap<string, string> },
): Promise<RunningMosquitto> {
  const path = join(directory, 'mosquitto');
  await symlink(installed, path);
  const ports = await freePorts();
  const local = [...volumes].reduce((text, [inside, outside]) => text.replaceAll(inside, outside), configuration);
  const lines = PORTS.reduce(
    (text, port, i) => text.replace(`listener ${port}`, `listener ${ports[i]} 127.0.0.1`),
    local,
  );
  const file = join(directory, 'mosquitto.conf');
  // Started by root, it would change to a user who cannot read this directory.
  await writeFile(file, `user root\n${lines}`);
  const env = { PATH: process.env.PATH };
  const child = await startChild({ title: 'mosquitto', command: [path, '-c', file], env, ready: / running\n/ });
  const [port = 0, certificatePort = 0] = ports;
  return { ...child, path, port, certificatePort };
}

/** Returns a free port for each of {@link PORTS}. */
async function freePorts(): Promise<readonly number[]> {
  const servers = PORTS.map(() => createServer().listen(0, '127.0.0.1'));
  return Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve, reject) => {
          server.once('error', reject);
          server.once('listening', () => {
            const port = portOf(server);
            server.close(() => resolve(port));
          });
        }),
    ),
  );
}
