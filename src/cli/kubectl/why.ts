/**
 * The command `kubectl akv why POD`: prints why a pod does not start, and the next step. `kubectl.ts` adds it.
 */

import { Command } from 'commander';
import { type Clock, systemClock } from '../../base/clock.ts';
import { ProviderError } from '../../base/errors.ts';
import { printable, printableJson } from '../../base/printable.ts';
import { clip, quote } from '../../base/words.ts';
import { causeOfEvent } from '../../kubectl/causes.ts';
import { fieldsOf } from '../../kubectl/log-lines.ts';
import { spanOf } from '../../kubectl/objects.ts';
import { type Diagnosis, diagnose } from '../../kubectl/why.ts';
import { exitCodeOf, type Io, processIo } from '../io.ts';
import { checkContextOf } from './check.ts';
import {
  addClusterOptions,
  addOutput,
  type ClusterOptions,
  openCluster,
  type ProviderNamespaceOption,
  providerNamespaceOf,
} from './cluster-options.ts';

/** The arguments of `why`. */
export interface WhyOptions extends ClusterOptions, ProviderNamespaceOption {
  readonly output?: 'json';
}

const HELP = `
Example: kubectl akv why broker-2 -n azure-iot-operations

Looks at the events of the pod, its SecretProviderClasses, the Secrets that nodePublishSecretRef names (whether they
exist, never what they hold), the driver and the provider on its node, and the last lines of the provider about it. Names
the cause to mend first, and one next step.

Exit codes: 0 nothing is wrong, 1 a cause was found, or the pod could not be read, 2 wrong command line.`;

/** Makes the command `kubectl akv why POD`. */
export function whyCommand(): Command {
  const command = new Command('why')
    .description('why a pod does not start or does not get new values, and the one next step')
    .argument('<pod>', 'name of the pod, also as pod/NAME');
  return addOutput(addClusterOptions(command), ['json'])
    .option('--provider-namespace <namespace>', 'namespace of the provider (default: all namespaces, else kube-system)')
    .addHelpText('after', HELP)
    .action(async (pod: string, options: WhyOptions) => {
      process.exitCode = await runWhy(pod, options, processIo);
    });
}

/** Prints why. Returns the exit code: 1 if a cause was found. */
export function runWhy(name: string, options: WhyOptions, io: Io, clock: Clock = systemClock): Promise<number> {
  return exitCodeOf(io, async () => {
    const pod = name.replace(/^(pods?|po)\//, '');
    if (pod === '' || pod.includes('/'))
      throw new ProviderError('ERR_USAGE', `${quote(name)} is no name of a pod; why takes one pod, such as web-0`);
    const api = await openCluster(options, io);
    const { namespace } = api.access;
    const request = {
      namespace,
      pod,
      providerNamespace: providerNamespaceOf(options),
      check: checkContextOf(options, io),
    };
    const diagnosis = await diagnose(api, request);
    if (options.output === 'json') io.stdout(printableJson(jsonOf(diagnosis)));
    else print(diagnosis, io, clock.wall());
    return diagnosis.cause === undefined ? 0 : 1;
  });
}

/** Returns the result with times as text, as docs/kubectl.md lists its fields. */
function jsonOf({ events, ...rest }: Diagnosis): object {
  const timeOf = (ms: number | undefined) => (ms === undefined ? {} : { at: new Date(ms).toISOString() });
  return { ...rest, events: events.map(({ at, ...event }) => ({ ...event, ...timeOf(at) })) };
}

function print({ namespace, pod, node, phase, events, findings, log, cause }: Diagnosis, io: Io, now: number): void {
  const line = (text: string) => io.stdout(`${printable(text)}\n`);
  line(`Pod ${namespace}/${pod}: ${phase || 'unknown'}${node === '' ? ', on no node' : ` on node ${node}`}`);
  if (events.length > 0) line('Events:');
  for (const { at, count, reason, message } of events) {
    const age = at === undefined ? '' : `${spanOf(now - at)} ago`;
    line(`  ${age} (x${count}) ${reason}: ${clip(causeOfEvent({ reason, message }).text)}`);
  }
  line('Looked at:');
  for (const { state, subject, message } of findings) line(`  ${state.padEnd(7)}  ${subject}: ${message}`);
  if (log.length > 0) line('Last lines of the provider about this pod:');
  for (const text of sameTogether(log)) line(`  ${text}`);
  if (cause === undefined) {
    const unknown = findings.some(({ state }) => state === 'unknown') ? ', as far as it could be looked at' : '';
    line(`Nothing is wrong${unknown}.`);
    return;
  }
  line(`Cause (${cause.code}): ${cause.text}`);
  line(`Next step: ${cause.nextStep}`);
}

/** Returns the lines in short, and those that follow each other and say the same as one. The JSON has them in full. */
function sameTogether(lines: readonly string[]): readonly string[] {
  const shown: { readonly start: string; readonly text: string; count: number }[] = [];
  for (const whole of lines) {
    const { ts = '', level = '', msg = '', code, error, detail } = fieldsOf(whole);
    const text = [`${level} ${msg}`, code, error ?? detail].filter((part) => part !== undefined).join(': ');
    const last = shown.at(-1);
    if (last?.text === text) last.count++;
    else shown.push({ start: ts, text, count: 1 });
  }
  return shown.map(({ start, text, count }) => `${start} (x${count}) ${clip(text)}`);
}
