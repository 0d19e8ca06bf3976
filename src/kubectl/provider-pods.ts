/**
 * Finds the pods of the provider, and reads their log and metrics through the API server. `status` and `why` call it.
 * What the user may not read, or does not answer, is reported and left out.
 */

import { ProviderError } from '../base/errors.ts';
import type { KubeApi } from './api.ts';
import { fieldsOf, type LogFields } from './log-lines.ts';
import { type Metrics, parseMetrics } from './metrics.ts';
import { type KubeObject, nameOf, numberAt, objectsAt, textAt, textsAt } from './objects.ts';

/** A pod of the provider. */
export interface ProviderPod {
  readonly namespace: string;
  readonly name: string;
  readonly node: string;
  /** The `provider` of the SecretProviderClasses that it serves, by the name of its socket. */
  readonly serves: string;
  readonly ready: boolean;
  /** Reason of a container that waits, such as `ImagePullBackOff`; empty if none does. */
  readonly waiting: string;
  /** Port of the metrics; undefined if the pod names none. */
  readonly metricsPort: number | undefined;
}

/** The pods that were found, or the reason why there are none. */
export interface FoundProviders {
  readonly pods: readonly ProviderPod[];
  readonly problem: string | undefined;
}

/** The labels that the chart gives to pods of the provider. The pods of its webhook have the name too. */
const SELECTOR = 'app.kubernetes.io/name=akv-csi-provider,app.kubernetes.io/component!=webhook';
/** The argument of `serve` that names the socket. */
const SOCKET = /^--endpoint=unix:.*\/([^/]+)\.sock$/;
/** Where the provider usually is. Asked for if the user may not list the pods of all namespaces. */
const USUAL_NAMESPACE = 'kube-system';
const MAX_PODS = 5_000;
const LOG_LINES = 2_000;
/** Lines of the provider's log have at most 8 KiB. */
const MAX_LOG_BYTES = LOG_LINES * 8_192;
const METRICS_TIMEOUT_MS = 5_000;
const MAX_METRICS_BYTES = 16 * 1024 * 1024;

/** Finds the pods of the provider, of all nodes or of one, in one namespace or in all. */
export async function findProviders(
  api: KubeApi,
  { namespace, node }: { readonly namespace?: string | undefined; readonly node?: string },
): Promise<FoundProviders> {
  const fields = node === undefined ? {} : { fieldSelector: `spec.nodeName=${node}` };
  const query = { labelSelector: SELECTOR, ...fields };
  const listIn = (place: string) =>
    api.list(place === '' ? '/api/v1/pods' : `/api/v1/namespaces/${place}/pods`, { max: MAX_PODS, query });
  try {
    const { items } = await listIn(namespace ?? '').catch((error: unknown) => {
      if (namespace !== undefined || !isForbidden(error)) throw error;
      return listIn(USUAL_NAMESPACE);
    });
    const pods = items.map(providerPodOf);
    // Anyone who may create pods can give them the label.
    const isUsual = ({ namespace: place }: ProviderPod) => place === USUAL_NAMESPACE;
    return { pods: [...pods.filter(isUsual), ...pods.filter((one) => !isUsual(one))], problem: undefined };
  } catch (error) {
    if (!(error instanceof ProviderError)) throw error;
    return { pods: [], problem: error.message };
  }
}

/** True if the API server refused a request because a right is missing. */
function isForbidden(error: unknown): boolean {
  return error instanceof ProviderError && error.code === 'ERR_FORBIDDEN';
}

function providerPodOf(pod: KubeObject): ProviderPod {
  const containers = objectsAt(pod, 'spec', 'containers');
  const metrics = containers
    .flatMap((container) => objectsAt(container, 'ports'))
    .find((port) => textAt(port, 'name') === 'metrics');
  const args = containers.flatMap((container) => textsAt(container, 'args'));
  const socket = args.map((arg) => SOCKET.exec(arg)?.[1]).find((name) => name !== undefined);
  const statuses = objectsAt(pod, 'status', 'containerStatuses');
  return {
    ...nameOf(pod),
    node: textAt(pod, 'spec', 'nodeName'),
    serves: socket ?? 'azure',
    ready: objectsAt(pod, 'status', 'conditions').some(
      (condition) => textAt(condition, 'type') === 'Ready' && textAt(condition, 'status') === 'True',
    ),
    waiting:
      statuses.map((status) => textAt(status, 'state', 'waiting', 'reason')).find((reason) => reason !== '') ?? '',
    metricsPort: numberAt(metrics, 'containerPort'),
  };
}

/** A line of the log, and its fields. */
export interface LogLine {
  readonly text: string;
  readonly fields: LogFields;
}

/** Returns the last lines of a provider's log about a pod, oldest first, at most `max`. Throws: as `KubeApi.text`. */
export async function readLog(
  api: KubeApi,
  provider: ProviderPod,
  { pod, max }: { readonly pod: { readonly namespace: string; readonly name: string }; readonly max: number },
): Promise<readonly LogLine[]> {
  const query = new URLSearchParams({ container: 'provider', tailLines: String(LOG_LINES) });
  const path = `/api/v1/namespaces/${provider.namespace}/pods/${provider.name}/log?${query}`;
  const text = await api.text({ path, accept: '*/*', maxBytes: MAX_LOG_BYTES });
  const about = text.split('\n').flatMap((line): readonly LogLine[] => {
    if (!line.includes(pod.name)) return [];
    const fields = fieldsOf(line);
    return fields.pod === pod.name && fields.namespace === pod.namespace ? [{ text: line, fields }] : [];
  });
  return about.slice(-max);
}

/** Reads the metrics of a provider through the proxy of the API server. Throws: as `KubeApi.text`. */
async function readMetrics(api: KubeApi, { namespace, name, metricsPort = 8898 }: ProviderPod): Promise<Metrics> {
  const path = `/api/v1/namespaces/${namespace}/pods/${name}:${metricsPort}/proxy/metrics`;
  return parseMetrics(
    await api.text({ path, accept: 'text/plain', maxBytes: MAX_METRICS_BYTES, timeoutMs: METRICS_TIMEOUT_MS }),
  );
}

/** Requests at the same time. */
const PARALLEL = 8;
/** Failures after which no more providers are asked: each can take the whole time limit. */
const MAX_FAILURES = 8;

/**
 * Reads the metrics of several providers. Returns those of the ones that answered, and how many did not, with the first
 * reason.
 */
export async function readAllMetrics(
  api: KubeApi,
  providers: readonly ProviderPod[],
): Promise<{ readonly metrics: Metrics; readonly missing: number; readonly reason: string }> {
  const metrics = new Map<string, number>();
  const failures: ProviderError[] = [];
  const left = [...providers];
  let answered = 0;
  const readNext = async (one: ProviderPod) => {
    try {
      for (const [key, value] of await readMetrics(api, one)) metrics.set(key, value);
      answered++;
    } catch (error) {
      if (!(error instanceof ProviderError)) throw error;
      failures.push(error);
    }
  };
  // What one may not read, one may not read of the others either.
  const isUseless = () => failures.some(isForbidden) || failures.length >= MAX_FAILURES;
  const work = async () => {
    for (let one = left.shift(); one !== undefined && !isUseless(); one = left.shift()) await readNext(one);
  };
  await Promise.all(Array.from({ length: PARALLEL }, work));
  return { metrics, missing: providers.length - answered, reason: failures[0]?.message ?? '' };
}
