/**
 * The options of the kubectl plugin that choose cluster and namespace, in kubectl's spelling, and the client that they
 * give. All commands of the plugin use them. Refuses times that cannot be read, and namespaces that cannot exist.
 */

import { type Command, Option } from 'commander';
import { ProviderError } from '../../base/errors.ts';
import { quote } from '../../base/words.ts';
import { KubeApi } from '../../kubectl/api.ts';
import { type KubeFlags, openKubeconfig } from '../../kubectl/kubeconfig.ts';
import { namespaceProblem } from '../../spc/kubernetes-names.ts';
import type { Io } from '../io.ts';
import { collected } from '../mount-request.ts';

/** The values of the options that all commands have. */
export interface ClusterOptions extends KubeFlags {
  readonly requestTimeout: string;
  readonly providerName?: readonly string[];
}

/** The option that says where the provider is. */
export interface ProviderNamespaceOption {
  readonly providerNamespace?: string;
}

/** The default of `--request-timeout`. */
const REQUEST_TIMEOUT = '30s';

/** Adds the options to a command. */
export function addClusterOptions(command: Command): Command {
  return command
    .option('-n, --namespace <namespace>', 'namespace (default: that of the context)')
    .option('--context <name>', 'context of the kubeconfig')
    .option('--kubeconfig <file>', 'kubeconfig (default: KUBECONFIG, else ~/.kube/config, else the service account)')
    .option('--cluster <name>', 'cluster of the kubeconfig')
    .option('--user <name>', 'user of the kubeconfig')
    .option('--as <user>', 'user to impersonate')
    .option('--as-group <group>', 'group to impersonate; repeatable', collected)
    .option('--request-timeout <time>', 'time limit of one request, such as 30s or 2m', REQUEST_TIMEOUT)
    .option('--provider-name <name>', 'another name under which the provider runs; repeatable', collected);
}

/** Adds `-A`. */
export function addAllNamespaces(command: Command): Command {
  return command.option('-A, --all-namespaces', 'all namespaces');
}

/** Adds `-o` with the given formats; the default is a text for people. */
export function addOutput(command: Command, formats: readonly string[]): Command {
  return command.addOption(new Option('-o, --output <format>', 'output format').choices([...formats]));
}

/**
 * Opens the API server of the chosen context. `loginMs` bounds a login plugin if nobody can be asked, in milliseconds.
 * Throws: ERR_USAGE.
 */
export async function openCluster(
  options: ClusterOptions,
  io: Io,
  login: { readonly loginMs?: number } = {},
): Promise<KubeApi> {
  const timeoutMs = millisecondsOf(options.requestTimeout);
  return new KubeApi(await openKubeconfig(options, { env: io.env, stderr: io.stderr, ...login }), { timeoutMs });
}

/** Returns the namespace of the provider; undefined if the option is not given, or empty. Throws: ERR_USAGE. */
export function providerNamespaceOf({ providerNamespace = '' }: ProviderNamespaceOption): string | undefined {
  if (providerNamespace === '') return undefined;
  const problem = namespaceProblem(providerNamespace);
  if (problem === undefined) return providerNamespace;
  throw new ProviderError('ERR_USAGE', `--provider-namespace: ${problem}`);
}

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, '': 1_000 };
const MAX_TIMEOUT_MS = 3_600_000;

function millisecondsOf(text: string): number {
  const [, number = '', unit = ''] = /^(\d{1,9})(ms|s|m|h|)$/.exec(text) ?? [];
  const ms = Number(number) * (UNITS_MS[unit] ?? 0);
  if (number !== '' && ms > 0 && ms <= MAX_TIMEOUT_MS) return ms;
  throw new ProviderError('ERR_USAGE', `--request-timeout ${quote(text)} must be a time from 1ms to 1h, such as 30s`);
}

/** The names under which the provider runs: `azure`, and those of `--provider-name`. */
export function providerNamesOf({ providerName = [] }: ClusterOptions): readonly string[] {
  return ['azure', ...providerName];
}
