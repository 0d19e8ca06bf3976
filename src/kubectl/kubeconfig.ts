/**
 * Reads kubectl's own configuration by the client library of Kubernetes: files, contexts, users and their plugins. The
 * commands of the kubectl plugin open the cluster with it. Refuses files that are no kubeconfig, without quoting them,
 * because they hold credentials.
 */

import { createReadStream } from 'node:fs';
import type { RequestOptions } from 'node:https';
import { delimiter, dirname, join } from 'node:path';
import { findHomeDir, KubeConfig } from '@kubernetes/client-node/dist/config.js';
import { getProxyForUrl } from 'proxy-from-env';
import { messageOf, ProviderError, systemCodeOf } from '../base/errors.ts';
import { clip, nearest, quote } from '../base/words.ts';
import { namespaceProblem } from '../spc/kubernetes-names.ts';
import { usePluginsOf } from './exec-plugins.ts';

/** The options by which kubectl chooses cluster, user and namespace, in kubectl's spelling. */
export interface KubeFlags {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly cluster?: string;
  readonly user?: string;
  readonly namespace?: string;
  readonly as?: string;
  readonly asGroup?: readonly string[];
}

/** The parts of the process that the configuration is read from. */
export interface KubeSurroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Takes what a login plugin prints for the user, such as a code to enter in a browser. */
  readonly stderr: (text: string) => void;
  /** The time limit of a login plugin in milliseconds, if nobody can be asked. */
  readonly loginMs?: number;
}

/** A way to the API server of a cluster. */
export interface KubeAccess {
  /** URL of the API server without a slash at its end. */
  readonly server: string;
  /** Name of the context; empty inside a pod. */
  readonly context: string;
  /** The namespace of `--namespace`, or of the context, or `default`. */
  readonly namespace: string;
  /** Returns TLS settings, agent and headers for a request. Throws: ERR_AUTHENTICATION if a login plugin fails. */
  requestOptions(): Promise<RequestOptions>;
}

const MAX_FILES = 100;
const MAX_FILE_BYTES = 4 * 1024 * 1024;

/**
 * Opens the cluster that kubectl would use: `--kubeconfig`, else the files of KUBECONFIG, else `~/.kube/config`, else the
 * service account of the pod.
 * Throws: ERR_USAGE for files that cannot be read, and for names that are in none of them.
 */
export async function openKubeconfig(
  given: KubeFlags,
  { env, stderr, loginMs }: KubeSurroundings,
): Promise<KubeAccess> {
  const flags = withoutEmpty(given);
  const config = await readFiles(filesOf(flags, env), flags.kubeconfig !== undefined);
  if (config.clusters.length === 0) loadInCluster(config, flags, env);
  const context = choose(config, flags);
  const cluster = config.getCurrentCluster();
  if (cluster === null) throw new ProviderError('ERR_USAGE', `the kubeconfig holds no cluster for context ${context}`);
  if (flags.as !== undefined) Object.assign(config.getCurrentUser() ?? {}, { impersonateUser: flags.as });
  // The library refuses HTTP unless the check of the certificate is turned off. kubectl takes it, as for kubectl proxy.
  if (cluster.server.startsWith('http:')) Object.assign(cluster, { skipTLSVerify: true });
  const proxyUrl = cluster.proxyUrl || getProxyForUrl(cluster.server);
  if (proxyUrl !== '') Object.assign(cluster, { proxyUrl });
  usePluginsOf(config, { stderr, loginMs });
  return {
    server: cluster.server.replace(/\/+$/, ''),
    context: flags.context ?? config.getCurrentContext(),
    namespace: namespaceOf(flags, config),
    requestOptions: async () => {
      const options: RequestOptions = { headers: {} };
      await config.applyToHTTPSOptions(options).catch((error: unknown) => {
        throw new ProviderError('ERR_AUTHENTICATION', `cannot log in to the cluster: ${messageOf(error)}`);
      });
      // The library makes one agent, which opens a connection for each request unless it is told not to.
      if (typeof options.agent === 'object') Object.assign(options.agent, { keepAlive: true });
      if (flags.asGroup !== undefined) Object.assign(options.headers ?? {}, { 'Impersonate-Group': flags.asGroup });
      return options;
    },
  };
}

/** Leaves out options with an empty value, as of an unset variable of a shell: kubectl takes them as not given. */
function withoutEmpty(flags: KubeFlags): KubeFlags {
  return Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== ''));
}

/** Returns the namespace. It becomes a part of paths. Throws: ERR_USAGE for a text that cannot be the name of one. */
function namespaceOf({ namespace }: KubeFlags, config: KubeConfig): string {
  const name = namespace ?? (config.getContextObject(config.getCurrentContext())?.namespace || 'default');
  const problem = namespaceProblem(name);
  if (problem === undefined) return name;
  throw new ProviderError(
    'ERR_USAGE',
    `the namespace ${problem}; correct --namespace, or the context of the kubeconfig`,
  );
}

function filesOf({ kubeconfig }: KubeFlags, env: KubeSurroundings['env']): readonly string[] {
  if (kubeconfig !== undefined) return [kubeconfig];
  const listed = (env.KUBECONFIG ?? '').split(delimiter).filter((file) => file !== '');
  if (listed.length > 0) return [...new Set(listed)].slice(0, MAX_FILES);
  const home = findHomeDir();
  return home === null ? [] : [join(home, '.kube', 'config')];
}

/** Merges the files as kubectl does: the first file that has a name, or a current context, decides. */
async function readFiles(files: readonly string[], mustExist: boolean): Promise<KubeConfig> {
  const merged = new KubeConfig();
  merged.loadFromOptions({ clusters: [], users: [], contexts: [], currentContext: '' });
  for (const file of files) {
    const one = await readOne(file, mustExist);
    if (one === undefined) continue;
    for (const kind of ['clusters', 'users', 'contexts'] as const) {
      const known = new Set(merged[kind].map(({ name }) => name));
      Object.assign(merged, { [kind]: [...merged[kind], ...one[kind].filter(({ name }) => !known.has(name))] });
    }
    if (merged.getCurrentContext() === '') merged.setCurrentContext(one.getCurrentContext() ?? '');
  }
  return merged;
}

async function readOne(file: string, mustExist: boolean): Promise<KubeConfig | undefined> {
  const refuse = (reason: string) => new ProviderError('ERR_USAGE', `cannot read the kubeconfig ${file}: ${reason}`);
  let text: string;
  try {
    text = await readAtMost(file, MAX_FILE_BYTES + 1);
  } catch (error) {
    if (!mustExist && systemCodeOf(error) === 'ENOENT') return undefined;
    throw refuse(systemCodeOf(error) === 'ENOENT' ? 'no such file' : messageOf(error));
  }
  if (text.trim() === '') return undefined;
  if (Buffer.byteLength(text) > MAX_FILE_BYTES) throw refuse(`it has more than ${MAX_FILE_BYTES} bytes`);
  const config = new KubeConfig();
  try {
    config.loadFromString(text);
  } catch (error) {
    // The messages of the YAML parser quote the text.
    const reason = messageOf(error);
    const isRule = /^(clusters|users|contexts)\[\d+\]\.[\w.]+ is missing$/.test(reason);
    throw refuse(isRule ? reason : 'it is not YAML of the kind Config; compare it with: kubectl config view');
  }
  config.makePathsAbsolute(dirname(file));
  return config;
}

/** Reads the first bytes of a file, which may be a pipe of the shell. */
async function readAtMost(file: string, bytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of createReadStream(file, { end: bytes - 1 }) as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

/** Uses the service account of the pod. Throws: ERR_USAGE outside a pod. */
function loadInCluster(config: KubeConfig, flags: KubeFlags, env: KubeSurroundings['env']): void {
  if (flags.kubeconfig === undefined && (env.KUBERNETES_SERVICE_HOST ?? '') !== '') {
    config.loadFromCluster();
    return;
  }
  const looked = filesOf(flags, env).join(', ') || 'no home directory';
  const remedy = 'give --kubeconfig FILE, or set KUBECONFIG; az aks get-credentials writes one for AKS';
  throw new ProviderError('ERR_USAGE', `there is no kubeconfig with a cluster (looked at ${looked}); ${remedy}`);
}

/** Makes the chosen context the current one, with the chosen cluster and user. Returns its name for messages. */
function choose(config: KubeConfig, { context, cluster, user }: KubeFlags): string {
  const name = context ?? config.getCurrentContext();
  const contexts = config.getContexts();
  const found = contexts.find((one) => one.name === name);
  const whole = found ?? (cluster === undefined ? undefined : { name, cluster, user: user ?? '' });
  if (whole === undefined) throw new ProviderError('ERR_USAGE', unknownContext(name, contexts));
  const chosen = { ...whole, cluster: cluster ?? whole.cluster, user: user ?? whole.user ?? '' };
  for (const [kind, wanted, known] of [
    ['cluster', chosen.cluster, config.getClusters()],
    ['user', chosen.user, config.getUsers()],
  ] as const)
    requireName(kind, wanted, known);
  // A context without user is anonymous. The library needs a user to apply the settings of the cluster.
  if (chosen.user === '') config.users = [...config.users, { name: '' }];
  config.contexts = [chosen];
  config.setCurrentContext(chosen.name);
  return quote(chosen.name);
}

function unknownContext(name: string, contexts: readonly { readonly name: string }[]): string {
  const names = contexts.map((one) => one.name);
  if (name === '') {
    const known = names.length === 0 ? '' : `; known: ${clip(names.join(', '))}`;
    return `the kubeconfig has no current context; give --context, or run kubectl config use-context NAME${known}`;
  }
  const near = nearest(name, names);
  const hint = near === undefined ? `known: ${clip(names.join(', '))}` : `did you mean ${quote(near)}?`;
  return `the kubeconfig has no context ${quote(name)}; ${hint}`;
}

function requireName(kind: string, wanted: string, known: readonly { readonly name: string }[]): void {
  if (wanted === '' || known.some(({ name }) => name === wanted)) return;
  const names = known.map(({ name }) => name).join(', ');
  throw new ProviderError('ERR_USAGE', `the kubeconfig has no ${kind} ${quote(wanted)}; known: ${clip(names)}`);
}
