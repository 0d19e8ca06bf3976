/**
 * The command `mount`: makes one Mount as the driver does and prints the result. `program.ts` adds it.
 */

import { resolve } from 'node:path';
import { Command } from 'commander';
import { MAX_TIMER_MS } from '../base/clock.ts';
import { messageOf, ProviderError } from '../base/errors.ts';
import { printable, printableJson } from '../base/printable.ts';
import { quote } from '../base/words.ts';
import { connectProvider, type MountTarget } from '../driver/client.ts';
import { directTarget } from '../driver/direct.ts';
import { type Manifests, readManifests, type SecretProviderClass } from '../driver/manifests.ts';
import { type Published, publish, requestFiles } from '../driver/publish.ts';
import { DEVELOPER_LOGINS } from '../spc/identities/developer.ts';
import type { ObjectVersion } from '../wire/contract.ts';
import { addCloudOptions, CLOUD_DEFAULTS, type CloudOptions } from './cloud-options.ts';
import { exitCodeOf, type Io, processIo, readInputs } from './io.ts';
import { warningsTo } from './logging.ts';
import {
  addCredentialOptions,
  CREDENTIALS_HELP,
  credentialsHint,
  idleProblem,
  KUBELET_PATH,
  REQUEST_DEFAULTS,
  type RequestOptions,
  requestOf,
} from './mount-request.ts';
import type { DirectMount } from './provider.ts';
import { table } from './table.ts';

/** The parts of the program that `mount` uses. */
export interface MountCommandDeps {
  readonly directMount: DirectMount;
}

/** The arguments of `mount`. */
export interface MountCommandOptions extends RequestOptions, CloudOptions {
  readonly out?: string;
  readonly name?: string;
  readonly endpoint: string;
  readonly direct?: boolean;
  readonly json?: boolean;
  readonly timeout: string;
}

/** Values of options that are not given. */
export const MOUNT_DEFAULTS = {
  endpoint: 'unix:///var/run/secrets-store-csi-providers/azure.sock',
  ...CLOUD_DEFAULTS,
  ...REQUEST_DEFAULTS,
  timeout: '120',
} as const;

/** The time that the driver gives a provider to answer its health check. */
const VERSION_DEADLINE_MS = 5000;

const HELP = `
Examples: akv-csi mount --secrets secret.yaml class.yaml
          akv-csi mount --direct --login azurecli --out /tmp/volume class.yaml

${CREDENTIALS_HELP}

Warnings of the provider, such as an expired certificate, are printed to standard error with --direct. Without --direct
they are in the log of the provider, except that last known values were mounted, which is printed too.

Exit codes: 0 mounted, 1 the Mount failed, 2 wrong command line or unreadable file.`;

/** Makes the command `akv-csi mount FILE…`. It makes one Mount of a SecretProviderClass, as the driver does. */
export function mountCommand(deps: MountCommandDeps): Command {
  const command = new Command('mount')
    .description('mount a SecretProviderClass once, as the driver does, and show files, objects and versions')
    .argument(
      '<files...>',
      'YAML with the SecretProviderClass and optionally its Secret, or directories; - is standard input',
    )
    .option('--out <dir>', 'write the files there, as the driver does; without it nothing is written')
    .option(
      '--name <name>',
      'name of the SecretProviderClass, if the file holds several; NAMESPACE/NAME if they share a name',
    )
    .option('--endpoint <endpoint>', 'socket of the provider', MOUNT_DEFAULTS.endpoint)
    .option('--direct', 'mount in this process instead of calling a running provider')
    .option('--json', 'print the result as one JSON object')
    .option('--pod <name>', 'name of the pod in the request', MOUNT_DEFAULTS.pod)
    .option(
      '--namespace <namespace>',
      'namespace of the pod (default: that of the SecretProviderClass, else "default")',
    )
    .option('--service-account <name>', 'service account of the pod', MOUNT_DEFAULTS.serviceAccount)
    .option('--timeout <seconds>', 'time limit of the Mount', MOUNT_DEFAULTS.timeout);
  addCredentialOptions(command.optionsGroup('Credentials:')).optionsGroup('Options with --direct:');
  return addCloudOptions(command)
    .addHelpText('after', HELP)
    .action(async (files: string[], options: MountCommandOptions) => {
      process.exitCode = await runMount({ files, options, deps }, processIo);
    });
}

/**
 * Makes the Mount and prints the result. Returns the exit code: 0, 1 for a failed Mount, 2 for a wrong command line.
 */
export function runMount(
  { files, options, deps }: { files: readonly string[]; options: MountCommandOptions; deps: MountCommandDeps },
  io: Io,
): Promise<number> {
  return exitCodeOf(io, async () => {
    const { spc, request } = await prepare(files, options, io);
    const warn = (message: string) => io.stderr(`warning: ${message}\n`);
    const { target, through, close } = await openTarget({ options, deps, warn });
    try {
      const head = `SecretProviderClass ${request.pod.namespace}/${spc.name}, through ${through}\n`;
      if (!options.json) io.stdout(head);
      const published =
        options.out === undefined
          ? { ...(await requestFiles(target, request)), changed: false }
          : await publish(target, request);
      const { name } = spc;
      const described = { name, namespace: request.pod.namespace, through, out: options.out };
      io.stdout(options.json ? jsonReport(published, described) : report(published, options.out));
      if (!options.direct) io.stderr('note: warnings of the provider are in its log; use --direct to see them here\n');
      return 0;
    } catch (error) {
      const message = messageOf(error);
      const hint = credentialsHint(message, options, request.pod.namespace);
      if (hint === '' || !(error instanceof ProviderError)) throw error;
      throw new ProviderError(error.code, `${message}${hint}`, { cause: error });
    } finally {
      close();
    }
  });
}

async function prepare(files: readonly string[], options: MountCommandOptions, io: Io) {
  const { login, direct = false } = options;
  if (login !== undefined && !direct) throw new ProviderError('ERR_USAGE', idleProblem('--login', '--direct'));
  const timeoutMs = Number(options.timeout) * 1000;
  if (!(timeoutMs > 0 && timeoutMs <= MAX_TIMER_MS)) {
    throw new ProviderError('ERR_USAGE', `--timeout "${options.timeout}" must be a positive number of seconds`);
  }
  const read: Manifests[] = [];
  const names: string[] = [];
  for await (const { text, name } of readInputs(files, io)) {
    read.push(readManifests(text, name));
    names.push(name);
  }
  const classes = read.flatMap((one) => one.classes);
  const manifests = { classes, secrets: read.flatMap((one) => one.secrets) };
  if (classes.length === 0) {
    const hints = read.flatMap((one) => one.hints ?? []).map((hint) => `; ${hint}`);
    throw new ProviderError('ERR_USAGE', `there is no SecretProviderClass in ${names.join(', ')}${hints.join('')}`);
  }
  const spc = chooseClass(classes, names.join(', '), options.name);
  if (spc.provider !== 'azure') {
    io.stderr(`note: spec.provider is "${spc.provider}": a driver would ask ${spc.provider}.sock, not azure.sock\n`);
  }
  const request = await requestOf(
    { spc, manifests, options, timeoutMs, targetDir: resolve(options.out ?? KUBELET_PATH) },
    io,
  );
  return { spc, request };
}

function chooseClass(
  classes: readonly SecretProviderClass[],
  file: string,
  name: string | undefined,
): SecretProviderClass {
  const fitting = classes.filter((spc) => name === undefined || spc.name === name || fullNameOf(spc) === name);
  const [chosen, ...others] = fitting;
  if (chosen !== undefined && others.length === 0) return chosen;
  const isUnique = new Set(classes.map((spc) => spc.name)).size === classes.length;
  const known = classes.map((spc) => (isUnique ? spc.name : fullNameOf(spc))).join(', ');
  const named = name === undefined ? '' : ` ${quote(name)}`;
  const count = `${chosen === undefined ? 'no' : 'more than one'} SecretProviderClass${named}`;
  throw new ProviderError('ERR_USAGE', `${file} holds ${count}; choose with --name: ${known}`);
}

function fullNameOf({ name, namespace }: SecretProviderClass): string {
  return namespace === '' ? name : `${namespace}/${name}`;
}

async function openTarget({
  options,
  deps,
  warn,
}: {
  readonly options: MountCommandOptions;
  readonly deps: MountCommandDeps;
  readonly warn: (message: string) => void;
}): Promise<{ target: MountTarget; through: string; close: () => void }> {
  const { direct = false, endpoint, login } = options;
  if (direct)
    return {
      target: directTarget(await deps.directMount(options, warningsTo(warn))),
      through: login === undefined ? 'this process' : `this process, as ${DEVELOPER_LOGINS[login]}`,
      close: () => {},
    };
  const client = connectProvider(endpoint, (note) => warn(printable(note)));
  try {
    const { runtimeName, runtimeVersion } = await client.version({ deadlineMs: VERSION_DEADLINE_MS });
    return { target: client, through: `${endpoint} (${runtimeName} ${runtimeVersion})`, close: () => client.close() };
  } catch (error) {
    client.close();
    const remedy = 'check that the provider is running there, or use --direct';
    throw new ProviderError('ERR_UNREACHABLE', `no provider answers at ${endpoint}: ${messageOf(error)}; ${remedy}`, {
      cause: error,
    });
  }
}

function report({ files, sources, objectVersions, changed }: Published, out: string | undefined): string {
  const listed = (objects: readonly ObjectVersion[]) =>
    table([['OBJECT', 'VERSION'], ...objects.map(({ id, version }) => [id, version])]);
  if (files.length === 0)
    return `${listed(objectVersions)}The answer holds no files: the driver leaves the volume unchanged.\n`;
  const rows = files.map(({ mode, contents, path }, i) => {
    const source = sources[i];
    const columns = [mode.toString(8).padStart(4, '0'), String(contents.length), path];
    return source === undefined ? columns : [...columns, source.id, source.version];
  });
  const shown = new Set(sources.map((source) => source?.id));
  const others = objectVersions.filter(({ id }) => !shown.has(id));
  const head = ['MODE', 'BYTES', 'FILE', ...(shown.has(undefined) ? [] : ['OBJECT', 'VERSION'])];
  const outcome = changed ? 'written' : 'unchanged, because the contents are the same';
  const summary = out === undefined ? 'Nothing written; --out DIR writes the files.' : `${out}: ${outcome}.`;
  return `${table([head, ...rows])}${others.length === 0 ? '' : listed(others)}${summary}\n`;
}

/** A SecretProviderClass, and what mounted it. */
interface Mounted {
  readonly name: string;
  readonly namespace: string;
  readonly through: string;
  readonly out: string | undefined;
}

/** Returns the result as one JSON object, without contents of files. */
function jsonReport({ files, sources, objectVersions, changed }: Published, mounted: Mounted): string {
  const { name, namespace, through, out } = mounted;
  const described = files.map(({ path, mode, contents }, i) => ({
    path,
    mode: mode.toString(8).padStart(4, '0'),
    bytes: contents.length,
    ...(sources[i] === undefined ? {} : { object: sources[i].id, version: sources[i].version }),
  }));
  const target = out === undefined ? {} : { directory: out, changed };
  const objects = objectVersions.map(({ id, version }) => ({ object: id, version }));
  return printableJson({ secretProviderClass: { name, namespace }, through, ...target, files: described, objects });
}
