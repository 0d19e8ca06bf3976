import { resolve } from 'node:path';
import { Command } from 'commander';
import { messageOf, ProviderError } from '../base/errors.ts';
import { connectProvider, type MountTarget } from '../driver/client.ts';
import { directTarget } from '../driver/direct.ts';
import { readManifests, type SecretProviderClass } from '../driver/manifests.ts';
import { type Published, type PublishRequest, publish, requestFiles } from '../driver/publish.ts';
import type { MountHandler } from '../mount/call.ts';
import type { ObjectVersion } from '../wire/contract.ts';
import { exitCodeOf, type Io, processIo, readInput } from './io.ts';
import { chooseSecret, readTokens } from './mount-credentials.ts';
import { table } from './table.ts';

/** What `mount` needs of the program. */
export interface MountCommandDeps {
  /** Sets up the provider inside this process, for `--direct`. */
  readonly directMount: (cloudName: string) => Promise<MountHandler>;
}

/** What `mount` is asked for. */
export interface MountCommandOptions {
  readonly out?: string;
  readonly name?: string;
  readonly endpoint: string;
  readonly direct?: boolean;
  readonly cloudName: string;
  readonly secrets?: string;
  readonly secretName?: string;
  readonly secretFile?: readonly string[];
  readonly tokenFile?: string;
  readonly audience: string;
  readonly pod: string;
  readonly namespace?: string;
  readonly serviceAccount: string;
  readonly timeout: string;
}

/** Values of options that are not given. */
export const MOUNT_DEFAULTS = {
  endpoint: 'unix:///var/run/secrets-store-csi-providers/azure.sock',
  cloudName: 'AzurePublicCloud',
  audience: 'api://AzureADTokenExchange',
  pod: 'akv-csi-mount',
  serviceAccount: 'default',
  timeout: '120',
} as const;

const POD_UID = '00000000-0000-0000-0000-000000000000';
/** Named as the target path where nothing is written. */
const KUBELET_PATH = `/var/lib/kubelet/pods/${POD_UID}/volumes/kubernetes.io~csi/secrets-store/mount`;
/** What the driver gives a provider to answer its health check. */
const VERSION_DEADLINE_MS = 5000;

/** `akv-csi mount FILE`: one Mount of a SecretProviderClass, as the driver makes it. */
export function mountCommand(deps: MountCommandDeps): Command {
  const collect = (value: string, previous: readonly string[] = []) => [...previous, value];
  return new Command('mount')
    .description('mount a SecretProviderClass once, as the driver does, and show files, objects and versions')
    .argument('<file>', 'YAML with the SecretProviderClass, and the credentials Secret if it is at hand; - is stdin')
    .option('--out <dir>', 'write the files there, as the driver does; without it nothing is written')
    .option('--name <name>', 'the SecretProviderClass, where the file holds several')
    .option('--endpoint <endpoint>', 'socket of the provider', MOUNT_DEFAULTS.endpoint)
    .option('--direct', 'do it in this process instead of asking a running provider')
    .option('--cloud-name <name>', 'with --direct: cloud of manifests that name none', MOUNT_DEFAULTS.cloudName)
    .option('--secrets <file>', 'YAML with the Secret that nodePublishSecretRef names')
    .option('--secret-name <name>', 'the Secret, where there are several')
    .option('--secret-file <key=path>', 'an entry of the node-publish secret from a file; repeatable', collect)
    .option('--token-file <path>', 'service-account token, for workload identity')
    .option('--audience <audience>', 'audience of the token', MOUNT_DEFAULTS.audience)
    .option('--pod <name>', 'name of the pod to appear as', MOUNT_DEFAULTS.pod)
    .option('--namespace <namespace>', 'namespace of the pod; that of the SecretProviderClass, else "default"')
    .option('--service-account <name>', 'service account of the pod', MOUNT_DEFAULTS.serviceAccount)
    .option('--timeout <seconds>', 'how long to wait for the answer', MOUNT_DEFAULTS.timeout)
    .addHelpText(
      'after',
      '\nCredentials of a service principal come from --secret-file, else from a Secret manifest, else from\n' +
        'AZURE_CLIENT_ID and AZURE_CLIENT_SECRET; never from the command line.',
    )
    .action(async (file: string, options: MountCommandOptions) => {
      process.exitCode = await runMount({ file, options, deps }, processIo);
    });
}

/** Makes the Mount and shows what came of it. Returns the exit code: 0, 1 for a failed Mount, 2 for a wrong command line. */
export function runMount(
  { file, options, deps }: { file: string; options: MountCommandOptions; deps: MountCommandDeps },
  io: Io,
): Promise<number> {
  return exitCodeOf(io, async () => {
    const { spc, request } = await prepare(file, options, io);
    const { target, through, close } = await openTarget(options, deps);
    try {
      io.stdout(`SecretProviderClass ${request.pod.namespace}/${spc.name}, through ${through}\n`);
      const published =
        options.out === undefined
          ? { ...(await requestFiles(target, request)), changed: false }
          : await publish(target, request);
      io.stdout(report(published, options.out));
      return 0;
    } finally {
      close();
    }
  });
}

async function prepare(file: string, options: MountCommandOptions, io: Io) {
  const timeoutMs = Number(options.timeout) * 1000;
  if (!(timeoutMs > 0 && timeoutMs < 2 ** 31)) {
    throw new ProviderError('ERR_USAGE', `--timeout "${options.timeout}" is no number of seconds above 0`);
  }
  const source = await readInput(file, io);
  const manifests = readManifests(source.text, source.name);
  const spc = chooseClass(manifests.classes, source.name, options.name);
  const namespace = options.namespace || spc.namespace || 'default';
  if (spc.provider !== 'azure') {
    io.stderr(`note: spec.provider is "${spc.provider}": a driver would ask ${spc.provider}.sock, not azure.sock\n`);
  }
  const extra = options.secrets === undefined ? undefined : await readInput(options.secrets, io);
  const secret = await chooseSecret(spc, {
    secrets: [...manifests.secrets, ...(extra === undefined ? [] : readManifests(extra.text, extra.name).secrets)],
    files: options.secretFile ?? [],
    ...(options.secretName === undefined ? {} : { name: options.secretName }),
    namespace,
    env: io.env,
  });
  if (secret !== undefined) io.stderr(`note: node-publish secret from ${secret.origin}\n`);
  const { tokenFile } = options;
  const request: PublishRequest = {
    parameters: spc.parameters,
    volumeAttributes: { secretProviderClass: spc.name },
    pod: { name: options.pod, namespace, uid: POD_UID, serviceAccount: options.serviceAccount },
    targetDir: options.out === undefined ? KUBELET_PATH : resolve(options.out),
    deadlineMs: timeoutMs,
    ...(secret === undefined ? {} : { nodePublishSecret: secret.data }),
    ...(tokenFile === undefined ? {} : { tokens: await readTokens(tokenFile, options.audience) }),
  };
  return { spc, request };
}

function chooseClass(
  classes: readonly SecretProviderClass[],
  file: string,
  name: string | undefined,
): SecretProviderClass {
  const fitting = name === undefined ? classes : classes.filter((spc) => spc.name === name);
  const [chosen, ...others] = fitting;
  if (chosen !== undefined && others.length === 0) return chosen;
  if (classes.length === 0) throw new ProviderError('ERR_USAGE', `there is no SecretProviderClass in ${file}`);
  const known = classes.map((spc) => spc.name).join(', ');
  const count = chosen === undefined ? `no SecretProviderClass "${name}"` : 'more than one SecretProviderClass';
  throw new ProviderError('ERR_USAGE', `${file} holds ${count}; choose with --name: ${known}`);
}

async function openTarget(
  { direct = false, endpoint, cloudName }: MountCommandOptions,
  deps: MountCommandDeps,
): Promise<{ target: MountTarget; through: string; close: () => void }> {
  if (direct)
    return { target: directTarget(await deps.directMount(cloudName)), through: 'this process', close: () => {} };
  const client = connectProvider(endpoint);
  try {
    const { runtimeName, runtimeVersion } = await client.version({ deadlineMs: VERSION_DEADLINE_MS });
    return { target: client, through: `${endpoint} (${runtimeName} ${runtimeVersion})`, close: () => client.close() };
  } catch (error) {
    client.close();
    const remedy = 'see whether the provider runs there, or take --direct';
    throw new ProviderError('ERR_UNREACHABLE', `no provider answers at ${endpoint}: ${messageOf(error)}; ${remedy}`, {
      cause: error,
    });
  }
}

function report({ files, sources, objectVersions, changed }: Published, out: string | undefined): string {
  const listed = (objects: readonly ObjectVersion[]) =>
    table([['OBJECT', 'VERSION'], ...objects.map(({ id, version }) => [id, version])]);
  if (files.length === 0) return `${listed(objectVersions)}The answer holds no files: a volume stays as it is.\n`;
  const rows = files.map(({ mode, contents, path }, i) => {
    const source = sources[i];
    const columns = [mode.toString(8).padStart(4, '0'), String(contents.length), path];
    return source === undefined ? columns : [...columns, source.id, source.version];
  });
  const shown = new Set(sources.map((source) => source?.id));
  const others = objectVersions.filter(({ id }) => !shown.has(id));
  const head = ['MODE', 'BYTES', 'FILE', ...(shown.has(undefined) ? [] : ['OBJECT', 'VERSION'])];
  const outcome = changed ? 'written' : 'unchanged, it held the same contents';
  const summary = out === undefined ? 'Nothing written; --out DIR writes the files.' : `${out}: ${outcome}.`;
  return `${table([head, ...rows])}${others.length === 0 ? '' : listed(others)}${summary}\n`;
}
