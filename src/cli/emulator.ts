import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { Command, InvalidArgumentError } from 'commander';
import exampleSeed from '../../examples/emulator-seed.yaml?raw';
import { messageOf, ProviderError } from '../base/errors.ts';
import { type Emulator, startEmulator } from '../emulator/emulator.ts';
import { addHostsLines, removeHostsLines } from '../emulator/hosts-file.ts';
import type { RequestRecord } from '../emulator/request-log.ts';

interface EmulatorFlags {
  readonly seed?: string;
  readonly host: string;
  readonly port: number;
  readonly imdsPort: number;
  readonly hostName: readonly string[];
  readonly caFile?: string;
  readonly cloudFile?: string;
  readonly writeHosts?: true | string;
  readonly quiet?: boolean;
}

const HOSTS_FILE = '/etc/hosts';

/**
 * `akv-csi emulator`: runs the embedded Azure until SIGINT or SIGTERM and prints how other clients reach it.
 * Errors: ERR_USAGE for files that cannot be read or written, ERR_BAD_PARAMETERS for the seed.
 */
export function emulatorCommand(): Command {
  return new Command('emulator')
    .description('run a small Key Vault, Entra ID and managed-identity endpoint on this machine')
    .option('--seed <file>', 'state to start with, YAML (default: the example of this project)')
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--port <number>', 'HTTPS port of vaults and authority; 0 takes a free one', portNumber, 8443)
    .option('--imds-port <number>', 'HTTP port of the managed-identity endpoint; 0 takes a free one', portNumber, 8080)
    .option('--host-name <name>', 'further DNS name to answer for, such as *.vault.azure.net (repeatable)', collect, [])
    .option('--ca-file <file>', 'write the root certificate that clients must trust')
    .option('--cloud-file <file>', 'write the custom cloud environment file for the provider')
    .option('--write-hosts [file]', `add the host names to ${HOSTS_FILE} (or file) and remove them at the end`)
    .option('--quiet', 'print no line for each request')
    .action(run);
}

async function run(flags: EmulatorFlags): Promise<void> {
  const stopped = Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
  const emulator = await startEmulator({
    seed: flags.seed === undefined ? exampleSeed : usingFile(flags.seed, (path) => readFileSync(path, 'utf8')),
    host: flags.host,
    port: flags.port,
    imdsPort: flags.imdsPort,
    hosts: flags.hostName,
    ...(flags.quiet ? {} : { onRequest: (record: RequestRecord) => print(requestLine(record)) }),
  });
  const hostsFile = flags.writeHosts === true ? HOSTS_FILE : flags.writeHosts;
  try {
    writeFiles(emulator, flags);
    if (hostsFile !== undefined) writeHosts(hostsFile, emulator);
    print(instructions(emulator, { ...flags, hostsWritten: hostsFile !== undefined }));
    await stopped;
    print('Stopping.');
  } finally {
    await emulator.close();
  }
}

function writeFiles(emulator: Emulator, { caFile, cloudFile }: EmulatorFlags): void {
  if (caFile !== undefined) usingFile(caFile, (path) => writeFileSync(path, emulator.caPem));
  if (cloudFile !== undefined) usingFile(cloudFile, (path) => writeFileSync(path, emulator.cloudFile));
}

/** The lines go away however the process ends, short of being killed. */
function writeHosts(hostsFile: string, emulator: Emulator): void {
  usingFile(hostsFile, (path) => addHostsLines(path, emulator.hostsLines()));
  process.once('exit', () => removeHostsLines(hostsFile));
}

function instructions(emulator: Emulator, flags: EmulatorFlags & { hostsWritten: boolean }): string {
  const ca = flags.caFile ?? '<ca-file>';
  const hint = flags.caFile === undefined ? '   (give --ca-file to have it written)' : '';
  return [
    'The emulator is running.',
    '',
    `  authority          ${emulator.authorityHost}`,
    ...emulator.vaults.map((name) => `  vault              ${emulator.vaultUrl(name)}`),
    `  managed identity   ${emulator.imdsUrl}`,
    '',
    flags.hostsWritten
      ? 'Host names, added to the hosts file:'
      : 'Host names for the hosts file (--write-hosts adds them):',
    ...emulator.hostsLines().map((line) => `  ${line}`),
    '',
    `Trust the root certificate:${hint}`,
    `  export NODE_EXTRA_CA_CERTS=${ca}   # Node.js`,
    `  export SSL_CERT_FILE=${ca}         # Go, .NET on Linux, curl`,
    `  export REQUESTS_CA_BUNDLE=${ca}    # Python`,
    `  keytool -importcert -noprompt -file ${ca} -alias emulator -keystore trust.p12 -storepass changeit   # Java`,
    '',
    'Point the SDKs of any language to it (and disable their instance discovery):',
    `  export AZURE_AUTHORITY_HOST=${emulator.authorityHost}`,
    `  export AZURE_POD_IDENTITY_AUTHORITY_HOST=${emulator.imdsUrl}`,
    '',
    'Ctrl-C ends it.',
    '',
  ].join('\n');
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

function collect(value: string, previous: readonly string[]): readonly string[] {
  return [...previous, value];
}
