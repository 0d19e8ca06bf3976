/**
 * The command `kubectl akv connect RESOURCE WORKLOAD`: shows what a workload needs to mount the certificates of a broker
 * resource, and applies it with `--yes`. `kubectl.ts` adds it.
 */

import { Command, Option } from 'commander';
import { printable, printableLines } from '../../base/printable.ts';
import type { KubeApi } from '../../kubectl/api.ts';
import { diffOf, writeObject } from '../../kubectl/apply.ts';
import { type ConnectPlan, planConnect } from '../../kubectl/connect.ts';
import { exitCodeOf, type Io, processIo } from '../io.ts';
import { collected } from '../mount-request.ts';
import { renderOptionsOf } from '../render-options.ts';
import { checkContextOf } from './check.ts';
import { addClusterOptions, type ClusterOptions, openCluster, providerNamesOf } from './cluster-options.ts';

/** The arguments of `connect`. */
export interface ConnectOptions extends ClusterOptions {
  readonly yes?: boolean;
  readonly dryRun?: 'none' | 'server';
  readonly forceConflicts?: boolean;
  readonly directoryId?: string;
  readonly provider?: string;
  readonly mountPath?: string;
  readonly fileName?: readonly string[];
}

const HELP = `
Examples: kubectl akv connect BrokerListener/tls-listener-manual deploy/mosquitto
          kubectl akv connect broker=BrokerListener/tls-listener-manual/tls:/tls sts/broker --yes

Makes a SecretProviderClass of each keyVault field of the resource, and adds the volumes, the mounts and the Secret with
the credentials to the workload. Prints the difference as kubectl diff does; nothing is changed without --yes. Objects are
written by server-side apply. RESOURCE is [CONTAINER=]KIND/NAME[/ROLE][:MOUNTPATH], or SecretProviderClass/NAME.

Exit codes: 0 shown or applied, 1 it is not possible, or the API server refused it, 2 wrong command line.`;

/** Makes the command `kubectl akv connect`. */
export function connectCommand(): Command {
  const command = new Command('connect')
    .description('mount the certificates and secrets of a broker resource in a workload')
    .argument('<resource>', '[CONTAINER=]KIND/NAME[/ROLE][:MOUNTPATH], such as BrokerListener/front')
    .argument('<workload>', 'such as deploy/mosquitto');
  return addClusterOptions(command)
    .option('--yes', 'apply the changes')
    .addOption(new Option('--dry-run <strategy>', 'server: show, and change nothing').choices(['none', 'server']))
    .option('--force-conflicts', 'take fields over that another manager set')
    .option('--directory-id <guid>', 'Microsoft Entra tenant ID that replaces placeholders such as <AKV directory ID>')
    .option('--provider <name>', 'name of the provider in the SecretProviderClasses (default: azure)')
    .option('--mount-path <template>', 'as for akv-csi render (default: /mnt/secrets-store)')
    .option('--file-name <role=name>', 'as for akv-csi render; repeatable', collected)
    .addHelpText('after', HELP)
    .action(async (resource: string, workload: string, options: ConnectOptions) => {
      process.exitCode = await runConnect({ resource, workload }, options, processIo);
    });
}

/** Shows the changes, and applies them with `--yes`. Returns the exit code. */
export function runConnect(
  { resource, workload }: { readonly resource: string; readonly workload: string },
  options: ConnectOptions,
  io: Io,
): Promise<number> {
  return exitCodeOf(io, async () => {
    const wanted = renderOptionsOf({ ...options, format: 'manifests' });
    const api = await openCluster(options, io);
    const { namespace } = api.access;
    const names = providerNamesOf(options);
    const providerName = options.provider === undefined ? names : [...names, options.provider];
    const check = checkContextOf({ ...options, providerName }, io);
    const plan = await planConnect(api, { namespace, item: resource, workload, options: wanted, check });
    for (const note of new Set(plan.notes)) io.stderr(`note: ${printable(note)}\n`);
    for (const mistake of plan.mistakes) io.stderr(`error: ${printable(mistake)}\n`);
    if (plan.mistakes.length > 0) return 1;
    const changed = await show(api, plan, { forceConflicts: options.forceConflicts === true, io });
    if (!changed) io.stdout('nothing to change: the workload has all of it\n');
    else if (options.yes !== true || options.dryRun === 'server')
      io.stdout('nothing was changed; --yes applies these changes\n');
    else await apply(api, plan, { forceConflicts: options.forceConflicts === true, io });
    return 0;
  });
}

interface Output {
  readonly forceConflicts: boolean;
  readonly io: Io;
}

/** Prints what the API server would make of the changes. Returns false if nothing would change. */
async function show(api: KubeApi, { writes }: ConnectPlan, { forceConflicts, io }: Output): Promise<boolean> {
  let changed = false;
  for (const write of writes) {
    const difference = diffOf(write, await writeObject(api, write, { dryRun: true, forceConflicts }));
    if (difference !== '') changed = true;
    io.stdout(printableLines(difference));
  }
  return changed;
}

async function apply(
  api: KubeApi,
  { writes, classes, workload }: ConnectPlan,
  { forceConflicts, io }: Output,
): Promise<void> {
  for (const write of writes) {
    await writeObject(api, write, { dryRun: false, forceConflicts });
    const { type, name } = write;
    const resource = type.group === '' ? type.kind.toLowerCase() : `${type.kind.toLowerCase()}.${type.group}`;
    io.stdout(`${resource}/${name} ${write.how === 'apply' ? 'serverside-applied' : 'patched'}\n`);
  }
  const { namespace } = api.access;
  const target = `${workload.type.kind.toLowerCase()}/${workload.name} -n ${namespace}`;
  const hasHistory = ['Deployment', 'StatefulSet', 'DaemonSet'].includes(workload.type.kind);
  io.stdout(`To see it: ${hasHistory ? `kubectl rollout status ${target}` : `kubectl get ${target}`}\n`);
  const back = hasHistory
    ? `kubectl rollout undo ${target}`
    : `kubectl edit ${target}, and remove volumes and volumeMounts`;
  const remove =
    classes.length === 0 ? '' : `; kubectl delete secretproviderclass ${classes.join(' ')} -n ${namespace}`;
  io.stdout(`To undo it: ${back}${remove}\n`);
}
