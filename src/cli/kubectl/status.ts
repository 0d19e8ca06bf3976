/**
 * The command `kubectl akv status`: prints who mounts the SecretProviderClasses of a cluster, in which versions, and what
 * failed last. `kubectl.ts` adds it.
 */

import { Command } from 'commander';
import { type Clock, systemClock } from '../../base/clock.ts';
import { printable, printableJson } from '../../base/printable.ts';
import { counted } from '../../base/words.ts';
import type { ClassPod, ClassStatus } from '../../kubectl/class-status.ts';
import { spanOf } from '../../kubectl/objects.ts';
import { readStatus, type StatusReport } from '../../kubectl/status.ts';
import { refuseIdleCredentials } from '../check-fetch.ts';
import { addCloudOptions, type CloudOptions } from '../cloud-options.ts';
import { exitCodeOf, type Io, processIo } from '../io.ts';
import { addCredentialOptions, CREDENTIALS_HELP, type RequestOptions } from '../mount-request.ts';
import type { DirectMount } from '../provider.ts';
import { table } from '../table.ts';
import {
  addAllNamespaces,
  addClusterOptions,
  addOutput,
  type ClusterOptions,
  openCluster,
  type ProviderNamespaceOption,
  providerNamesOf,
  providerNamespaceOf,
} from './cluster-options.ts';
import { fetchCurrent } from './fetch.ts';

/** The arguments of `status`. */
export interface StatusOptions
  extends ClusterOptions,
    ProviderNamespaceOption,
    CloudOptions,
    Partial<Omit<RequestOptions, 'namespace'>> {
  readonly allNamespaces?: boolean;
  readonly output?: 'wide' | 'json';
  readonly fetch?: boolean;
}

/** The parts of the program that `status` uses. */
export interface StatusDeps {
  readonly directMount: DirectMount;
  /** Default: the clock of the system. */
  readonly clock?: Clock;
}

const HELP = `
Examples: kubectl akv status -A
          kubectl akv status -n prod --fetch --login azurecli

PODS is the number of pods that have the volume, of all that want it. VERSIONS compares the versions of the pods with the
one of the pod that got its files last; with --fetch, with the vault. EXPIRES and failing rotations come from the metrics
of the provider's pods.

With --fetch the objects are read from their vaults by this program. Nothing is written.
${CREDENTIALS_HELP}
No Secret of the cluster is read.

Exit codes: 0 printed, 1 it could not be read, 2 wrong command line.`;

/** Makes the command `kubectl akv status`. */
export function statusCommand(deps: StatusDeps): Command {
  const command = new Command('status').description('who mounts the SecretProviderClasses, versions, failures, expiry');
  addOutput(addAllNamespaces(addClusterOptions(command)), ['wide', 'json'])
    .option('--provider-namespace <namespace>', 'namespace of the provider (default: all namespaces, else kube-system)')
    .option('--fetch', 'read the current versions from the vaults')
    .optionsGroup('Options with --fetch:');
  return addCredentialOptions(addCloudOptions(command))
    .addHelpText('after', HELP)
    .action(async (options: StatusOptions) => {
      process.exitCode = await runStatus(options, deps, processIo);
    });
}

/** Prints the state. Returns the exit code. */
export function runStatus(options: StatusOptions, deps: StatusDeps, io: Io): Promise<number> {
  return exitCodeOf(io, async () => {
    refuseIdleCredentials(options);
    const api = await openCluster(options, io);
    const namespace = options.allNamespaces ? '' : api.access.namespace;
    const scope = {
      namespace,
      providerNames: providerNamesOf(options),
      providerNamespace: providerNamespaceOf(options),
    };
    const read = await readStatus(api, scope);
    const report = options.fetch ? await fetchCurrent(read, { ...deps, options, api }, io) : read;
    for (const note of report.notes) io.stderr(`note: ${printable(note)}\n`);
    if (options.output === 'json') io.stdout(printableJson(jsonOf(report)));
    else print(report, { options, namespace, now: (deps.clock ?? systemClock).wall() }, io);
    return 0;
  });
}

interface Shown {
  readonly options: StatusOptions;
  readonly namespace: string;
  /** Milliseconds since 1970. */
  readonly now: number;
}

function print(report: StatusReport, { options, namespace, now }: Shown, io: Io): void {
  if (report.classes.length === 0) {
    const place = namespace === '' ? 'any namespace' : `namespace ${namespace}`;
    io.stderr(`no SecretProviderClass of the provider in ${place}\n`);
    return;
  }
  io.stdout(table(tableOf(report, options, now).map((row) => row.map(printable))));
  const [failing] = report.classes.flatMap(failingPods);
  if (failing !== undefined) io.stderr(`note: the cause and the next step: kubectl akv why ${failing}\n`);
}

/** Returns the pods that wait for the class or fail to renew it, as arguments of `why`. */
function failingPods({ namespace, pods }: ClassStatus): readonly string[] {
  return pods.filter((pod) => !pod.mounted || (pod.failures ?? 0) > 0).map(({ name }) => `${name} -n ${namespace}`);
}

function tableOf({ classes }: StatusReport, { output }: StatusOptions, now: number): readonly (readonly string[])[] {
  return output === 'wide' ? wideRows(classes, now) : rows(classes, now);
}

function rows(classes: readonly ClassStatus[], now: number): readonly (readonly string[])[] {
  const head = ['NAMESPACE', 'CLASS', 'PODS', 'VERSIONS', 'EXPIRES', 'LAST FAILURE'];
  return [
    head,
    ...classes.map((one) => {
      const mounted = one.pods.filter((pod) => pod.mounted).length;
      const expiries = one.pods.flatMap(({ objects }) => objects.map(({ expiresAt }) => expiresAt ?? Infinity));
      const name = one.exists ? one.name : `${one.name} (missing)`;
      const pods = `${mounted}/${one.pods.length}`;
      return [
        one.namespace,
        name,
        pods,
        versionsOf(one.pods),
        expiryOf(Math.min(...expiries), now),
        failureOf(one, now),
      ];
    }),
  ];
}

function versionsOf(pods: readonly ClassPod[]): string {
  const objects = pods.flatMap((pod) => pod.objects);
  if (objects.length === 0) return '-';
  const behind = pods.filter((pod) => pod.objects.some(({ version, current }) => version !== current)).length;
  return behind === 0 ? 'current' : `outdated in ${counted(behind, 'pod')}`;
}

function expiryOf(expiresAt: number, now: number): string {
  if (expiresAt === Infinity) return '-';
  return expiresAt < now ? `${spanOf(now - expiresAt)} ago` : `in ${spanOf(expiresAt - now)}`;
}

function failureOf({ lastFailure, pods }: ClassStatus, now: number): string {
  const failing = pods.find(({ failures = 0 }) => failures > 0);
  const event = failing === undefined || lastFailure?.pod === failing.name ? lastFailure : undefined;
  const pod = failing?.name ?? event?.pod;
  if (pod === undefined) return '-';
  const age = event?.at === undefined ? '' : `${spanOf(now - event.at)} ago, `;
  const count = failing === undefined ? '' : ` failed ${failing.failures} times in a row`;
  return `${age}pod ${pod}${count}${event === undefined ? '' : `: ${event.message}`}`;
}

function wideRows(classes: readonly ClassStatus[], now: number): readonly (readonly string[])[] {
  const head = ['NAMESPACE', 'CLASS', 'POD', 'NODE', 'OBJECT', 'VERSION', 'CURRENT', 'EXPIRES', 'LAST FAILURE'];
  const body = classes.flatMap((one) => {
    const start = [one.namespace, one.exists ? one.name : `${one.name} (missing)`];
    if (one.pods.length === 0) return [[...start, '-', '-', '-', '-', '-', '-', failureOf(one, now)]];
    return one.pods.flatMap((pod) => {
      const failure = failureOf({ ...one, pods: [pod] }, now);
      const shown = one.lastFailure?.pod === pod.name || (pod.failures ?? 0) > 0 ? failure : '-';
      const cells = pod.objects.map(({ id, version, current, expiresAt = Infinity }) => [
        id,
        version,
        current === version ? 'yes' : current,
        expiryOf(expiresAt, now),
      ]);
      const of = [...start, pod.name, pod.node || '-'];
      return (cells.length === 0 ? [['-', 'not mounted', '-', '-']] : cells).map((row) => [...of, ...row, shown]);
    });
  });
  return [head, ...body];
}

/** Returns the report with times as texts. */
function jsonOf({ classes, notes }: StatusReport): object {
  const timeOf = (ms: number | undefined) => (ms === undefined ? {} : { at: new Date(ms).toISOString() });
  return {
    classes: classes.map(({ lastFailure, pods, ...one }) => ({
      ...one,
      pods: pods.map((pod) => ({
        ...pod,
        objects: pod.objects.map(({ expiresAt, ...object }) => ({
          ...object,
          ...(expiresAt === undefined ? {} : { expires: new Date(expiresAt).toISOString() }),
        })),
      })),
      ...(lastFailure === undefined
        ? {}
        : { lastFailure: { pod: lastFailure.pod, message: lastFailure.message, ...timeOf(lastFailure.at) } }),
    })),
    notes,
  };
}
