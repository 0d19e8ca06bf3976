/**
 * The command `emulator`: runs the emulator until it is interrupted. `dev-commands.ts` runs it.
 */

import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import exampleSeed from '../../examples/emulator-seed.yaml?raw';
import { messageOf, ProviderError } from '../base/errors.ts';
import { type Emulator, startEmulator } from '../emulator/emulator.ts';
import { addHostsLines, removeHostsLines } from '../emulator/host/hosts-file.ts';
import type { RequestRecord } from '../emulator/http/request-log.ts';
import { emulatorText } from './emulator-text.ts';
import { collected } from './mount-request.ts';

interface EmulatorFlags {
  readonly seed?: string;
  readonly host: string;
  readonly port: number;
  readonly imdsPort: number;
  readonly hostName?: readonly string[];
  readonly caFile?: string;
  readonly caKeyFile?: string;
  readonly cloudFile?: string;
  readonly writeHosts?: true | string;
  readonly quiet?: boolean;
}

const HOSTS_FILE = '/etc/hosts';
const HELP = `
Example: akv-csi emulator --seed seed.yaml --ca-file ca.pem --cloud-file cloud.json

Exit codes: 0 ended by SIGINT or SIGTERM, 1 a seed or a CA that cannot be used, 2 wrong command line, a file that cannot
be read or written, or an address that it cannot listen on.`;
const LISTEN_FAILURES: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another process listens there; choose another port by --port or --imds-port, 0 for a free one',
  EADDRNOTAVAIL: 'this machine has no such address; choose another one by --host',
  ENOTFOUND: 'no such name; give an address of this machine by --host',
  EACCES: 'only root may listen there; choose another port by --port or --imds-port',
};

/**
 * Makes the command `akv-csi emulator`. It runs the emulator until SIGINT or SIGTERM and prints how clients reach it.
 * Throws: ERR_USAGE for files that cannot be read or written, ERR_BAD_PARAMETERS for the seed.
 */
export function emulatorCommand(): Command {
  return new Command('emulator')
    .description('run an emulator of Key Vault, Entra ID and managed identity on this machine')
    .option('--seed <file>', 'YAML with the initial state (default: examples/emulator-seed.yaml of this project)')
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--port <number>', 'HTTPS port of vaults and authority; 0 chooses a free one', portNumber, 8443)
    .option(
      '--imds-port <number>',
      'HTTP port of the managed-identity endpoint; 0 chooses a free one',
      portNumber,
      8080,
    )
    .option('--host-name <name>', 'further DNS name to answer for, such as *.vault.azure.net; repeatable', collected)
    .option('--ca-file <file>', 'write the root certificate that clients must trust (default: a temporary file)')
    .option('--ca-key-file <file>', 'keep the root certificate and its key in this file, for the next start too')
    .option('--cloud-file <file>', 'write the custom cloud environment file for the provider')
    .option('--write-hosts [file]', `add the host names to ${HOSTS_FILE} (or file) and remove them at the end`)
    .option('--quiet', 'do not print a line for each request')
    .addHelpText('after', HELP)
    .action(run);
}

async function run(flags: EmulatorFlags): Promise<void> {
  const stopped = Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
  const emulator = await start(flags);
  const hostsFile = flags.writeHosts === true ? HOSTS_FILE : flags.writeHosts;
  try {
    const caFile = writeFiles(emulator, flags);
    if (hostsFile !== undefined) writeHosts(hostsFile, emulator);
    const [seed, cloudFile] = [flags.seed, flags.cloudFile].map((path) => path && resolve(path));
    print(emulatorText({ emulator, seed, caFile, cloudFile, hostsWritten: hostsFile !== undefined }));
    await stopped;
    print('Stopping.');
  } finally {
    await emulator.close();
  }
}

async function start(flags: EmulatorFlags): Promise<Emulator> {
  const { caKeyFile } = flags;
  const keptCa = caKeyFile !== undefined && existsSync(caKeyFile);
  try {
    return await startEmulator({
      seed: flags.seed === undefined ? exampleSeed : usingFile(flags.seed, (path) => readFileSync(path, 'utf8')),
      host: flags.host,
      port: flags.port,
      imdsPort: flags.imdsPort,
      hosts: flags.hostName ?? [],
      ...(keptCa ? { ca: usingFile(caKeyFile, (path) => readFileSync(path, 'utf8')) } : {}),
      ...(flags.quiet ? {} : { onRequest: (record: RequestRecord) => print(requestLine(record)) }),
    });
  } catch (error) {
    throw listenError(error, flags) ?? error;
  }
}

const LISTEN_CALLS: readonly string[] = ['listen', 'bind', 'getaddrinfo'];

/** Returns the error of an address that the emulator cannot listen on; undefined for any other error. */
function listenError(error: unknown, flags: EmulatorFlags): ProviderError | undefined {
  if (!(error instanceof Error && 'syscall' in error && LISTEN_CALLS.includes(String(error.syscall)))) return undefined;
  const { code, address = flags.host, port } = error as NodeJS.ErrnoException & { address?: string; port?: number };
  const reason = LISTEN_FAILURES[code ?? ''] ?? error.message;
  const where = port === undefined ? address : `${address}, port ${port}`;
  return new ProviderError('ERR_USAGE', `Cannot listen on ${where}: ${reason}`, { cause: error });
}

/**
 * Writes the files. Returns the absolute path of the root certificate; a temporary file is removed with the process.
 */
function writeFiles(emulator: Emulator, { caFile, caKeyFile, cloudFile }: EmulatorFlags): string {
  if (caKeyFile !== undefined && !existsSync(caKeyFile)) {
    usingFile(caKeyFile, (path) => writeFileSync(path, emulator.caWithKeyPem, { mode: 0o600 }));
  }
  if (cloudFile !== undefined) usingFile(cloudFile, (path) => writeFileSync(path, emulator.cloudFile));
  const written = resolve(caFile ?? join(temporaryDirectory(), 'ca.pem'));
  usingFile(written, (path) => writeFileSync(path, emulator.caPem));
  return written;
}

function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'akv-csi-emulator-'));
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Adds the lines to the hosts file. They are removed when the process ends, unless it is killed. */
function writeHosts(hostsFile: string, emulator: Emulator): void {
  usingFile(hostsFile, (path) => addHostsLines(path, emulator.hostsLines()));
  process.once('exit', () => removeHostsLines(hostsFile));
}

function requestLine(record: RequestRecord): string {
  const { at, kind, method, host, path, status, identity } = record;
  const time = new Date(at).toISOString().slice(11, 23);
  const target = kind === 'vault' ? `${host.split('.')[0]}${path}` : path;
  return `${time} ${kind.padEnd(5)} ${method} ${target} ${status === 0 ? 'no answer' : status}${identity ? ` ${identity}` : ''}`;
}

function usingFile<T>(path: string, use: (path: string) => T): T {
  try {
    return use(path);
  } catch (error) {
    throw new ProviderError('ERR_USAGE', `Cannot use the file ${path}: ${messageOf(error)}`, { cause: error });
  }
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

function portNumber(text: string): number {
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port <= 65535) return port;
  throw new InvalidArgumentError('It must be a port number, 0 to 65535.');
}
